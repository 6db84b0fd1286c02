"""Examples of units from a folder of pictures, into a folder in which a stopped run can go on."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.arrays import read_arrays
from jaxdream.files.reading import PathLike
from jaxdream.folder.inputs import Input
from jaxdream.models.network import Network
from jaxdream.settings import ExamplesSettings, VisualizeSettings, takes_settings
from jaxdream.units.computing import Computing, Here
from jaxdream.units.drawing import write_visualizations
from jaxdream.units.drawing_parts import Drawing
from jaxdream.units.example_parts import Found
from jaxdream.units.examples import Pass, Statistics, UnitExamples
from jaxdream.units.folder import About, ResultFolder, StepDone, found_inputs
from jaxdream.units.names import Chosen, check_names
from jaxdream.units.pages import write_pages
from jaxdream.units.pictures import Unreadable
from jaxdream.units.sheets import write_sheets
from jaxdream.units.statistics import SHARES, UnitStatistics, merge_statistics
from jaxdream.units.visualizations import FOLDER as VISUALIZATIONS
from jaxdream.units.visualizations import check_of_units, copy_visualizations

RESULT = "examples.npz"
_PARTS = ("index.html", "units", VISUALIZATIONS)
_BEGUN = "begun:"  # before a layer's name: of the part that is not whole


@dataclass(frozen=True)
class FolderExamples:
    """The examples in a folder that ``examples_of_files`` wrote.

    Attributes:
        layers: the examples of each layer, by its own name.
        names: of the pictures that are examples, by their numbers.
        about: what they were made of.
    """

    layers: dict[str, UnitExamples]
    names: dict[int, str]
    about: About


def read_examples(folder: PathLike) -> FolderExamples:
    """The examples in a folder that ``examples_of_files`` wrote.

    Raises:
        JaxdreamError: there are none, or the file is damaged.
    """
    about, arrays = read_arrays(Path(folder) / RESULT, About)
    layers = {}
    try:
        for name in about.layers:
            of_layer = _of_layer(arrays, name)
            of_layer["comoments"] = of_layer["covariance"] * max(int(of_layer["count"]), 1)
            statistics = UnitStatistics.from_arrays(of_layer)
            layers[name] = UnitExamples(name, statistics, of_layer["boxes"])
        numbers, names = arrays["picture_numbers"].tolist(), arrays["picture_names"].tolist()
    except KeyError as error:
        raise JaxdreamError(f"{Path(folder) / RESULT} is damaged: it has no {error}") from None
    return FolderExamples(layers, dict(zip(numbers, names, strict=True)), about)


@takes_settings(settings=ExamplesSettings)
def examples_of_files(
    model: Network,
    inputs: Sequence[str | os.PathLike[str] | Input],
    folder: PathLike,
    layers: str | Sequence[str],
    *,
    settings: ExamplesSettings,
    channels: Sequence[int] | None = None,
    visualize: VisualizeSettings | None = None,
    visualizations: PathLike | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Iterator[StepDone]:
    """Find the pictures of a folder that excite each unit of some layers most, and show them.

    Writes ``examples.npz`` (``read_examples``), ``units/LAYER_CHANNEL.png`` with the receptive
    fields of each unit's examples, and ``index.html`` with a page for each unit. Closed,
    interrupted or failed, the run keeps what is computed; the same call goes on from there.

    Args:
        model: from ``load_model`` or ``wrap``.
        inputs: as of ``find_inputs``, or what that gave.
        folder: where the results go.
        layers: a name or alias, or several.
        {settings}
        channels: whose sheets and pages to make; by default all. The statistics have all.
        visualize: make a visualisation of each of these channels as well, in this way.
        visualizations: a folder with visualisations that ``jaxdream visualize`` made, to be shown.
        seed: of the visualisations.
        overwrite: start again from the first picture, and replace what the folder has.

    Yields:
        How far it is, after every batch of pictures and of units.

    Raises:
        JaxdreamError: an unknown layer or channel, a setting of visualisations that is for several
            of one thing or for a photograph, pictures that cannot be found, or a folder that
            holds something else or cannot be written into.
    """
    plan = ExamplesPlan.checked(
        model, inputs, folder, layers,
        settings=settings, channels=channels, visualize=visualize, visualizations=visualizations,
        seed=seed, overwrite=overwrite,
    )  # fmt: skip
    return plan.run(Here(model))


@dataclass(frozen=True)
class ExamplesPlan:
    """What ``examples_of_files`` is asked for, and checked."""

    work: Pass
    inputs: Sequence[Input]
    folder: Path
    chosen: Chosen
    visualize: VisualizeSettings | None
    visualizations: PathLike | None
    seed: int
    overwrite: bool

    @classmethod
    def checked(
        cls,
        model: Network,
        inputs: Sequence[str | os.PathLike[str] | Input],
        folder: PathLike,
        layers: str | Sequence[str],
        *,
        settings: ExamplesSettings,
        channels: Sequence[int] | None,
        visualize: VisualizeSettings | None,
        visualizations: PathLike | None,
        seed: int,
        overwrite: bool,
    ) -> "ExamplesPlan":
        """Args and errors are those of ``examples_of_files``."""
        path = Path(folder)
        found = found_inputs(inputs, path)
        work = Pass.planned(model, layers, settings)
        if visualize is not None:
            check_of_units(visualize)
        check_names(list(work.shapes))
        chosen = {name: _checked(channels, name, shape[-1]) for name, shape in work.shapes.items()}
        return cls(work, found, path, chosen, visualize, visualizations, seed, overwrite)

    def run(self, computing: Computing) -> Iterator[StepDone]:
        """Find and show the examples, as far as they are missing."""
        path, chosen, model = self.folder, self.chosen, computing.model
        work = replace(self.work, model=model)
        results = ResultFolder(path, RESULT, _PARTS)
        with results.held():
            yield from _find(work, self.inputs, results, computing, self.overwrite)
            examples = read_examples(path)
            yield from write_sheets(examples.layers, chosen, self.inputs, work.size, path)
            if self.visualizations is not None:
                copy_visualizations(model, Path(self.visualizations), chosen, path)
            if self.visualize is not None:
                drawing = Drawing(self.visualize, work.size, self.seed, computing.made_with)
                yield from write_visualizations(computing, chosen, path / VISUALIZATIONS, drawing)
            yield from write_pages(examples.layers, examples.names, examples.about, chosen, path)


def _checked(channels: Sequence[int] | None, layer: str, count: int) -> list[int]:
    if channels is None:
        return list(range(count))
    for channel in channels:
        if not 0 <= channel < count:
            raise JaxdreamError(f"channel {channel} of {layer}: it has channels 0 to {count - 1}")
    return list(dict.fromkeys(channels))


class _Totals(NamedTuple):
    """What is known after some pictures: ``example_parts`` says which of them are a part."""

    whole: Statistics  # of the parts that are whole
    begun: Statistics | None  # of the part that is not


def _find(
    work: Pass,
    inputs: Sequence[Input],
    results: ResultFolder,
    computing: Computing,
    overwrite: bool,
) -> Iterator[StepDone]:
    """Read the pictures that have not been read yet."""
    about = About.of(work.model, inputs, list(work.shapes), work.size, work.settings.recorded())
    about, arrays = results.open(about, overwrite=overwrite)
    if results.is_finished():
        return
    totals = _Totals(work.start(), None) if arrays is None else _totals(arrays, work)
    about, totals = yield from results.go_through(
        about,
        totals,
        computing.found(work, inputs, about.read, totals.begun),
        add=_added,
        arrays=_raw,
    )
    results.finish(about, _arrays(work.results(totals.whole), inputs))


def _added(
    about: About, totals: _Totals, found: Found
) -> tuple[About, _Totals, Sequence[Unreadable]]:
    """How far it is and what is known with some further pictures."""
    about = about.after(found.read, found.failed)
    if not found.whole:
        return about, _Totals(totals.whole, found.states), found.failed
    merged = {
        name: merge_statistics(whole, found.states[name]) for name, whole in totals.whole.items()
    }
    return about, _Totals(merged, None), found.failed


def _raw(totals: _Totals) -> dict[str, np.ndarray]:
    """What is known, as a file holds it."""
    named = totals.whole | {_BEGUN + name: s for name, s in (totals.begun or {}).items()}
    return {
        f"{name}/{key}": array for name, s in named.items() for key, array in s.arrays().items()
    }


def _of_layer(arrays: Mapping[str, np.ndarray], layer: str) -> dict[str, np.ndarray]:
    start = f"{layer}/"
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }


def _totals(arrays: Mapping[str, np.ndarray], work: Pass) -> _Totals:
    """What ``_raw`` gave."""

    def read(start: str) -> Statistics:
        return {
            name: UnitStatistics.from_arrays(_of_layer(arrays, start + name))
            for name in work.shapes
        }

    has_begun = any(name.startswith(_BEGUN) for name in arrays)
    return _Totals(read(""), read(_BEGUN) if has_begun else None)


def _arrays(examples: Mapping[str, UnitExamples], inputs: Sequence[Input]) -> dict[str, np.ndarray]:
    """What ``examples.npz`` holds."""
    arrays: dict[str, np.ndarray] = {}
    shown: set[int] = set()
    for name, one in examples.items():
        s = one.statistics
        of_layer = s.arrays() | {
            "boxes": one.boxes,
            "covariance": s.covariance,
            "deviation": s.deviation,
            "zero_share": s.zero_share,
            "quantiles": s.quantiles(),
            "quantile_shares": np.array(SHARES),
        }
        del of_layer["comoments"]  # the covariance times the count
        arrays |= {f"{name}/{key}": array for key, array in of_layer.items()}
        shown.update(s.top_pictures[s.top_pictures >= 0].tolist())
    numbers = sorted(shown)
    arrays["picture_numbers"] = np.array(numbers, np.int64)
    arrays["picture_names"] = np.array([inputs[i].relative_path for i in numbers], dtype=np.str_)
    return arrays
