"""Dreams of many pictures on many machines, into a folder or an object store.

The list of pictures is cut into parts, and each part is planned like a run of ``batch``. Which
pictures are dreamed together, and in which slots, depends on the list alone, and not on machines or
on what is still missing: so a run that lost machines ends with the same files as one that did not.
"""

import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from jaxdream.cluster.engine import (
    LOCAL,
    READING_CPUS,
    Workers,
    check_address,
    connected,
    find_workers,
    ray_data,
)
from jaxdream.cluster.entries import (
    Entry,
    as_input,
    checked_entries,
    find_places,
    shard_entries,
)
from jaxdream.cluster.manifest import Row, merge_parts, remembered, write_part
from jaxdream.cluster.optional import imported
from jaxdream.cluster.stages import Dream, Load, PlaceWork, Plan, Planning, Save, Work
from jaxdream.cluster.storage import is_local, local_path, opened_store
from jaxdream.cluster.tries import RemoteTries, Tries
from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import reason
from jaxdream.files.writing import make_folder, remove_temporaries
from jaxdream.folder.inputs import output_names
from jaxdream.folder.run import check_not_written, check_settings, picture_seed
from jaxdream.folder.targets import TargetError
from jaxdream.folder.worker import (
    PictureFile,
    Progress,
    named_mask,
    named_objective,
)
from jaxdream.models.network import Network
from jaxdream.models.precision import resolve_precision
from jaxdream.objectives import Objective
from jaxdream.recipe import provenance
from jaxdream.settings import Compute, DreamSettings, SourceSettings, takes_settings

PART = 4096  # pictures that are planned together
_PART_ROWS, _PART_SECONDS = 5000, 60.0  # of the manifest: when what is new is written
_STARTS = 3  # of the engine without a picture in between, before its error is the user's
_AHEAD = 2  # batches that a worker has or will get at once: so a slow one does not hold many


class _Machine(NamedTuple):
    """What a worker of the cluster says about itself."""

    platform: str  # as JAX names it
    precision: str | None  # what "auto" means there
    budget_bytes: int
    devices: int


class _FromStore:
    """The network and the objective in Ray's object store: each worker takes them once."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def __call__(self) -> tuple[Network, Objective]:
        ray = imported("ray")

        return ray.get(self._reference)


@takes_settings(settings=DreamSettings, source=SourceSettings, compute=Compute)
def dream_places(
    model: Network,
    inputs: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    objective: str | None = None,
    *,
    settings: DreamSettings,
    source: SourceSettings,
    compute: Compute,
    lists: Sequence[str] = (),
    suffix: str | None = None,
    overwrite: bool = False,
    max_batch: int | None = None,
    address: str = LOCAL,
    device: str | None = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[Row]:
    """Dream pictures of any places into another, on a cluster of Ray; gives a row for each.

    What is done already, of the same picture with the same settings, is skipped. A picture that
    cannot be dreamed is a row with a reason. The rows are also the manifest in the output folder,
    ``jaxdream-manifest``. The same call again does what is missing or changed.

    Args:
        model: from ``load_model`` or ``wrap``; every worker gets it from Ray's object store.
        inputs: files, folders and patterns as of ``find_inputs``; or URLs of these that fsspec
            knows, such as ``s3://bucket/photos``; or shards, .tar and .parquet.
        folder: a path that all machines see, or a URL.
        objective: text, as ``parse_objective`` reads it; by default the model's default layer.
        {settings}
        lists: text files with a place on each line.
        suffix: as of ``dream_files``.
        overwrite: as of ``dream_files``.
        max_batch: as of ``dream_files``.
        address: of a Ray cluster, HOST:PORT or "auto"; "local" starts one on this machine. Where
            this process has joined one already, that is used.
        device: "cpu", "gpu" or "tpu", where only that is wanted.
        progress: is kept up to date with what is done.
        notify: is called with a line about what is unusual but stops nothing.

    Yields:
        The row of each picture, in no particular order.

    Raises:
        JaxdreamError: when it is called: a setting is wrong, inputs cannot be used, or Ray is not
            installed. At the first row: there is no cluster, or the output folder cannot be used.
            Later (``TargetError``): nothing more can be written there.
    """
    ray_data()
    check_address(address)
    check_settings(settings, source)
    _check_model(model)
    place = _output_folder(str(folder))
    text = objective or model.default_layer
    found = find_places([str(one) for one in inputs], lists=lists, leave_out=place)
    maximised, named, read = named_objective(text, model, source.guide_size, notify)
    masks, source, named = named_mask(source, named, notify)
    read = (*read, masks.name) if masks and masks.sha256 else read
    work = PlaceWork(
        folder=Path(), settings=settings, source=source, overwrite=overwrite, objective=named,
        provenance=provenance(model), progress=progress or Progress(), place=place,
        masks=None if masks is None else _quiet(masks),
    )  # fmt: skip
    run = _Run(work, model, maximised, compute, max_batch, address, device, notify, read)
    asked = ", ".join(map(str, [*inputs, *lists]))
    return run.rows(*found, asked, suffix)


def _output_folder(folder: str) -> str:
    """The place of the output folder, the same on every machine.

    Raises:
        JaxdreamError: it is the memory of one process, or no store is known for it.
    """
    if is_local(folder):
        return str(local_path(folder))
    if folder.startswith("memory:"):
        raise JaxdreamError(f"{folder} is the memory of one process: name a place that all see")
    opened_store(folder)
    return folder.rstrip("/")


def _check_model(model: Network) -> None:
    """Make sure that a network can go to other machines.

    Raises:
        JaxdreamError: it cannot.
    """
    try:
        imported("ray.cloudpickle").dumps(model)
    except Exception as error:  # of the network's own parts: any type
        raise JaxdreamError(
            f"the network cannot be sent to other machines: {reason(error)}"
        ) from error


def _quiet(masks: Any) -> Any:
    """Masks for other processes, which cannot tell the user of a resize."""
    return replace(masks, notify=_unheard)


def _unheard(_: str) -> None:
    return None


@dataclass
class _Run:
    """One run into one folder."""

    work: PlaceWork
    model: Network
    objective: Objective
    compute: Compute
    max_batch: int | None
    address: str
    device: str | None
    notify: Callable[[str], None]
    read: Sequence[str]  # files of the objective and the mask
    _new: list[Row] = field(default_factory=list)  # rows that are not in the manifest yet
    _written: float = field(default_factory=time.monotonic)

    def rows(
        self, entries: list[Entry], shards: list[str], asked: str, suffix: str | None
    ) -> Iterator[Row]:
        progress, place = self.work.progress, self.work.place
        with ExitStack() as held:
            if is_local(place):
                held.enter_context(folder_lock(make_folder(place) / ".jaxdream.lock"))
            held.enter_context(connected(self.address))
            entries = checked_entries([*entries, *_in_shards(shards)], asked)
            files = self._files(entries, suffix)
            progress.pictures, progress.begun = len(files), time.perf_counter()
            held.callback(setattr, progress, "ended", None)
            held.callback(self._write_new)
            yield from self._until_all_are_done(entries, files)
            self._write_new()
            merge_parts(place)
            progress.ended = time.perf_counter()

    def _files(self, entries: list[Entry], suffix: str | None) -> list[PictureFile]:
        place = self.work.place
        names = output_names([as_input(entry) for entry in entries], place, suffix)
        files = [
            # Messages call a picture by its name: its place may be no path.
            PictureFile(
                as_input(entry)._replace(path=Path(entry.name)),
                name,
                picture_seed(self.work.source.seed, entry.name),
            )
            for entry, name in zip(entries, names, strict=True)
        ]
        if is_local(place):
            check_not_written(self.read, files, Path(place))
            remove_temporaries(Path(place, file.output) for file in files)
        return files

    def _until_all_are_done(self, entries: list[Entry], files: list[PictureFile]) -> Iterator[Row]:
        """The rows of all pictures; what the engine loses it is given again."""
        ray = imported("ray")
        seen: set[str] = set()
        setup, starts = self._set_up(), 0
        while len(seen) < len(entries):
            # Whole parts, since their pictures are planned together.
            first = sorted({n // PART * PART for n, e in enumerate(entries) if e.name not in seen})
            ends = [slice(begin, begin + PART) for begin in first]
            works = [Work(tuple(entries[part]), tuple(files[part])) for part in ends]
            why = "pictures are missing"
            try:
                for row in self._pipeline(setup, works):
                    if row.input not in seen:
                        starts = 0
                        seen.add(row.input)
                        self._note(row)
                        yield row
            except ray.exceptions.RayError as error:
                why = reason(getattr(error, "cause", None) or error)
                if isinstance(error, ray.exceptions.RayTaskError):  # an error of ours, not of Ray
                    raise JaxdreamError(why) from error
            starts += 1
            if starts > _STARTS and len(seen) < len(entries):
                raise JaxdreamError(f"Ray fails, and has done so {_STARTS} times: {why}")

    def _note(self, row: Row) -> None:
        """Count a row, and write what is new when there is enough of it.

        Raises:
            TargetError: nothing more can be written.
        """
        if row.status == "stopped":
            raise TargetError(row.reason)
        self.work.progress.count(row.status)
        if row.status == "dreamed":
            self.work.progress.busy += row.seconds
        if row.status != "skipped" or row.worker:  # else the manifest has it
            self._new.append(row._replace(status="dreamed") if row.status == "skipped" else row)
        late = time.monotonic() - self._written > _PART_SECONDS
        if len(self._new) >= _PART_ROWS or (late and self._new):
            self._write_new()

    def _write_new(self) -> None:
        new, self._new, self._written = self._new, [], time.monotonic()
        write_part(self.work.place, new)

    def _set_up(self) -> "_SetUp":
        """Ask a worker what it is, and decide what all workers do alike."""
        ray = imported("ray")
        workers = find_workers(self.compute, self.device)
        machine = _asked(workers, self.compute)
        model = self.model
        if self.compute.precision == "auto" and machine.precision is not None:
            model = model.with_precision(machine.precision)  # pyright: ignore[reportArgumentType]
        made_with = replace(provenance(model), platform=machine.platform)
        self.work = replace(self.work, provenance=made_with)
        chosen = {
            "max_batch": self.max_batch, "budget_bytes": machine.budget_bytes,
            "device_count": machine.devices, "platform": workers.platform,
        }  # fmt: skip
        change = self.max_batch is not None or self.compute.memory is not None
        chosen = remembered(self.work.place, self.work.key, chosen, change=change)
        network = _FromStore(ray.put((model, self.objective)))
        return _SetUp(workers, Planning(**chosen), network)

    def _pipeline(self, setup: "_SetUp", parts: list[Work]) -> Iterator[Row]:
        """The rows of parts of the list, through Ray Data."""
        ray = imported("ray")

        data = ray_data()
        # It holds what must outlive workers, so it is where this process is.
        here = ray.get_runtime_context().get_node_id()
        strategies = imported("ray.util.scheduling_strategies")
        at_home = strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        actor = ray.remote(Tries).options(num_cpus=0, scheduling_strategy=at_home).remote()
        tries, reading = RemoteTries(actor), {"num_cpus": READING_CPUS}
        workers = setup.workers
        pool = data.ActorPoolStrategy(
            min_size=1, initial_size=workers.now, max_size=None,
            max_tasks_in_flight_per_actor=_AHEAD,
        )  # fmt: skip
        plan = Plan(self.work, setup.planning, setup.network, self.compute)
        dream = (self.work, setup.network, self.compute, tries, workers.platform)
        rows = [{"work": part.dumps()} for part in parts]
        dataset = (
            data.from_items(rows, override_num_blocks=len(rows))
            .flat_map(plan, **reading)
            .repartition(target_num_rows_per_block=1)
            .map(Load(self.work, tries), **reading)
            .map(Dream, fn_constructor_args=dream, compute=pool, **workers.options)
            .map(Save(self.work), **reading)
        )
        for row in dataset.iter_rows():
            yield from pickle.loads(row["rows"])


class _SetUp(NamedTuple):
    workers: Workers
    planning: Planning
    network: _FromStore


def _in_shards(shards: Sequence[str]) -> list[Entry]:
    """The pictures in shards, which the cluster looks into."""
    ray = imported("ray")

    look = ray.remote(num_cpus=READING_CPUS, max_retries=-1)(shard_entries)
    try:
        return [entry for found in ray.get([look.remote(one) for one in shards]) for entry in found]
    except ray.exceptions.RayTaskError as error:
        raise JaxdreamError(reason(error.cause)) from None


def _asked(workers: Workers, compute: Compute) -> _Machine:
    """What a worker of the cluster says about itself.

    Raises:
        JaxdreamError: JAX there does not have the accelerator that Ray gave it.
    """
    ray = imported("ray")

    ask = ray.remote(max_retries=-1, **workers.options)(_about_this_machine)
    try:
        return ray.get(ask.remote(compute, workers.platform))
    except ray.exceptions.RayTaskError as error:
        raise JaxdreamError(
            f"JAX does not compute on the cluster's {workers.platform}: {reason(error.cause)}"
        ) from None


def _about_this_machine(compute: Compute, platform: str) -> _Machine:
    """In a worker: what it has."""
    from jaxdream.cluster.stages import start_worker

    start_worker(platform)
    import jax

    from jaxdream.execution.memory import available
    from jaxdream.execution.sharding import chosen_sharding

    sharding = chosen_sharding(compute.shard)
    budget = available(compute.memory, sharding and sharding.devices)
    precision = None if compute.precision is None else resolve_precision(compute.precision)
    # In whole megabytes, as ``batch`` plans.
    return _Machine(
        jax.default_backend(), precision, max(budget, 0) // 10**6 * 10**6,
        sharding.pictures if sharding else 1,
    )  # fmt: skip
