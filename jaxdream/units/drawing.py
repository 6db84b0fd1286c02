"""A picture from noise of every unit of layers, in a folder: thousands, from a few programs."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from jaxdream.units.folder import StepDone, may_write
from jaxdream.units.names import check_names, unit_file, unit_label
from jaxdream.units.visualizations import Drawn, check_of_units, visualize_many
from jaxdream.visualization.fourier import FourierImage
from jaxdream.visualization.phase import PhaseImage
from jaxdream.visualization.planning import picture_size, transforms_of
from jaxdream.visualization.record import visualize_record
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
    closed, interrupted or killed, the same call goes on from there. Channel N has the noise of
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
    check_of_units(settings)
    layers = [layers] if isinstance(layers, str) else layers
    names = [model.graph.resolve(layer) for layer in dict.fromkeys(layers)]
    check_names(names)
    units = [objectives.channel(name, 0) for name in names]
    crops = settings.parametrization == "maco"
    transforms = transforms_of(settings.transforms, crops, model, units)
    shape = picture_size(size, transforms, model, units, settings)
    work = _Work(model, Path(folder), settings, shape, seed, overwrite)
    return work.run(list(dict.fromkeys(names)), notify)


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


class _Work:
    """What all units have in common."""

    def __init__(
        self,
        model: Network,
        folder: Path,
        settings: VisualizeSettings,
        size: Size,
        seed: int,
        overwrite: bool,
    ) -> None:
        self.model, self.folder, self.settings = model, folder, settings
        self.size, self.seed, self.overwrite = size, seed, overwrite
        record = visualize_record(model, settings, pictures=[], size=size, seed=seed)
        self.common: Mapping[str, Any] = json.loads(record)
        self.key = settings_hash(self.common)

    def run(self, layers: Sequence[str], notify: Callable[[str], None]) -> Iterator[StepDone]:
        make_folder(self.folder / PARAMETERS)
        with open_journal(self.folder, notify=notify) as journal:
            missing = {
                layer: [c for c in range(self.count(layer)) if not self._is_done(journal, layer, c)]
                for layer in layers
            }
            journal.begin(self.common)
            for layer, channels in missing.items():
                yield from self._draw(journal, layer, channels)
                yield from self._sheets(layer, changed=set(channels))

    def count(self, layer: str) -> int:
        return self.model.graph.channels[layer]

    def path(self, layer: str, channel: int) -> Path:
        return self.folder / unit_file(layer, channel)

    def parameters(self, layer: str, channel: int) -> Path:
        return self.folder / PARAMETERS / unit_file(layer, channel, ".npz")

    def _entry(self, layer: str, channel: int, sha256: str) -> JournalEntry:
        return JournalEntry(unit_label(layer, channel), self.model.weights_sha256, self.key, sha256)

    def _is_done(self, journal: Journal, layer: str, channel: int) -> bool:
        """Whether a unit has the picture that this run would make.

        Raises:
            JaxdreamError: its file is none of jaxdream's.
        """
        path = self.path(layer, channel)
        if not os.path.lexists(path) or self.overwrite:
            return False
        if not journal.knows(path.name) and not is_own(path):
            raise JaxdreamError(
                f"{printable(path)} is there already, and not known to be made by jaxdream: move "
                "it away, choose another output folder, or give --overwrite"
            )
        made = self._entry(layer, channel, file_hash(path, "sha256"))
        return journal.has(path.name, made) and self.parameters(layer, channel).is_file()

    def _draw(self, journal: Journal, layer: str, channels: Sequence[int]) -> Iterator[StepDone]:
        total = self.count(layer)
        made = total - len(channels)
        wanted = [(channel, objectives.channel(layer, channel)) for channel in channels]
        for _, drawn in visualize_many(
            self.model, wanted, settings=self.settings, size=self.size, seed=self.seed
        ):
            for channel, one in drawn.items():
                self._write(journal, layer, channel, one)
            made += len(drawn)
            yield StepDone(f"{made}/{total} channels of {layer}", made / total)

    def _write(self, journal: Journal, layer: str, channel: int, drawn: Drawn) -> None:
        """The parameters, then the picture, which stands in the journal before it has its name."""
        record = visualize_record(
            self.model, self.settings,
            pictures=[unit_label(layer, channel)], size=self.size, seed=self.seed,
        )  # fmt: skip
        about, found = {**json.loads(record), "width": self.size[1]}, drawn.parameters
        arrays = {name: np.asarray(getattr(found, name)) for name in _arrays(found)}
        write_arrays(self.parameters(layer, channel), about, arrays)
        path = self.path(layer, channel)
        content = encode_image(path, drawn.pixels, recipe=record)
        entry = self._entry(layer, channel, hashlib.sha256(content).hexdigest())
        write_whole(path, content, note=lambda: journal.made(path.name, entry))

    def _sheets(self, layer: str, changed: set[int]) -> Iterator[StepDone]:
        """Sheets of a layer's pictures, as far as these have changed."""
        count, together = self.count(layer), _COLUMNS * _ROWS
        for number, first in enumerate(range(0, count, together), start=1):
            channels = range(first, min(first + together, count))
            path = self.folder / sheet_file(layer, number)
            if changed.isdisjoint(channels) and os.path.lexists(path):
                continue
            if not self.overwrite:
                may_write(path)
            pictures = [read_picture(self.path(layer, channel)).pixels for channel in channels]
            sheet = contact_sheet(pictures, list(map(str, channels)), columns=_COLUMNS)
            write_image(path, sheet, recipe=mark("units"))
            yield StepDone(f"sheet {number} of {layer}", min(1.0, (first + together) / count))


def sheet_file(layer: str, number: int) -> str:
    """The name of a sheet of a layer, from 1."""
    return picture_name(f"{layer} sheet_{number}")
