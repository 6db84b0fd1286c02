"""``jaxdream batch``; returns the exit code."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, INTERRUPTED, SOME_FAILED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.objective_options import asked_objective, check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.folder.inputs import find_inputs, output_names
from jaxdream.settings import Compute, SourceSettings

_GOES_ON = "finished pictures are kept, and the same command goes on from there"


def dream_batch(options: argparse.Namespace) -> int:
    if options.cluster is not None:
        from jaxdream.cli.cluster import dream_on_cluster

        return dream_on_cluster(options)
    if options.shards is not None:
        raise JaxdreamError(
            "--shards needs --cluster: add it (without an address it means this machine)"
        )
    _, compute = checked_settings(options)
    folder = session.output_path(options.output, Path())
    session.check_folder(folder)
    inputs = find_inputs(options.inputs, lists=options.lists, leave_out=folder)
    suffix = asked_suffix(options)
    output_names(inputs, folder, suffix)  # now, since the rest takes a while
    session.start_jax(options.device, compute.memory)
    return _dream(options, compute, inputs, suffix)


def checked_settings(options: argparse.Namespace) -> tuple[SourceSettings, Compute]:
    """The settings of the pictures and of the machine, checked with the files they name.

    Raises:
        JaxdreamError: one is wrong, or does not go with another.
    """
    check_objective(options)
    source, compute = read_settings(options, SourceSettings), read_settings(options, Compute)
    source.check_with(dream_settings(options))
    check_input_files(options, memory=compute.memory)
    return source, compute


def asked_suffix(options: argparse.Namespace) -> str | None:
    """How the dreams' names end; None as their pictures' do."""
    return None if options.format == "same" else f".{options.format}"


def _dream(options: argparse.Namespace, compute: Compute, inputs, suffix) -> int:
    model = session.load(options, compute)

    from jaxdream.folder.run import dream_files
    from jaxdream.folder.worker import Progress

    progress = Progress()

    def watch(state, _) -> None:
        run.show_state(state, f"{counted(progress)} ", progress.done)

    results = dream_files(
        model,
        inputs,
        options.output,
        asked_objective(options, model),
        settings=dream_settings(options),
        source=read_settings(options, SourceSettings),
        compute=compute,
        suffix=suffix,
        overwrite=options.overwrite,
        max_batch=options.batch,
        progress=progress,
        watch=watch,
        notify=session.say,
    )
    code = DONE
    with session.running(Path(options.output).name) as run:
        code = follow(run, results, progress, lambda result: result.error and str(result.error))
    return ended(run, code, progress, options.output)


def follow(run: session.Running, results, progress, failure: Callable[[Any], str | None]) -> int:
    """Show how far a run over many pictures is, until it ends; its exit code.

    Args:
        failure: why there is no dream of a picture, from its result.
    """
    from jaxdream.folder.targets import TargetError

    try:
        # Also after Ctrl-C what is computed is still written.
        with session.closing_uninterrupted(results):
            for result in results:
                if line := failure(result):
                    session.say(line)
                run.show(counted(progress), progress.done)
    except TargetError as error:
        session.say(f"{error}: stopped; {_GOES_ON}")
        return SOME_FAILED
    return SOME_FAILED if progress.failed else DONE


def ended(
    run: session.Running, code: int, progress, output: str, *, one_device: bool = True
) -> int:
    """Tell what came of a run; its exit code.

    Args:
        code: of ``follow``.
        one_device: whether all was computed here, so that one can say how busy the device was.
    """
    _report(progress, output, one_device=one_device)
    if run.interrupted:
        session.say(f"interrupted: {_GOES_ON}")
        return INTERRUPTED
    return code


def counted(progress) -> str:
    """How many pictures are done, in words."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.processed}/{progress.pictures} pictures{failed}"


def _report(progress, output: str, *, one_device: bool) -> None:
    line = (
        f"{output}: {progress.dreamed} dreamed, {progress.skipped} done before, "
        f"{progress.failed} failed of {progress.pictures} pictures"
    )
    if progress.dreamed:
        seconds = max(progress.seconds, 1e-9)
        line += f" in {seconds:.1f} s: {progress.dreamed / seconds:.2f} pictures/s"
        if one_device:
            line += (
                f", device busy {progress.busy / seconds:.0%} of the time, compiling included "
                f"({progress.compiling:.1f} s)"
            )
    session.report(line)
    if progress.without_alpha:
        session.say(f"{progress.without_alpha} lost their transparency, which JPEG does not have")
