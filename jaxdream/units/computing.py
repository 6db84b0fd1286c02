"""Who computes the parts of a run: this process, one part after the other, or somebody else."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

from jaxdream.folder.inputs import Input
from jaxdream.models.network import Network
from jaxdream.recipe import Provenance, provenance
from jaxdream.units.drawing_parts import Drawing, Note, UnitsPart, Write, draw_part
from jaxdream.units.example_parts import Found, find_in, parts_of
from jaxdream.units.examples import Pass, Statistics
from jaxdream.units.pictures import read_batches


@runtime_checkable
class Computing(Protocol):
    """What a run needs of those who compute its parts."""

    @property
    def model(self) -> Network:
        """The network as they compute it."""
        ...

    @property
    def made_with(self) -> Provenance:
        """Their versions and platform."""
        ...

    def found(
        self, work: Pass, inputs: Sequence[Input], first: int, begun: Statistics | None
    ) -> Generator[Found, None, None]:
        """What the pictures from a number on add to the statistics, in their order.

        Args are those of ``example_parts.parts_of``.
        """
        ...

    def drawn(
        self, parts: Sequence[UnitsPart], drawing: Drawing, write: Write, note: Note
    ) -> Iterator[tuple[UnitsPart, float]]:
        """Draw parts and write their pictures, in any order.

        Yields:
            A part, and how much of it is done; 1 when its pictures are written.
        """
        ...


class Here:
    """This process."""

    def __init__(self, model: Network) -> None:
        self.model, self.made_with = model, provenance(model)

    def found(
        self, work: Pass, inputs: Sequence[Input], first: int, begun: Statistics | None
    ) -> Generator[Found, None, None]:
        batch, left = work.settings.batch, range(first, len(inputs))
        # Those of the next part are read while this one is computed.
        with closing(read_batches(inputs, left, work.size, batch=batch)) as batches:
            for part in parts_of(inputs, first, begun, batch=batch):
                yield from find_in(work, part, batches)

    def drawn(
        self, parts: Sequence[UnitsPart], drawing: Drawing, write: Write, note: Note
    ) -> Iterator[tuple[UnitsPart, float]]:
        for part in parts:
            for share in draw_part(self.model, part, drawing, write, note):
                yield part, share
