"""Examples and pictures of units, computed by the workers of a cluster.

A run is that of one machine, ``jaxdream.units``, but for who computes its parts. Workers read the
pictures and write those that they draw; this process merges statistics, keeps the journal or the
checkpoint, and makes sheets and pages.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from jaxdream.cluster.engine import LOCAL, check_address, connected, ray_data
from jaxdream.cluster.machines import check_network, made_by_workers
from jaxdream.cluster.pool import Pool
from jaxdream.cluster.storage import is_local, local_path
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable
from jaxdream.folder.inputs import Input
from jaxdream.folder.journal import JournalEntry
from jaxdream.models.network import Network
from jaxdream.recipe import Provenance
from jaxdream.settings import Compute, ExamplesSettings, VisualizeSettings, takes_settings
from jaxdream.types import Size
from jaxdream.units.drawing import UnitsPlan
from jaxdream.units.drawing_parts import Drawing, Note, UnitsPart, Write, draw_part
from jaxdream.units.example_files import ExamplesPlan
from jaxdream.units.example_parts import ExamplesPart, Found, find_in, parts_of, read_part
from jaxdream.units.examples import Pass, Statistics
from jaxdream.units.folder import StepDone
from jaxdream.units.pictures import Unreadable

_Made = list[tuple[str, JournalEntry]]


@takes_settings(settings=ExamplesSettings, compute=Compute)
def examples_of_files(
    model: Network,
    inputs: Sequence[str | os.PathLike[str] | Input],
    folder: PathLike,
    layers: str | Sequence[str],
    *,
    settings: ExamplesSettings,
    compute: Compute,
    channels: Sequence[int] | None = None,
    visualize: VisualizeSettings | None = None,
    visualizations: PathLike | None = None,
    seed: int = 0,
    overwrite: bool = False,
    address: str = LOCAL,
    device: str | None = None,
) -> Iterator[StepDone]:
    """Find the pictures of a folder that excite each unit of some layers most, on a cluster of Ray.

    What comes out is what ``jaxdream.examples_of_files`` writes, and each of the two goes on where
    the other was stopped. Workers have parts of at most 512 pictures, whose statistics are merged
    in their order; what they have begun when the run is stopped is lost. Of ``compute`` only the
    precision counts: "auto" is what workers mean by it.

    Args:
        model: from ``load_model`` or ``wrap``; every worker gets it from Ray's object store.
        inputs: as of ``find_inputs``, or what that gave: files that all machines see.
        folder: where the results go; all machines see it.
        layers: a name or alias, or several.
        {settings}
        channels, visualize, visualizations, seed, overwrite: as of ``jaxdream.examples_of_files``.
        address: of a Ray cluster, HOST:PORT or "auto"; "local" starts one on this machine. Where
            this process has joined one already, that is used.
        device: "cpu", "gpu" or "tpu", where only that is wanted.

    Yields:
        How far it is, after every part.

    Raises:
        JaxdreamError: when it is called: as ``jaxdream.examples_of_files``, a URL is among the
            inputs or is the folder, or Ray is not installed. Later: there is no cluster, or a part
            has ended its worker three times.
    """
    _check(address, model, folder)
    for one in inputs:
        if not isinstance(one, Input):
            check_local(one)
    plan = ExamplesPlan.checked(
        model, inputs, local_path(str(folder)), layers,
        settings=settings, channels=channels, visualize=visualize, visualizations=visualizations,
        seed=seed, overwrite=overwrite,
    )  # fmt: skip
    return _steps(plan.run, model, compute, address, device)


@takes_settings(settings=VisualizeSettings, compute=Compute)
def visualize_units(
    seed: int,
    model: Network,
    folder: PathLike,
    layers: Sequence[str],
    *,
    settings: VisualizeSettings,
    compute: Compute,
    size: int | Size | None = None,
    overwrite: bool = False,
    notify: Callable[[str], None] = lambda _: None,
    address: str = LOCAL,
    device: str | None = None,
) -> Iterator[StepDone]:
    """Make a picture of every channel of layers into a folder, on a cluster of Ray.

    What comes out is what ``jaxdream.visualize_units`` writes, byte for byte on the same kind of
    processor, and each of the two goes on where the other was stopped. A worker draws a batch at a
    time, and writes its pictures and their parameters. Of ``compute`` only the precision counts.

    Args:
        seed, layers, size, overwrite, notify: as of ``jaxdream.visualize_units``.
        model: from ``load_model`` or ``wrap``; every worker gets it from Ray's object store.
        folder: all machines see it.
        {settings}
        address, device: as of ``examples_of_files`` here.

    Yields:
        How far it is, after every batch and every sheet.

    Raises:
        JaxdreamError: when it is called: as ``jaxdream.visualize_units``, the folder is a URL, or
            Ray is not installed. Later: there is no cluster, or a batch has ended its worker three
            times.
    """
    _check(address, model, folder)
    plan = UnitsPlan.checked(
        model, local_path(str(folder)), layers,
        settings=settings, size=size, seed=seed, overwrite=overwrite, notify=notify,
    )  # fmt: skip
    return _steps(plan.run, model, compute, address, device)


def _check(address: str, model: Network, folder: PathLike) -> None:
    ray_data()
    check_address(address)
    check_network(model)
    check_local(folder)


def check_local(place: str | os.PathLike[str]) -> None:
    """Make sure that a place is no URL.

    Raises:
        JaxdreamError: it is one.
    """
    if not is_local(str(place)):
        raise JaxdreamError(
            f"{printable(str(place))} is a URL: what is made of units is read and written in "
            "folders that all machines see"
        )


def _steps(
    run: Callable[["OnWorkers"], Iterator[StepDone]],
    model: Network,
    compute: Compute,
    address: str,
    device: str | None,
) -> Iterator[StepDone]:
    """The steps of a run whose parts are computed by a cluster."""
    compute = compute.replace(shard=None)  # a part is one accelerator's
    with connected(address), closing(Pool(model, compute, device)) as pool:
        yield from run(OnWorkers(pool))


class OnWorkers:
    """The workers of a cluster, as those who compute the parts of a run."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self.model = pool, pool.model
        self.made_with: Provenance = made_by_workers(pool.model, pool.platform)

    def found(
        self, work: Pass, inputs: Sequence[Input], first: int, begun: Statistics | None
    ) -> Generator[Found, None, None]:
        left = parts_of(inputs, first, begun, batch=work.settings.batch)
        # Workers have other current folders.
        parts = (part._replace(inputs=list(map(_absolute, part.inputs))) for part in left)
        function = partial(_found, work.shapes, work.size, work.settings)
        label = ExamplesPart.label
        for part, found in self._pool.each(function, parts, label=label, in_order=True):
            given = inputs[part.first : part.first + len(part.inputs)]
            yield found._replace(failed=_as_given(found.failed, given))

    def drawn(
        self, parts: Sequence[UnitsPart], drawing: Drawing, write: Write, note: Note
    ) -> Iterator[tuple[UnitsPart, float]]:
        function = partial(_drawn, drawing, write)
        for part, made in self._pool.each(function, parts, label=UnitsPart.label):
            for name, entry in made:
                note(name, entry)
            yield part, 1.0


def _absolute(one: Input) -> Input:
    return one._replace(path=Path(os.path.abspath(one.path)))


def _as_given(failed: Sequence[Unreadable], inputs: Sequence[Input]) -> list[Unreadable]:
    """Pictures that workers could not use, with the paths that they have here."""
    by_name = {one.relative_path: one for one in inputs} if failed else {}
    told = []
    for name, reason in failed:
        one = by_name[name]
        there, here = printable(_absolute(one).path), printable(one.path)
        told.append(Unreadable(name, reason.replace(there, here)))
    return told


def _found(
    shapes: dict[str, tuple[int, ...]],
    size: Size,
    settings: ExamplesSettings,
    model: Network,
    part: ExamplesPart,
) -> Found:
    """In a worker: what came of all pictures of a part."""
    work = Pass(model, shapes, size, settings)
    read, failed, states = 0, [], work.start()
    with closing(read_part(work, part)) as batches:
        for found in find_in(work, part, batches):
            read, failed, states = read + found.read, [*failed, *found.failed], found.states
    return Found(read, failed, states, whole=True)


def _drawn(drawing: Drawing, write: Write, model: Network, part: UnitsPart) -> _Made:
    """In a worker: draw a part and write its pictures; what a journal is to know of them."""
    made: _Made = []
    for _ in draw_part(model, part, drawing, write, lambda name, entry: made.append((name, entry))):
        pass
    return made
