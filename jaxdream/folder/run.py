"""Dreams of many picture files, into a folder in which a stopped run can go on.

Pictures are decoded in threads ahead of the device, and encoded in threads behind it. Which are
dreamed together, and in which slots of a batch, depends on all the pictures that are given and not
on those that are still missing, so that a run that was killed ends with the same files as one that
was not.
"""

import hashlib
import os
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from jaxdream.algorithm.octaves import fewer_octaves, sizes_for
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.batches import plan_batches
from jaxdream.errors import JaxdreamError
from jaxdream.execution.compiling import compiled_programs
from jaxdream.execution.memory import available
from jaxdream.execution.sharding import Sharding, chosen_sharding
from jaxdream.files.writing import make_folder, remove_temporaries
from jaxdream.folder.inputs import Input, find_inputs, output_names, real_path
from jaxdream.folder.journal import Journal, open_journal
from jaxdream.folder.pipeline import Job, Pipeline, Watch
from jaxdream.folder.worker import (
    FileResult,
    FileWork,
    PictureFile,
    Progress,
    named_mask,
    named_objective,
)
from jaxdream.images.pixels import parse_size
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.recipe import provenance
from jaxdream.settings import Compute, DreamSettings, SourceSettings, takes_settings

_READERS = 8  # threads that read headers
_MEGABYTE = 10**6


def picture_seed(seed: int, relative_path: str) -> int:
    """The seed of one picture among many, 0 to 2**32 - 1.

    It depends on the picture's path alone, so that neither order nor company matter; dreamed alone
    with ``jax.random.key`` of it, or by ``jaxdream dream --seed``, a picture is the same.

    Args:
        seed: of all of them.
        relative_path: of the file, with slashes.
    """
    # One path, however its accents are written: file systems differ in that.
    path = unicodedata.normalize("NFC", relative_path)
    text = f"{seed}/{path}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


@takes_settings(settings=DreamSettings, source=SourceSettings, compute=Compute)
def dream_files(
    model: Network,
    inputs: Sequence[str | os.PathLike[str] | Input],
    folder: str | os.PathLike[str],
    objective: str | None = None,
    *,
    settings: DreamSettings,
    source: SourceSettings,
    compute: Compute,
    suffix: str | None = None,
    overwrite: bool = False,
    max_batch: int | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[FileResult]:
    """Dream picture files into a folder; gives each one's result as soon as it is written.

    Files that the folder's journal knows to be done already, from the same input with the same
    settings, are skipped. A picture that cannot be dreamed is a result with an error. The device
    works when the next result is asked for. Closed, interrupted or failed, the run keeps what is
    computed; the same call goes on from there.

    Args:
        model: from ``load_model`` or ``wrap``.
        inputs: as of ``find_inputs``, or what that gave.
        folder: where the dreams go, under their pictures' names (``output_names``).
        objective: text, as ``parse_objective`` reads it; by default the model's default layer.
        {settings}
        suffix: of all dreams, such as ".png"; by default as ``output_names`` says.
        overwrite: dream all again, and replace files that the journal does not know.
        max_batch: most pictures to dream together; by default as many as fit into the memory.
        progress: is kept up to date with what is done.
        watch: is called after every state of a batch, with its pictures by their slots.
        notify: is called with a line about what is unusual but stops nothing.

    Yields:
        The result of each picture, in no particular order.

    Raises:
        JaxdreamError: when it is called: a setting is wrong, or inputs cannot be used. At the
            first result: the journal cannot be used, or another run is writing into the folder.
            Later: nothing more can be written there.
    """
    folder = Path(folder)
    check_settings(settings, source)
    files = _files(inputs, folder, source.seed, suffix)
    text = objective or model.default_layer
    maximised, named, read = named_objective(text, model, source.guide_size, notify)
    masks, source, named = named_mask(source, named, notify)
    read = (*read, masks.name) if masks and masks.sha256 else read
    check_not_written(read, (file.output for file in files), folder)
    sharding = chosen_sharding(compute.shard)
    if sharding is not None:
        model, maximised = sharding.replicate((model, maximised))
    work = FileWork(
        folder=folder, settings=settings, source=source, overwrite=overwrite,
        objective=named, provenance=provenance(model), progress=progress or Progress(),
        masks=masks,
    )  # fmt: skip
    run = _Run(work, model, maximised, compute, sharding, watch, notify)
    return run.results(files, max_batch)


def check_settings(settings: DreamSettings, source: SourceSettings) -> None:
    """Make sure of what would otherwise be an error of every picture.

    Raises:
        JaxdreamError: settings do not go together, no optimiser has the name, or no size the text.
    """
    source.check_with(settings)
    StepRule.of(settings)  # which checks the optimiser's name
    if source.size is not None:
        parse_size(source.size, 1, 10**6)


def plan_jobs(
    work: FileWork,
    files: Sequence[PictureFile],
    model: Network,
    objective: Objective,
    compute: Compute,
    *,
    max_batch: int | None = None,
    device_count: int = 1,
    budget_bytes: int | None = None,
    platform: str | None = None,
) -> tuple[list[Job], list[tuple[PictureFile, JaxdreamError]]]:
    """Batches of files, and files that cannot be dreamed.

    Args:
        work: of the run.
        objective: checked for the model already.
        max_batch, device_count, budget_bytes, platform: as of ``plan_batches``.
    """

    def sized(file: PictureFile) -> tuple[int, int] | JaxdreamError:
        try:
            size = work.planned_size(file)
            sizes_for(model, objective, size, work.settings)  # which checks it
        except JaxdreamError as error:
            return error
        return size

    with ThreadPoolExecutor(_READERS) as readers:
        sizes = list(readers.map(sized, files))
    found = list(zip(files, sizes, strict=True))
    usable = [(file, size) for file, size in found if not isinstance(size, JaxdreamError)]
    unusable = [(file, error) for file, error in found if isinstance(error, JaxdreamError)]
    if not usable:
        return [], unusable
    batches = plan_batches(
        [size for _, size in usable],
        model=model,
        objective=objective,
        settings=work.settings,
        compute=compute,
        max_batch=max_batch,
        device_count=device_count,
        budget_bytes=budget_bytes,
        platform=platform,
    )
    jobs = []
    for batch in batches:
        chosen, their_sizes = zip(*(usable[index] for index in batch.pictures), strict=True)
        jobs.append(Job(batch, chosen, their_sizes))
    return jobs, unusable


def octave_notice(
    jobs: Sequence[Job], model: Network, objective: Objective, settings: DreamSettings
) -> str:
    """The line about pictures that are too small for all octaves; empty if there are none."""
    octaves = settings.octaves
    few = [job for job in jobs if len(job.batch.shapes) < octaves]
    if not few or settings.smallest is not None:
        return ""
    planned = min(len(job.batch.shapes) for job in few)
    line = fewer_octaves(planned, octaves, objective.minimum_size(model.graph))
    count = sum(len(job.files) for job in few)
    return line if count == sum(len(job.files) for job in jobs) else f"{count} pictures: {line}"


class _Plan(NamedTuple):
    """What the plan of a run depends on, beside the pictures; recorded for a run that goes on."""

    max_batch: int | None
    budget_bytes: int  # memory for a batch, on each device
    device_count: int  # that share the pictures of a batch


@dataclass(frozen=True)
class _Run:
    """One run into a folder."""

    work: FileWork
    model: Network
    objective: Objective
    compute: Compute
    sharding: Sharding | None
    watch: Watch | None
    notify: Callable[[str], None]

    def results(self, files: Sequence[PictureFile], max_batch: int | None) -> Iterator[FileResult]:
        """The results of all files."""
        opened = open_journal(make_folder(self.work.folder), notify=self.notify)
        with opened as journal, _measured(self.work.progress):
            work = replace(self.work, journal=journal)
            plan = self._resolve_plan(journal, max_batch)
            jobs, unusable = plan_jobs(
                work, files, self.model, self.objective, self.compute,
                max_batch=plan.max_batch, device_count=plan.device_count,
                budget_bytes=plan.budget_bytes,
            )  # fmt: skip
            if line := octave_notice(jobs, self.model, self.objective, work.settings):
                self.notify(line)
            if jobs:
                slots = max(job.batch.slots for job in jobs)
                # Named as journals of earlier versions name them.
                journal.begin(work.common, most=plan.max_batch, room=plan.budget_bytes, batch=slots)
            work.progress.pictures = len(unusable) + sum(len(job.files) for job in jobs)
            remove_temporaries(work.output(file) for job in jobs for file in job.files)
            for file, error in unusable:
                yield work.failed(file, error)
            pipeline = Pipeline(
                work, self.model, self.objective, self.compute, self.sharding, self.watch
            )
            yield from pipeline.results(jobs)

    def _resolve_plan(self, journal: Journal, max_batch: int | None) -> _Plan:
        """What this run asked for, or a run before it with the same settings."""
        before = journal.runs.get(self.work.key, {})
        most = before.get("most") if max_batch is None else max_batch
        budget = before.get("room") if self.compute.memory is None else None
        if budget is None:
            devices = self.sharding and self.sharding.devices
            budget = available(self.compute.memory, devices)
        # In whole megabytes, as the journal has it.
        budget = max(budget, 0) // _MEGABYTE * _MEGABYTE
        return _Plan(most, budget, self.sharding.pictures if self.sharding else 1)


def _files(
    inputs: Sequence[str | os.PathLike[str] | Input], folder: Path, seed: int, suffix: str | None
) -> list[PictureFile]:
    """The files that are meant, and where their dreams go."""
    found = [one for one in inputs if isinstance(one, Input)]
    if not found or len(found) < len(inputs):
        found = find_inputs([str(one) for one in inputs], leave_out=folder)
    names = output_names(found, folder, suffix)
    return [
        PictureFile(one, name, picture_seed(seed, one.relative_path))
        for one, name in zip(found, names, strict=True)
    ]


def check_not_written(read: Sequence[str], outputs: Iterable[str], folder: Path) -> None:
    """Make sure that no dream takes the place of the mask or of a file of the objective."""
    known = {real_path(path): path for path in read}
    for output in outputs if known else ():
        if path := known.get(real_path(folder / output)):
            raise JaxdreamError(
                f"{path} is the mask or a file of the objective, and a dream would take its "
                "place: choose another output folder"
            )


@contextmanager
def _measured(progress: Progress) -> Iterator[None]:
    """Sets the clock of the progress, and has JAX add the seconds that it compiles."""

    def count(seconds: float) -> None:
        progress.compiling += seconds

    progress.begun, progress.ended = time.perf_counter(), None
    try:
        with compiled_programs(count):
            yield
    finally:
        progress.ended = time.perf_counter()
