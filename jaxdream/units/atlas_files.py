"""The activation atlas of a folder of pictures, into a folder in which a stopped run can go on."""

import hashlib
import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxdream import objectives
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike
from jaxdream.files.writing import make_folder
from jaxdream.folder.inputs import Input
from jaxdream.images.picture_files import is_own, mark, read_image, write_image
from jaxdream.images.pixels import check_size
from jaxdream.models.network import Network
from jaxdream.objectives.labels import classes_of
from jaxdream.settings import AtlasSettings, VisualizeSettings, takes_settings
from jaxdream.types import Size
from jaxdream.units.atlas import (
    AtlasCells,
    choose_projection,
    chosen_grid,
    lay_out,
    make_cells,
    nearest_classes,
    project,
    whitened,
)
from jaxdream.units.atlas_page import atlas_page
from jaxdream.units.folder import About, ResultFolder, StepDone, found_inputs
from jaxdream.units.html import write_text
from jaxdream.units.pictures import NOT_FINITE, Read, Unreadable, read_batches, shown_size, stacked
from jaxdream.units.sampling import (
    ActivationSample,
    candidates_per_picture,
    merge_samples,
    sample_batch,
)
from jaxdream.units.summary import layer_shapes
from jaxdream.units.visualizations import check_of_units, has_record, visualize_many
from jaxdream.visualization.record import visualize_record

RESULT, PICTURE = "samples.npz", "atlas.png"
_CELLS = "cells"
_POWER = 2  # of the cosine: what points along the mean of a cell, rather than what is strong
_PARTS = ("index.html", PICTURE, _CELLS)
_BLANK = 16.0  # grey level where the atlas has no cell


@takes_settings(settings=AtlasSettings, visualize=VisualizeSettings)
def atlas_of_files(
    model: Network,
    inputs: Sequence[str | os.PathLike[str] | Input],
    folder: PathLike,
    layer: str,
    *,
    settings: AtlasSettings,
    visualize: VisualizeSettings,
    overwrite: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[StepDone]:
    """Make the activation atlas of a layer from a folder of pictures.

    Writes ``samples.npz`` with the activations that were kept, ``cells/ROW_COLUMN.png``,
    ``atlas.png`` with all cells, and ``index.html``, a page that zooms. Closed, interrupted or
    failed, the run keeps what is computed; the same call goes on from there.

    Args:
        model: from ``load_model`` or ``wrap``.
        inputs: as of ``find_inputs``, or what that gave.
        folder: where the results go.
        layer: a name or alias.
        {settings}
        overwrite: start again from the first picture, and replace what the folder has.
        notify: is called with a line about how activations are laid out.

    Yields:
        How far it is, after every batch of pictures and every step of a batch of cells.

    Raises:
        JaxdreamError: an unknown layer, pictures that cannot be found, too few activations, UMAP
            asked for and not installed, or a folder that holds something else or cannot be
            written into.
    """
    path = Path(folder)
    found = found_inputs(inputs, path)
    work = _Work.planned(model, layer, len(found), settings)
    check_of_units(visualize)
    projection = choose_projection(settings.projection)
    cell = model.graph.nearest_size((settings.cell_size, settings.cell_size), work.layer)
    most = chosen_grid(settings.grid, settings.samples)
    check_size((most * cell[0], most * cell[1]))
    results = ResultFolder(path, RESULT, _PARTS)

    def run() -> Iterator[StepDone]:
        with results.held():
            about, sample = yield from _sample(work, found, results, overwrite)
            yield StepDone(f"layout by {projection}", 1.0)
            places = lay_out(project(sample.vectors, projection, seed=settings.seed))
            grid = chosen_grid(settings.grid, len(sample.draws))
            cells = make_cells(sample.vectors, places, grid=grid, minimum=settings.cell_minimum)
            notify(
                f"{len(sample.draws)} activations laid out by {_NAMES[projection]}: "
                f"{len(cells.counts)} of {grid}x{grid} cells have enough"
            )
            yield from _draw(work, cells, sample, path, grid, cell, visualize)
            classes = _class_names(work, cells, sample)
            _assemble(path, cells, grid, cell)
            write_text(path / "index.html", atlas_page(about, cells, grid, cell, classes))

    return run()


_NAMES = {"umap": "UMAP", "pca": "their two principal components"}


@dataclass(frozen=True)
class _Work:
    """What is taken from each picture."""

    model: Network
    layer: str
    shape: tuple[int, ...]  # of the layer on one picture
    size: Size  # of the pictures
    each: int  # candidates of each picture
    settings: AtlasSettings

    @classmethod
    def planned(cls, model: Network, layer: str, pictures: int, settings: AtlasSettings) -> "_Work":
        size = shown_size(settings.size, model)
        ((name, shape),) = layer_shapes(model, [layer], size).items()
        positions = int(np.prod(shape[:-1]))
        each = candidates_per_picture(settings.samples, pictures, positions)
        return cls(model, name, shape, size, each, settings)

    def add(
        self, sample: ActivationSample, read: Read, inputs: Sequence[Input]
    ) -> tuple[ActivationSample, list[Unreadable]]:
        """The sample with one more batch, and the pictures that could not be used."""
        batch = self.settings.batch
        array, valid = stacked(read.pictures, self.size, batch)
        numbers = np.full(batch, -1, np.int64)
        numbers[: len(read.numbers)] = read.numbers
        more, counted = sample_batch(
            self.model, array, valid, numbers, layer=self.layer,
            positions=int(np.prod(self.shape[:-1])), each=self.each, seed=self.settings.seed,
        )  # fmt: skip
        failed = [one for one in read.pictures if isinstance(one, Unreadable)]
        failed += [
            Unreadable.of(inputs[number], NOT_FINITE) for number in numbers[valid & ~counted]
        ]
        return merge_samples(sample, more, most=self.settings.samples), failed


def _sample(
    work: _Work, inputs: Sequence[Input], results: ResultFolder, overwrite: bool
) -> Generator[StepDone, None, tuple[About, ActivationSample]]:
    """Read the pictures that have not been read yet; what was kept of them."""
    of_sample = {name: getattr(work.settings, name) for name in ("samples", "batch", "seed")}
    about = About.of(work.model, inputs, [work.layer], work.size, of_sample)
    about, arrays = results.open(about, overwrite=overwrite)
    sample = ActivationSample.empty(work.shape[-1])
    if arrays is not None:
        sample = ActivationSample.from_arrays(arrays)
    if results.is_finished():
        return about, sample

    def add(about: About, sample: ActivationSample, read: Read):
        sample, failed = work.add(sample, read, inputs)
        return about.after(len(read.numbers), failed), sample, failed

    left = range(about.read, about.pictures)
    about, sample = yield from results.go_through(
        about,
        sample,
        read_batches(inputs, left, about.size, batch=work.settings.batch),
        add=add,
        arrays=ActivationSample.arrays,
    )
    results.finish(about, sample.arrays())
    return about, sample


def _draw(
    work: _Work,
    cells: AtlasCells,
    sample: ActivationSample,
    folder: Path,
    grid: int,
    cell: Size,
    visualize: VisualizeSettings,
) -> Iterator[StepDone]:
    """Write the picture of each cell that has none yet, made with these settings."""
    make_folder(folder / _CELLS)
    directions = whitened(cells.means, sample.vectors) if work.settings.whiten else cells.means
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = (directions / np.maximum(lengths, 1e-12)).astype(np.float32)
    paths, records, wanted = {}, {}, []
    for row, column, direction in zip(cells.rows, cells.columns, directions, strict=True):
        number = int(row) * grid + int(column)
        paths[number] = cell_path(folder, row, column)
        digest = hashlib.sha256(direction.tobytes()).hexdigest()
        records[number] = visualize_record(
            work.model, visualize, pictures=[f"{work.layer} direction {digest}, power {_POWER}"],
            size=cell, seed=work.settings.seed,
        )  # fmt: skip
        if not has_record(paths[number], records[number]):
            wanted.append((number, objectives.direction(work.layer, direction, power=_POWER)))
    made = 0
    for share, pictures in visualize_many(
        work.model, wanted, settings=visualize, size=cell, seed=work.settings.seed
    ):
        for number, picture in pictures.items():
            write_image(paths[number], picture.pixels, recipe=records[number])
        made += len(pictures)
        yield StepDone(f"{made}/{len(wanted)} cells", share)
    _remove_others(folder / _CELLS, set(paths.values()))


def cell_path(folder: Path, row: int | np.integer, column: int | np.integer) -> Path:
    """The file of a cell's picture."""
    return folder / _CELLS / f"{row}_{column}.png"


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Delete the cells of another layout."""
    for path in folder.iterdir():
        if path not in kept and re.fullmatch(r"\d+_\d+\.png", path.name) and is_own(path):
            path.unlink()


def _assemble(folder: Path, cells: AtlasCells, grid: int, cell: Size) -> None:
    """Write all cells into one picture."""
    height, width = cell
    picture = np.full((grid * height, grid * width, 3), _BLANK, np.float32)
    for row, column in zip(cells.rows, cells.columns, strict=True):
        part = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        part[:] = read_image(cell_path(folder, row, column))
    write_image(folder / PICTURE, picture, recipe=mark("atlas"))


def _class_names(work: _Work, cells: AtlasCells, sample: ActivationSample) -> list[str] | None:
    """The class that each cell speaks for; None where there are none."""
    average = sample.vectors.mean(axis=0, dtype=np.float64)
    found = nearest_classes(work.model, work.layer, cells.means, average, work.shape)
    if found is None:
        return None
    try:
        classes = classes_of(work.model.graph)
    except JaxdreamError:  # it has classes without names
        return [f"class {index}" for index in found]
    return [classes[index].names[0] for index in found]
