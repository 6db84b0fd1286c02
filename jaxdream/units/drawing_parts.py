"""Units that are drawn at once: those that are asked for, cut into parts of one batch each.

Which units are drawn together depends on all that are asked for, and not on those that are still
missing. So the files are the same whether a run was stopped or not, and whoever draws a part.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from jaxdream import objectives
from jaxdream.folder.journal import JournalEntry
from jaxdream.models.network import Network
from jaxdream.recipe import Provenance
from jaxdream.settings import VisualizeSettings
from jaxdream.types import Size
from jaxdream.units.visualizations import Drawn, visualize_batch
from jaxdream.visualization.planning import most_at_once
from jaxdream.visualization.record import visualize_record

Note = Callable[[str, JournalEntry], None]  # of a file by its name, before it has that name


@dataclass(frozen=True)
class Drawing:
    """How units are drawn."""

    settings: VisualizeSettings
    size: Size  # of the pictures
    seed: int
    made_with: Provenance

    def record(self, model: Network, *labels: str) -> str:
        """How the pictures with these labels are made, as the text in them."""
        return visualize_record(
            model, self.settings, pictures=labels, size=self.size, seed=self.seed,
            made_with=self.made_with,
        )  # fmt: skip


class UnitsPart(NamedTuple):
    """Channels of a layer that are drawn in one batch."""

    layer: str
    channels: tuple[int, ...]  # in the order of the batch
    missing: frozenset[int]  # of these, the ones whose pictures are to be written
    together: int  # pictures of the batch, as of all parts of this layer

    def label(self) -> str:
        """Its name, for messages."""
        return f"channels {self.channels[0]} to {self.channels[-1]} of {self.layer}"


@runtime_checkable
class Write(Protocol):
    """Writes the files of a unit."""

    def __call__(
        self, model: Network, layer: str, channel: int, drawn: Drawn, note: Note
    ) -> None: ...


def parts_of(
    model: Network,
    layer: str,
    channels: Sequence[int],
    missing: Collection[int],
    drawing: Drawing,
) -> list[UnitsPart]:
    """The parts of some channels of a layer in which pictures are missing."""
    if not channels:
        return []
    objective = objectives.channel(layer, channels[0])
    most = most_at_once(model, objective, settings=drawing.settings, size=drawing.size)
    together = min(len(channels), most)
    cut = [tuple(channels[at : at + together]) for at in range(0, len(channels), together)]
    parts = [UnitsPart(layer, part, frozenset(missing) & {*part}, together) for part in cut]
    return [part for part in parts if part.missing]


def draw_part(
    model: Network, part: UnitsPart, drawing: Drawing, write: Write, note: Note
) -> Iterator[float]:
    """Draw a part and write its pictures.

    Yields:
        How much is done; 1 when the pictures are written.

    Raises:
        JaxdreamError: a file cannot be written.
    """
    wanted = [(channel, objectives.channel(part.layer, channel)) for channel in part.channels]
    for share, drawn in visualize_batch(
        model, wanted, part.together,
        settings=drawing.settings, size=drawing.size, seed=drawing.seed,
    ):  # fmt: skip
        for channel, one in drawn.items():
            if channel in part.missing:
                write(model, part.layer, channel, one, note)
        yield share
