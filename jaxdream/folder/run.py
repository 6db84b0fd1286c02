"""Dreams of many picture files, into a folder that a stopped run is taken up in.

Pictures are decoded in threads ahead of the device, and encoded in threads behind it. Which are
dreamed together, and in which slots of a batch, depends on all the pictures that are given and not
on those that are still missing, so that a run that was killed ends with the very files of one that
was not.
"""

import dataclasses
import hashlib
import os
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxdream.algorithm.octaves import check_size, plan_octaves
from jaxdream.algorithm.optimizers import CLASSIC
from jaxdream.batches import Batch, plan_batches
from jaxdream.deepdream import fewer_octaves
from jaxdream.errors import JaxdreamError
from jaxdream.execution.distributed import Process, share
from jaxdream.execution.memory import available
from jaxdream.execution.sharding import Sharding
from jaxdream.folder.inputs import Input, find_inputs, output_names
from jaxdream.folder.journal import Journal, open_journal, settings_hash
from jaxdream.folder.pipeline import Job, Pipeline
from jaxdream.folder.worker import FileResult, FileWork, PictureFile, Report
from jaxdream.images import picture_files
from jaxdream.images.atomic import make_folder, remove_temporaries
from jaxdream.models.network import Network
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import parse_objective, without_folders
from jaxdream.octave_loop import check_settings
from jaxdream.recipe import Recipe, dream_settings, made_with

_READERS = 8  # threads that read headers
_MEGABYTE = 10**6
_COMPILED = "/jax/core/compile/backend_compile_duration"  # what JAX calls the seconds of it
# Of a recipe, what is each picture's own, or makes no difference but for rounding.
_NOT_SETTINGS = ("jaxdream", "input_name", "input_sha256", "size", "jax", "platform", "canvases")


def picture_seed(seed: int, name: str) -> int:
    """The seed of one picture among many, 0 to 2**32 - 1.

    It depends on its name alone, so that neither order nor company matter; dreamed alone with
    ``jax.random.key`` of it, or by ``jaxdream dream --seed``, a picture is the same.

    Args:
        seed: of all of them.
        name: the file's relative path, with slashes.
    """
    # One name, however its accents are written: file systems differ in that.
    name = unicodedata.normalize("NFC", name)
    text = f"{seed}/{name}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


def dream_files(
    model: Network,
    inputs: Sequence[str | os.PathLike[str] | Input],
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    objective: str | None = None,
    guide_size: int = 1024,
    size: str | None = None,
    suffix: str | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float = 1.5,
    jitter: int = 32,
    clip: bool = True,
    optimizer: str = CLASSIC,
    smooth: float = 0.0,
    laplacian: int = 0,
    overwrite: bool = False,
    batch: int | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
    process: Process | None = None,
    report: Report | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[FileResult]:
    """Dream picture files into a folder; gives each one's result as soon as it is written.

    What the folder's journal knows to be done already, of the same input
    with the same settings, is skipped. A picture that cannot be dreamed is a result with an error.
    The device works when the next result is asked for. Closed, interrupted or failed, it keeps
    what is computed; the same call goes on from there.

    Args:
        model: from ``load_model``.
        inputs: as of ``find_inputs``, or what that gave.
        folder: where the dreams go, under their pictures' names (``output_names``).
        seed: each picture's own is ``picture_seed(seed, name)``.
        objective: as ``parse_objective`` reads it; by default the model's default layer.
        guide_size: longest side of pictures that the objective names, in pixels.
        size: to dream at, ``WxH``, or ``N`` for the longest side; by default each picture's own.
        suffix: of all dreams, such as ".png"; by default as ``output_names`` says.
        optimizer, smooth, laplacian: as of ``named_optimizer``.
        overwrite: dream all anew, and replace files that the journal does not know.
        batch: most pictures to dream together; by default as many as fit into the memory.
        memory: as of ``dream``.
        process: if it is one of several, from ``jaxdream.execution.distributed.meeting``.
        report: is kept up to date with what is done.
        notify: is told in a line of what is odd but stops nothing.

    The other args are those of ``dream``.

    Raises:
        JaxdreamError: a setting is wrong, inputs or the journal cannot be used, another run is
            writing into the folder, or nothing more can be written there.
    """
    folder = Path(folder)
    report = Report() if report is None else report
    process = Process() if process is None else process
    files = _files(inputs, folder, seed, suffix)
    text = objective or model.default_layer
    objective_files = ObjectiveFiles(guide_size, notify)
    maximised = parse_objective(text, model, files=objective_files)
    named = {"objective": without_folders(text), "files": objective_files.by_name()}
    check_settings(steps, step_size, jitter)
    plan_octaves((1, 1), octaves=octaves, octave_scale=octave_scale)  # which checks them
    if size is not None:
        picture_files.parse_size(
            size, 1, 10**6
        )  # so that a text that is no size is no picture's error
    recipe = Recipe(
        **made_with(model), **named, guide_size=guide_size, input_name="", input_sha256="",
        size=(1, 1), seed=seed, steps=steps, octaves=octaves, octave_scale=octave_scale,
        step_size=step_size, jitter=jitter, clip=clip, optimizer=optimizer, smooth=smooth,
        laplacian=laplacian,
    )  # fmt: skip
    if sharding is not None:
        model, maximised = sharding.replicate((model, maximised))
    options = dream_settings(recipe) | {"objective": maximised, "memory": memory}
    options["sharding"] = sharding
    del options["octaves"]  # which a batch has
    settings = {k: v for k, v in dataclasses.asdict(recipe).items() if k not in _NOT_SETTINGS}
    settings["size"] = size
    make_folder(folder)
    with (
        open_journal(
            folder, process=process.index, processes=process.count, notify=notify
        ) as journal,
        _measured(report),
    ):
        key = settings_hash(settings)
        work = FileWork(folder, journal, key, size, overwrite, recipe, report)
        asked = _asked(journal, key, process, batch, memory, sharding)
        jobs, unusable = _plan(work, model, options, files, asked, process)
        if few := [job for job in jobs if len(job.batch.canvases) < octaves]:
            octaves_there = min(len(job.batch.canvases) for job in few)
            minimum = model.graph.minimum_size(*maximised.layers)
            count = sum(len(job.files) for job in few)
            notify(f"of {count} pictures only {fewer_octaves(octaves_there, octaves, minimum)}")
        if jobs:
            slots = max(job.batch.slots for job in jobs)
            journal.begin(settings, most=asked.most, room=asked.room, batch=slots)
        report.pictures = len(unusable) + sum(len(job.files) for job in jobs)
        remove_temporaries(folder / file.output for job in jobs for file in job.files)
        for file, error in unusable:
            yield work.failed(file, error)
        yield from Pipeline(work, model, options).results(jobs)


class _Asked(NamedTuple):
    """What the plan of a run depends on, beside the pictures; kept for a run that goes on."""

    most: int | None  # pictures in a batch
    room: int  # bytes for a batch, on each device
    devices: int  # among which the pictures of a batch are shared out


def _asked(
    journal: Journal,
    key: str,
    process: Process,
    batch: int | None,
    memory: int | None,
    sharding: Sharding | None,
) -> _Asked:
    """What this run asked for, or a run before it with the same settings."""
    before = journal.runs.get(key, {})
    most = before.get("most") if batch is None else batch
    room = before.get("room") if memory is None else None
    if room is None:
        room = available(memory, sharding and sharding.devices)
    here = sharding.pictures if sharding else 1
    most, room, devices = process.agree((most or 0, max(room, 0) // _MEGABYTE, here))
    if devices != here:
        raise JaxdreamError(
            f"process {process.index} has {here} devices and process 0 has {devices}: all must "
            "have as many, to plan the same batches"
        )
    return _Asked(most or None, room * _MEGABYTE, devices)


def _files(
    inputs: Sequence[str | os.PathLike[str] | Input], folder: Path, seed: int, suffix: str | None
) -> list[PictureFile]:
    """The files that are meant, and where their dreams go."""
    found = [one for one in inputs if isinstance(one, Input)]
    if not found or len(found) < len(inputs):
        found = find_inputs([str(one) for one in inputs], leave_out=folder)
    names = output_names(found, folder, suffix)
    return [
        PictureFile(one, name, picture_seed(seed, one.name))
        for one, name in zip(found, names, strict=True)
    ]


def _plan(
    work: FileWork,
    model: Network,
    options: Mapping[str, Any],
    files: list[PictureFile],
    asked: _Asked,
    process: Process,
) -> tuple[list[Job], list[tuple[PictureFile, JaxdreamError]]]:
    """This process's share: batches of files, and files that cannot be dreamed."""
    objective, optimizer = (options[name] for name in ("objective", "optimizer"))
    minimum = model.graph.minimum_size(*objective.layers)

    def sized(file: PictureFile) -> tuple[int, int] | JaxdreamError:
        try:
            size = work.planned_size(file)
            check_size(size, minimum)
        except JaxdreamError as error:
            return error
        return size

    with ThreadPoolExecutor(_READERS) as readers:
        sizes = list(readers.map(sized, files))
    usable = [
        (file, size)
        for file, size in zip(files, sizes, strict=True)
        if not isinstance(size, JaxdreamError)
    ]
    unusable = [
        (file, error)
        for file, error in zip(files, sizes, strict=True)
        if isinstance(error, JaxdreamError)
    ]
    batches: list[Batch] = []
    if usable:
        batches = plan_batches(
            [size for _, size in usable],
            model=model,
            objective=objective,
            optimizer=optimizer,
            octaves=work.recipe.octaves,
            octave_scale=work.recipe.octave_scale,
            most=asked.most,
            multiple=asked.devices,
            room=asked.room,
        )
    jobs = []
    for batch in share(batches, process.index, process.count):
        chosen, their_sizes = zip(*(usable[index] for index in batch.pictures), strict=True)
        jobs.append(Job(batch, chosen, their_sizes))
    return jobs, share(unusable, process.index, process.count)


@contextmanager
def _measured(report: Report) -> Iterator[None]:
    """Sets the report's clock, and lets JAX tell it how long it compiles."""

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            report.compiling += duration_secs

    report.begun, report.ended = time.perf_counter(), None
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
        report.ended = time.perf_counter()
