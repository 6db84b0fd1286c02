"""``jaxdream dream``; returns the exit code."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxdream.cli import session
from jaxdream.cli.exit_codes import INTERRUPTED, SOME_FAILED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.objective_options import asked_objective, check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.cli.preview import Previews
from jaxdream.cli.run_log import asked_log, check_asked_log
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard
from jaxdream.files.reading import printable
from jaxdream.files.writing import check_place, remove_temporaries
from jaxdream.images import formats
from jaxdream.images.picture_files import Picture
from jaxdream.settings import SPHERE, Compute, DreamSettings, SourceSettings

if TYPE_CHECKING:
    from jaxdream.folder.worker import FileWork, PictureFile
    from jaxdream.models.network import Network
    from jaxdream.objectives import Objective
    from jaxdream.run_log import RunLog


class Task(NamedTuple):
    """Everything to dream pictures with, on this machine."""

    model: "Network"
    objective: "Objective"
    work: "FileWork"
    compute: Compute


def dream_pictures(options: argparse.Namespace) -> int:
    if options.grid:
        from jaxdream.cli.sheets import dream_grid

        return dream_grid(options)
    settings = dream_settings(options)
    source = read_settings(options, SourceSettings)
    compute = read_settings(options, Compute)
    source.check_with(settings)
    check_objective(options)
    inputs = session.input_names(options.inputs, source)
    outputs = _outputs(inputs, options.output)
    guard = session.file_guard(options, options.inputs)
    check_input_files(options, guard=guard, memory=compute.memory)
    check_targets(outputs, guard)
    if options.before_after:
        check_targets(list(map(formats.before_after_path, outputs)), guard)
    check_asked_log(options, guard)
    previews = Previews.asked(options, outputs, guard)
    sphere = settings.seamless == SPHERE
    pictures = _read_all(inputs, outputs, source, compute.memory, sphere=sphere)
    session.start_jax(options.device, compute.memory)
    model = session.load(options, compute)
    objective, work = _work(options, model, settings, source)
    files = files_of(inputs, outputs, source.seed)
    work = replace(work, preloaded=pictures, before_after=options.before_after)
    task = Task(model, objective, work, _with_shapes(compute, work, files))
    if options.plan:
        return _print_plans(task, files)
    run = {"command": "dream", "objective": work.objective.text, "seed": source.seed}
    run |= settings.recorded() | asdict(work.provenance)
    with asked_log(options, model, run) as log:
        return dream_task(task, files, previews, log)


def _outputs(inputs: list[str], output: str | None) -> list[Path]:
    """Where each dream goes."""
    beside = [session.beside(path, "_dream.png") for path in inputs]
    if output is None:
        for target in beside:
            if os.path.isdir(target.parent):  # otherwise the input is not there either
                check_place(target)
        return beside
    target = session.output_path(output, Path())
    if len(inputs) > 1 or os.path.isdir(target) or not target.suffix:
        session.check_folder(target)  # which is made with the first picture
        return [target / path.name for path in beside]
    check_place(target)
    return [target]


def check_targets(targets: Sequence[Path], guard: FileGuard) -> None:
    """Make sure that the pictures can be written, before anything is computed."""
    remove_temporaries(targets)  # of a run that was killed
    for target in targets:
        formats.picture_format(target)
        guard.add_write(target)
        if not formats.keeps_recipe(target):
            session.say(
                f"{target}: this format keeps no recipe, so `jaxdream replay` cannot use it"
            )


def _read_all(
    inputs: Sequence[str],
    outputs: Sequence[Path],
    source: SourceSettings,
    memory: int | None,
    *,
    sphere: bool,
) -> dict[str, Picture]:
    """The pictures by their outputs: a bad one ends the command with nothing written.

    All are read; those that would take much memory together are read again when it is their turn.
    """
    from jaxdream.folder.pipeline import MAX_BYTES_AHEAD

    pictures: dict[str, Picture] = {}
    held = 0
    for path, output in zip(inputs, outputs, strict=True):
        picture = session.read_or_make(path, source, memory, sphere=sphere)
        height, width, _ = picture.pixels.shape
        formats.picture_format(output, (height, width))
        held += picture.pixels.nbytes
        if held <= MAX_BYTES_AHEAD or not pictures:
            pictures[str(output)] = picture
    return pictures


def files_of(inputs: Sequence[str], outputs: Sequence[Path], seed: int) -> list["PictureFile"]:
    from jaxdream.folder.inputs import Input
    from jaxdream.folder.worker import PictureFile

    return [
        PictureFile(Input(Path(path), path), str(output), seed)
        for path, output in zip(inputs, outputs, strict=True)
    ]


def _work(
    options: argparse.Namespace,
    model: "Network",
    settings: DreamSettings,
    source: SourceSettings,
) -> tuple["Objective", "FileWork"]:
    """The objective that the options ask for, and the work on files."""
    from jaxdream.folder.worker import FileWork, Progress, named_mask, named_objective
    from jaxdream.recipe import provenance

    text = asked_objective(options, model)
    objective, named, _ = named_objective(text, model, source.guide_size, session.say)
    masks, source, named = named_mask(source, named, session.say)
    work = FileWork(
        folder=Path(), settings=settings, source=source, objective=named,
        provenance=provenance(model), progress=Progress(), masks=masks,
    )  # fmt: skip
    return objective, work


def dream_task(
    task: Task,
    files: Sequence["PictureFile"],
    previews: Previews | None = None,
    log: "RunLog | None" = None,
) -> int:
    """Dream pictures and write them; the exit code."""
    from jaxdream.execution.sharding import chosen_sharding
    from jaxdream.folder.pipeline import Pipeline, pictures_so_far
    from jaxdream.folder.run import octave_notice, plan_jobs

    model, objective, work, compute = task
    sharding = chosen_sharding(compute.shard)
    if compute.shard is not None and sharding is None:
        session.say("there is one device here, so nothing is shared")
    if previews is not None and previews.every == "step":
        compute = compute.replace(scan=False)
    count = sharding.pictures if sharding and len(files) > 1 else 1
    jobs, unusable = plan_jobs(work, files, model, objective, compute, device_count=count)
    for file, error in unusable:
        name = printable(file.input.path)
        raise error if name in str(error) else JaxdreamError(f"{name}: {error}")
    if line := octave_notice(jobs, model, objective, work.settings):
        session.say(line)
    if sharding is not None:
        model, objective = sharding.replicate((model, objective))
    work.progress.pictures = len(files)

    def watch(state, wanted) -> None:
        done = work.progress.done if len(files) > 1 else None
        run.show_state(state, _counted(work.progress), done)
        if previews is not None:
            previews.add(state, pictures_so_far(state, wanted))
        if log is not None:
            log(state, names={slot: loaded.file.output for slot, loaded in wanted.items()})

    def keep(state, wanted) -> None:
        with session.uninterrupted():
            where = f"octave {state.octave + 1} of {state.octaves}, step {state.step}"
            for loaded, picture in pictures_so_far(state, wanted):
                saved = work.save(loaded, picture, None)
                session.say(
                    f"interrupted at {where} of {state.steps}: {saved.output} holds the picture as "
                    "far as it got"
                )
            kept.append(state)

    kept: list[object] = []
    failed: list[JaxdreamError] = []
    pipeline = Pipeline(work, model, objective, compute, sharding, watch, keep)
    name = Path(files[0].output).name if len(files) == 1 else f"{len(files)} pictures"
    with previews or nullcontext(), session.running(name) as run:
        for result in pipeline.results(jobs):
            if result.error is None:
                _report(result.output, work)
            else:
                failed.append(result.error)
    return _exit_code(run.interrupted, bool(kept), failed, len(files))


def _report(output: Path, work: "FileWork") -> None:
    """Tell what was written."""
    lost, work.progress.without_alpha = work.progress.without_alpha, 0
    if lost and not formats.keeps_alpha(output):
        session.say(f"{output}: this format has no transparency, so it is left out")
    session.report(f"wrote {output}")
    if work.before_after:
        session.report(f"wrote {formats.before_after_path(output)}")


def _counted(progress) -> str:
    return f"{progress.processed}/{progress.pictures} " if progress.pictures > 1 else ""


def _exit_code(interrupted: bool, kept: bool, failed: list[JaxdreamError], count: int) -> int:
    if interrupted:
        if not kept:
            session.say("interrupted before the first step: nothing more is written")
        return INTERRUPTED
    if not failed:
        return 0
    if len(failed) == count == 1:
        raise failed[0]
    for error in failed:
        session.say(str(error))
    return SOME_FAILED


def _with_shapes(compute: Compute, work: "FileWork", files: Sequence["PictureFile"]) -> Compute:
    """The machine's settings with padded shapes: planned together for pictures of many sizes."""
    from jaxdream.algorithm.octaves import octave_options, plan_octaves
    from jaxdream.execution.shapes import plan_shapes, shared_shapes

    sizes = [work.planned_size(file) for file in files]
    options, steps = octave_options(work.settings), work.settings.steps
    if len(set(sizes)) == 1:
        return compute.replace(shapes=shared_shapes(plan_octaves(sizes[0], **options), steps))
    return compute.replace(shapes=plan_shapes(sizes, **options, steps=steps))


def _print_plans(task: Task, files: Sequence["PictureFile"]) -> int:
    """What ``--plan`` is for: the programs of each dream, what they take, and how long."""
    from jaxdream.execution.memory import format_bytes, in_use
    from jaxdream.execution.planner import plan_dream
    from jaxdream.execution.sharding import chosen_sharding

    sharding = chosen_sharding(task.compute.shard)
    compute = task.compute.replace(shard=sharding)
    where = f"on each of {sharding.count} devices" if sharding else "in all"
    for file in files:
        height, width = task.work.planned_size(file)
        before = in_use()
        octaves = plan_dream(
            task.model, (height, width), task.objective,
            settings=task.work.settings, compute=compute,
        )  # fmt: skip
        seconds = _time(sum(octave.seconds for octave in octaves))
        compiling = _time(sum(octave.compile_seconds for octave in octaves))
        memory = format_bytes(before + max(octave.memory for octave in octaves))
        session.report(
            f"{file.input.path}: {width}x{height}, about {seconds} of computing after {compiling} "
            f"of compiling (less the next time), {memory} of memory {where}"
        )
        for octave in octaves:
            (h, w), (rows, columns) = octave.size, octave.shape
            tiles = f" for each of {octave.tiles} tiles" if octave.tiles > 1 else ""
            session.report(
                f"  {w}x{h}: a program for {columns}x{rows}{tiles}, {format_bytes(octave.peak)}, "
                f"about {_time(octave.seconds)}"
            )
    return 0


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
