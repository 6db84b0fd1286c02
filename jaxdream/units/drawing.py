"""A picture from noise of every unit of layers, in a folder: thousands, from a few programs."""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdream import objectives
from jaxdream.errors import JaxdreamError
from jaxdream.files.arrays import read_arrays, write_arrays
from jaxdream.files.reading import PathLike, file_hash, printable
from jaxdream.files.writing import make_folder
from jaxdream.folder.journal import Journal, JournalEntry, open_journal, settings_hash
from jaxdream.folder.targets import write_whole
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.picture_files import encode_image, is_own, mark, read_picture, write_image
from jaxdream.models.network import Network
from jaxdream.settings import VisualizeSettings, takes_settings
from jaxdream.types import Size
from jaxdream.units.computing import Computing, Here
from jaxdream.units.drawing_parts import Drawing, Note, parts_of
from jaxdream.units.folder import StepDone, may_write
from jaxdream.units.names import Chosen, check_names, unit_file, unit_label
from jaxdream.units.visualizations import Drawn, check_of_units, has_record
from jaxdream.visualization.fourier import FourierImage
from jaxdream.visualization.phase import PhaseImage
from jaxdream.visualization.planning import picture_size, transforms_of
from jaxdream.visualization.targets import picture_name

PARAMETERS = "parameters"  # the folder of the files that pictures can be computed from again
_COLUMNS, _ROWS = 8, 8  # of a sheet


@takes_settings(settings=VisualizeSettings)
def visualize_units(
    seed: int,
    model: Network,
    folder: PathLike,
    layers: str | Sequence[str],
    *,
    settings: VisualizeSettings,
    size: int | Size | None = None,
    overwrite: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[StepDone]:
    """Make a picture of every channel of layers, as ``visualize`` does, into a folder.

    Writes ``LAYER_N.png`` for each channel, ``parameters/LAYER_N.npz`` with what it is computed
    from (``read_unit``), and sheets of 64, ``LAYER_sheet_1.png``. A journal says what is done:
    closed, interrupted or killed, the same call goes on from there, and draws the batches again in
    which a picture is missing. Channel N has the noise of
    ``jax.random.fold_in(jax.random.key(seed), N)``, whatever is made with it.

    Args:
        seed: a whole number.
        model: from ``load_model`` or ``wrap``.
        layers: a name or alias, or several.
        {settings}
        size: of the pictures, in pixels: a side, or height and width; by default as ``visualize``.
        overwrite: make all again, and replace files that the folder's journal does not know.
        notify: is told of damaged lines of the journal.

    Yields:
        How far it is, after every step of a batch.

    Raises:
        JaxdreamError: an unknown layer, a size too small for it, a setting that is for several
            pictures of one thing, or a folder that another run writes into, that has files of
            others in the way, or that cannot be written into.
    """
    plan = UnitsPlan.checked(
        model, folder, layers,
        settings=settings, size=size, seed=seed, overwrite=overwrite, notify=notify,
    )  # fmt: skip
    return plan.run(Here(model))


def read_unit(path: PathLike) -> FourierImage | PhaseImage:
    """The parameters of a unit's picture: ``pixels()`` computes it.

    Raises:
        JaxdreamError: there is no such file, or it is another or damaged.
    """
    about, arrays = read_arrays(path, dict[str, Any])
    width = about.get("width")
    for kind in (FourierImage, PhaseImage):
        if arrays.keys() == {*_arrays(kind)} and isinstance(width, int):
            return kind(**{name: jnp.asarray(array) for name, array in arrays.items()}, width=width)
    raise JaxdreamError(f"{printable(path)} has no parameters of a picture")


def _arrays(kind: Any) -> list[str]:
    """The names of the arrays of a kind of parameters."""
    return [one.name for one in dataclasses.fields(kind) if one.name != "width"]


@dataclass(frozen=True)
class UnitsPlan:
    """What ``visualize_units`` is asked for, and checked."""

    folder: Path
    layers: tuple[str, ...]  # by their own names
    settings: VisualizeSettings
    size: Size
    seed: int
    overwrite: bool
    notify: Callable[[str], None]

    @classmethod
    def checked(
        cls,
        model: Network,
        folder: PathLike,
        layers: str | Sequence[str],
        *,
        settings: VisualizeSettings,
        size: int | Size | None,
        seed: int,
        overwrite: bool,
        notify: Callable[[str], None],
    ) -> "UnitsPlan":
        """Args and errors are those of ``visualize_units``."""
        check_of_units(settings)
        layers = [layers] if isinstance(layers, str) else layers
        names = tuple(dict.fromkeys(map(model.graph.resolve, layers)))
        check_names(names)
        units = [objectives.channel(name, 0) for name in names]
        crops = settings.parametrization == "maco"
        transforms = transforms_of(settings.transforms, crops, model, units)
        shape = picture_size(size, transforms, model, units, settings)
        return cls(Path(folder), names, settings, shape, seed, overwrite, notify)

    def run(self, computing: Computing) -> Iterator[StepDone]:
        """Make what is missing."""
        drawing = Drawing(self.settings, self.size, self.seed, computing.made_with)
        make_folder(self.folder / PARAMETERS)
        with open_journal(self.folder, notify=self.notify) as journal:
            yield from _Work(self, computing, drawing, journal).run()


class _Work:
    """A run into a folder whose journal is open."""

    def __init__(
        self, plan: UnitsPlan, computing: Computing, drawing: Drawing, journal: Journal
    ) -> None:
        self.folder, self.layers, self.overwrite = plan.folder, plan.layers, plan.overwrite
        self.computing, self.drawing, self.journal = computing, drawing, journal
        self.model = computing.model
        self.common: Mapping[str, Any] = json.loads(drawing.record(self.model))
        self.write = _WriteUnit(plan.folder, drawing, settings_hash(self.common))

    def run(self) -> Iterator[StepDone]:
        missing = {
            layer: [c for c in range(self.count(layer)) if not self._is_done(layer, c)]
            for layer in self.layers
        }
        self.journal.begin(self.common)
        parts = [
            part
            for layer, channels in missing.items()
            for part in parts_of(
                self.model, layer, range(self.count(layer)), channels, self.drawing
            )
        ]
        self._remove_old_sheets(missing)
        left = Counter(part.layer for part in parts)
        made = {layer: self.count(layer) - len(channels) for layer, channels in missing.items()}
        for layer in self.layers:
            if not left[layer]:
                yield from self._sheets(layer)
        for part, share in self.computing.drawn(parts, self.drawing, self.write, self.journal.made):
            layer, total = part.layer, self.count(part.layer)
            if share == 1:
                made[layer] += len(part.missing)
                left[layer] -= 1
            yield StepDone(f"{made[layer]}/{total} channels of {layer}", made[layer] / total)
            if not left[layer]:
                yield from self._sheets(layer)

    def count(self, layer: str) -> int:
        return self.model.graph.channels[layer]

    def _is_done(self, layer: str, channel: int) -> bool:
        """Whether a unit has the picture that this run would make.

        Raises:
            JaxdreamError: its file is none of jaxdream's.
        """
        path = self.write.path(layer, channel)
        if not os.path.lexists(path) or self.overwrite:
            return False
        if not self.journal.knows(path.name) and not is_own(path):
            raise JaxdreamError(
                f"{printable(path)} is there already, and not known to be made by jaxdream: move "
                "it away, choose another output folder, or give --overwrite"
            )
        made = self.write.entry(self.model, layer, channel, file_hash(path, "sha256"))
        there = self.journal.has(path.name, made)
        return there and self.write.parameters(layer, channel).is_file()

    def _remove_old_sheets(self, missing: Mapping[str, Collection[int]]) -> None:
        """Remove sheets with pictures that will be made anew, so that none outlives a stop.

        Raises:
            JaxdreamError: a file of such a name is none of jaxdream's.
        """
        for layer, channels in missing.items():
            for _, path, shown in self._sheets_of(layer):
                if os.path.lexists(path) and not set(shown).isdisjoint(channels):
                    if not self.overwrite:
                        may_write(path)
                    path.unlink()

    def _sheets_of(self, layer: str) -> Iterator[tuple[int, Path, range]]:
        """The numbers and files of a layer's sheets, and the channels on each."""
        count, together = self.count(layer), _COLUMNS * _ROWS
        for number, first in enumerate(range(0, count, together), start=1):
            channels = range(first, min(first + together, count))
            yield number, self.folder / sheet_file(layer, number), channels

    def _sheets(self, layer: str) -> Iterator[StepDone]:
        """Make the sheets of a layer that are not there."""
        for number, path, channels in self._sheets_of(layer):
            if os.path.lexists(path):
                continue
            pictures = [
                read_picture(self.write.path(layer, channel)).pixels for channel in channels
            ]
            sheet = contact_sheet(pictures, list(map(str, channels)), columns=_COLUMNS)
            write_image(path, sheet, recipe=mark("units"))
            yield StepDone(f"sheet {number} of {layer}", channels.stop / self.count(layer))


@dataclass(frozen=True)
class _WriteUnit:
    """Writes the parameters of a unit, then its picture."""

    folder: Path
    drawing: Drawing
    key: str  # of the settings

    def path(self, layer: str, channel: int) -> Path:
        return self.folder / unit_file(layer, channel)

    def parameters(self, layer: str, channel: int) -> Path:
        return self.folder / PARAMETERS / unit_file(layer, channel, ".npz")

    def entry(self, model: Network, layer: str, channel: int, sha256: str) -> JournalEntry:
        return JournalEntry(unit_label(layer, channel), model.weights_sha256, self.key, sha256)

    def __call__(self, model: Network, layer: str, channel: int, drawn: Drawn, note: Note) -> None:
        record = self.drawing.record(model, unit_label(layer, channel))
        about = {**json.loads(record), "width": self.drawing.size[1]}
        arrays = {
            name: np.asarray(getattr(drawn.parameters, name)) for name in _arrays(drawn.parameters)
        }
        path = self.path(layer, channel)
        # A picture of other settings beside new parameters would pass for whole.
        path.unlink(missing_ok=True)
        write_arrays(self.parameters(layer, channel), about, arrays)
        content = encode_image(path, drawn.pixels, recipe=record)
        entry = self.entry(model, layer, channel, hashlib.sha256(content).hexdigest())
        write_whole(path, content, note=lambda: note(path.name, entry))


def write_visualizations(
    computing: Computing, chosen: Chosen, folder: Path, drawing: Drawing
) -> Iterator[StepDone]:
    """Write a visualisation of each unit that has none yet, made in this way.

    Raises:
        JaxdreamError: the layer is too small for the size, or a file cannot be written.
    """
    make_folder(folder)
    write, model = _WritePicture(folder, drawing), computing.model
    missing = {
        layer: [c for c in channels if not write.has_written(model, layer, c)]
        for layer, channels in chosen.items()
    }
    parts = [
        part
        for layer, channels in chosen.items()
        for part in parts_of(model, layer, channels, missing[layer], drawing)
    ]
    made: Counter[str] = Counter()
    for part, share in computing.drawn(parts, drawing, write, lambda *_: None):
        layer, total = part.layer, len(missing[part.layer])
        done = made[layer] + len(part.missing) * share
        if share == 1:
            made[layer] += len(part.missing)
        yield StepDone(f"{made[layer]}/{total} visualisations of {layer}", done / total)


@dataclass(frozen=True)
class _WritePicture:
    """Writes the picture of a unit alone, which says how it was made."""

    folder: Path
    drawing: Drawing

    def __call__(self, model: Network, layer: str, channel: int, drawn: Drawn, note: Note) -> None:
        del note  # it has no journal
        record = self.drawing.record(model, unit_label(layer, channel))
        write_image(self.folder / unit_file(layer, channel), drawn.pixels, recipe=record)

    def has_written(self, model: Network, layer: str, channel: int) -> bool:
        record = self.drawing.record(model, unit_label(layer, channel))
        return has_record(self.folder / unit_file(layer, channel), record)


def sheet_file(layer: str, number: int) -> str:
    """The name of a sheet of a layer, from 1."""
    return picture_name(f"{layer} sheet_{number}")
