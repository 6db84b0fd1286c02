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
    Workers,
    check_address,
    connected,
    find_workers,
    ray_data,
)
from jaxdream.cluster.entries import iterate_places
from jaxdream.cluster.gathering import Gathering
from jaxdream.cluster.listing import Listing, PartsOf, RemoteParts, Seen, add_apart, add_shards
from jaxdream.cluster.machines import (
    FromStore,
    ask_machine,
    check_network,
    made_by_workers,
    network_for,
)
from jaxdream.cluster.manifest import Row, known_parts, merge_parts, remembered, write_part
from jaxdream.cluster.optional import imported
from jaxdream.cluster.shards import check_kind, check_not_given, shard_beyond, shard_files
from jaxdream.cluster.stages import Dream, Load, Plan, Save
from jaxdream.cluster.storage import is_local, joined, local_path, opened_store, remove_folder
from jaxdream.cluster.tries import RemoteTries, Tries
from jaxdream.cluster.work import UNFINISHED, PlaceWork, Planning
from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import reason
from jaxdream.files.writing import make_folder, remove_temporaries
from jaxdream.folder.run import check_not_written, check_settings
from jaxdream.folder.targets import TargetError
from jaxdream.folder.worker import Progress, named_mask, named_objective
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.recipe import provenance
from jaxdream.settings import Compute, DreamSettings, SourceSettings, takes_settings

_PART_ROWS, _PART_SECONDS = 5000, 60.0  # of the manifest: when what is new is written
_STARTS = 3  # of the engine without a picture in between, before its error is the user's
_AHEAD = 2  # batches that a worker has or will get at once: so a slow one does not hold many


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
    shards: str | None = None,
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
        shards: "tar" or "parquet", to write dreams into files of this kind, 512 in each; by default
            each is a file. A dream that a row names is there when the run has ended.
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
    check_kind(shards)
    check_network(model)
    place = _output_folder(str(folder))
    text = objective or model.default_layer
    listing = Listing(suffix)
    found = iterate_places([str(one) for one in inputs], lists=lists, leave_out=place)
    given = add_apart(listing, found)
    maximised, named, read = named_objective(text, model, source.guide_size, notify)
    masks, source, named = named_mask(source, named, notify)
    read = (*read, masks.name) if masks and masks.sha256 else read
    work = PlaceWork(
        folder=Path(), settings=settings, source=source, overwrite=overwrite, objective=named,
        provenance=provenance(model), progress=progress or Progress(), place=place,
        masks=None if masks is None else _quiet(masks), shards=shards,
    )  # fmt: skip
    run = _Run(work, model, maximised, compute, max_batch, address, device, notify, read, listing)
    return run.rows(given, ", ".join(map(str, [*inputs, *lists])))


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
    listing: Listing
    _new: list[Row] = field(default_factory=list)  # rows that are not in the manifest yet
    _written: float = field(default_factory=time.monotonic)

    def rows(self, given: list[str], asked: str) -> Iterator[Row]:
        progress, place, listing = self.work.progress, self.work.place, self.listing
        with ExitStack() as held:
            held.callback(listing.close)
            if is_local(place):
                held.enter_context(folder_lock(make_folder(place) / ".jaxdream.lock"))
            held.enter_context(connected(self.address))
            reading = find_workers(self.compute, self.device).reading_cpus
            add_shards(listing, given, reading)
            listing.check(asked, self.work.files_place)
            if self.work.shards is not None:
                check_not_given(self.work, listing.count, given)
            if is_local(place):
                self._check_folder(Path(place))
            progress.pictures, progress.begun = listing.count, time.perf_counter()
            held.callback(setattr, progress, "ended", None)
            held.callback(self._write_new)
            merge_parts(place)  # of a run that was killed
            gathering = Gathering(self.work, reading)
            held.callback(gathering.stop)
            yield from self._until_all_are_done(gathering)
            gathering.finish()
            self._write_new()
            merge_parts(place)
            if self.work.shards is not None:
                self._end_shards()
            progress.ended = time.perf_counter()

    def _check_folder(self, folder: Path) -> None:
        check_not_written(self.read, self._outputs(), folder)
        remove_temporaries(folder / output for output in self._outputs())

    def _outputs(self) -> Iterator[str]:
        """The names of all files that are written."""
        if self.work.shards is None:
            return self.listing.outputs()
        return shard_files(self.work.shards, self.listing.count)

    def _end_shards(self) -> None:
        """Delete what is in none; and say which are of a longer list."""
        place = self.work.place
        remove_folder(joined(place, UNFINISHED))
        if (more := shard_beyond(self.work, self.listing.count)) is not None:
            self.notify(f"{more} and those after it are of a longer list, and not of this run")

    def _until_all_are_done(self, gathering: Gathering) -> Iterator[Row]:
        """The rows of all pictures; what the engine loses it is given again."""
        ray = imported("ray")
        seen, setup, starts = Seen(self.listing), self._set_up(), 0
        while missing := seen.missing():  # whole parts, since their pictures are planned together
            why = "pictures are missing"
            try:
                for part, rows in self._pipeline(setup, missing):
                    for row in rows:
                        if seen.add(part, row.input):
                            starts = 0
                            self._note(row)
                            gathering.add(part, row, whole=seen.is_whole(part))
                            yield row
            except ray.exceptions.RayError as error:
                why = reason(getattr(error, "cause", None) or error)
                if isinstance(error, ray.exceptions.RayTaskError):  # an error of ours, not of Ray
                    raise JaxdreamError(why) from error
            starts += 1
            if starts > _STARTS and seen.missing():
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
        machine = ask_machine(workers, self.compute)
        model = network_for(machine, self.model, self.compute)
        made_with = made_by_workers(model, machine.platform)
        self.work = replace(self.work, provenance=made_with)
        chosen = {
            "max_batch": self.max_batch, "budget_bytes": machine.budget_bytes,
            "device_count": machine.devices, "platform": workers.platform,
        }  # fmt: skip
        change = self.max_batch is not None or self.compute.memory is not None
        chosen = remembered(self.work.place, self.work.key, chosen, change=change)
        network = FromStore(ray.put((model, self.objective)))
        return _SetUp(workers, Planning(**chosen), network)

    def _pipeline(self, setup: "_SetUp", missing: list[int]) -> Iterator[tuple[int, list[Row]]]:
        """Rows of parts of the list, with the part's number, through Ray Data."""
        data, workers = ray_data(), setup.workers
        home = _home(self.listing)
        tries, parts = RemoteTries(home), RemoteParts(home)
        reading = {"num_cpus": workers.reading_cpus}
        pool = data.ActorPoolStrategy(
            min_size=1, initial_size=workers.now, max_size=None,
            max_tasks_in_flight_per_actor=_AHEAD,
        )  # fmt: skip
        # What this run itself adds to the manifest is of pictures that it does not plan again; or
        # their dreams are known without it.
        known = known_parts(self.work.place)
        plan = Plan(self.work, setup.planning, parts, known, setup.network, self.compute)
        dream = (self.work, setup.network, self.compute, tries, workers.platform)
        numbers = [{"part": number} for number in missing]
        begun = data.from_items(numbers, override_num_blocks=len(numbers))
        # Every batch of pictures is a block of its own. (``repartition`` would do this in tasks
        # that take a whole processor, for which a machine of one has no room.)
        begun.context.target_max_block_size = 1
        dataset = (
            # With another need, so that pictures are not loaded in the task that plans.
            begun.flat_map(plan, num_cpus=workers.reading_cpus / 2)
            .map(Load(self.work, tries), **reading)
            .map(Dream, fn_constructor_args=dream, compute=pool, **workers.options)
            .map(Save(self.work), **reading)
        )
        try:
            for row in dataset.iter_rows():
                yield pickle.loads(row["rows"])
        finally:
            imported("ray").kill(home)  # which the dataset would keep


class _SetUp(NamedTuple):
    workers: Workers
    planning: Planning
    network: FromStore[tuple[Network, Objective]]


class _Home(Tries, PartsOf):
    """What outlives workers, in one process."""

    def __init__(self, path: str, size: int) -> None:
        Tries.__init__(self)
        PartsOf.__init__(self, path, size)


def _home(listing: Listing) -> Any:
    """An actor of Ray on this machine, where the list of the run is."""
    ray = imported("ray")

    here = ray.get_runtime_context().get_node_id()
    strategies = imported("ray.util.scheduling_strategies")
    at_home = strategies.NodeAffinitySchedulingStrategy(here, soft=False)
    actor = ray.remote(_Home).options(num_cpus=0, scheduling_strategy=at_home)
    return actor.remote(str(listing.path), listing.size)
