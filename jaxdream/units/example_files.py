"""Examples of units from a folder of pictures, into a folder in which a stopped run can go on."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.arrays import read_arrays
from jaxdream.files.reading import PathLike
from jaxdream.folder.inputs import Input
from jaxdream.models.network import Network
from jaxdream.settings import ExamplesSettings, VisualizeSettings, takes_settings
from jaxdream.units.examples import Pass, Statistics, UnitExamples
from jaxdream.units.folder import About, ResultFolder, StepDone, found_inputs
from jaxdream.units.names import check_names
from jaxdream.units.pages import write_pages
from jaxdream.units.pictures import NOT_FINITE, Read, Unreadable
from jaxdream.units.sheets import write_sheets
from jaxdream.units.statistics import SHARES, UnitStatistics
from jaxdream.units.visualizations import (
    check_of_units,
    copy_visualizations,
    write_visualizations,
)

RESULT = "examples.npz"
_PARTS = ("index.html", "units", "visualizations")


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
    path = Path(folder)
    found = found_inputs(inputs, path)
    work = Pass.planned(model, layers, settings)
    if visualize is not None:
        check_of_units(visualize)
    check_names(list(work.shapes))
    chosen = {name: _checked(channels, name, shape[-1]) for name, shape in work.shapes.items()}
    results = ResultFolder(path, RESULT, _PARTS)

    def run() -> Iterator[StepDone]:
        with results.held():
            yield from _find(work, found, results, overwrite)
            examples = read_examples(path)
            yield from write_sheets(examples.layers, chosen, found, work.size, path)
            if visualizations is not None:
                copy_visualizations(model, Path(visualizations), chosen, path)
            if visualize is not None:
                yield from write_visualizations(
                    model, chosen, path, settings=visualize, size=work.size, seed=seed
                )
            yield from write_pages(examples.layers, examples.names, examples.about, chosen, path)

    return run()


def _checked(channels: Sequence[int] | None, layer: str, count: int) -> list[int]:
    if channels is None:
        return list(range(count))
    for channel in channels:
        if not 0 <= channel < count:
            raise JaxdreamError(f"channel {channel} of {layer}: it has channels 0 to {count - 1}")
    return list(dict.fromkeys(channels))


def _find(
    work: Pass, inputs: Sequence[Input], results: ResultFolder, overwrite: bool
) -> Iterator[StepDone]:
    """Read the pictures that have not been read yet."""
    about = About.of(work.model, inputs, list(work.shapes), work.size, work.settings.recorded())
    about, arrays = results.open(about, overwrite=overwrite)
    if results.is_finished():
        return
    about, states = yield from results.go_through(
        inputs,
        about,
        work.start() if arrays is None else _states(arrays, work),
        add=lambda states, read: _added(work, states, read, inputs),
        arrays=_raw,
        batch=work.settings.batch,
    )
    results.finish(about, _arrays(work.results(states), inputs))


def _added(
    work: Pass, states: Statistics, read: Read, inputs: Sequence[Input]
) -> tuple[Statistics, list[Unreadable]]:
    """The statistics with one more batch, and which of its pictures could not be used."""
    failed = [one for one in read.pictures if isinstance(one, Unreadable)]
    states, refused = work.add(states, read.pictures, read.numbers)
    failed += [Unreadable.of(inputs[number], NOT_FINITE) for number in refused]
    return states, failed


def _raw(states: Statistics) -> dict[str, np.ndarray]:
    return {
        f"{name}/{key}": array for name, s in states.items() for key, array in s.arrays().items()
    }


def _of_layer(arrays: Mapping[str, np.ndarray], layer: str) -> dict[str, np.ndarray]:
    start = f"{layer}/"
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }


def _states(arrays: Mapping[str, np.ndarray], work: Pass) -> Statistics:
    return {name: UnitStatistics.from_arrays(_of_layer(arrays, name)) for name in work.shapes}


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
