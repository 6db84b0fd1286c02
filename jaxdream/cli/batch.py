"""``jaxdream batch``; returns the exit code."""

import argparse
from contextlib import closing
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.exit_codes import INTERRUPTED, SOME_FAILED
from jaxdream.cli.objective_options import asked_objective, check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.folder.inputs import find_inputs, output_names
from jaxdream.settings import Compute, SourceSettings

GOES_ON = "finished pictures are kept, and the same command goes on from there"


def dream_batch(options: argparse.Namespace) -> int:
    if options.cluster is not None:
        from jaxdream.cli.cluster import dream_on_cluster

        return dream_on_cluster(options)
    check_objective(options)
    source, compute = read_settings(options, SourceSettings), read_settings(options, Compute)
    source.check_with(dream_settings(options))
    session.guide_files(options.guide, compute.memory)
    session.mask_files(source.mask, compute.memory)
    folder = session.output_path(options.output, Path())
    session.check_folder(folder)
    inputs = find_inputs(options.inputs, lists=options.lists, leave_out=folder)
    suffix = None if options.format == "same" else f".{options.format}"
    output_names(inputs, folder, suffix)  # now, since the rest takes a while
    session.start_jax(options.device, compute.memory)
    return _dream(options, compute, inputs, suffix)


def _dream(options: argparse.Namespace, compute: Compute, inputs, suffix) -> int:
    model = session.load(options, compute)

    from jaxdream.folder.run import dream_files
    from jaxdream.folder.worker import Progress, TargetError

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
    code = 0
    with session.running(Path(options.output).name) as run:
        try:
            # Also after Ctrl-C what is computed is still written.
            with closing_uninterrupted(results):
                for result in results:
                    if result.error is not None:
                        session.say(str(result.error))
                    run.show(counted(progress), progress.done)
        except TargetError as error:
            session.say(f"{error}: stopped; {GOES_ON}")
            code = SOME_FAILED
    _report(progress, options.output)
    if run.interrupted:
        session.say(f"interrupted: {GOES_ON}")
        return INTERRUPTED
    return code or (SOME_FAILED if progress.failed else 0)


class closing_uninterrupted(closing):
    """``closing`` that a second Ctrl-C does not stop."""

    def __exit__(self, *error: object) -> None:
        with session.uninterrupted():
            super().__exit__(*error)


def counted(progress) -> str:
    """How many pictures are done, in words."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.processed}/{progress.pictures} pictures{failed}"


def _report(progress, output: str) -> None:
    line = (
        f"{output}: {progress.dreamed} dreamed, {progress.skipped} done before, "
        f"{progress.failed} failed of {progress.pictures} pictures"
    )
    if progress.dreamed:
        seconds = max(progress.seconds, 1e-9)
        line += (
            f" in {seconds:.1f} s: {progress.dreamed / seconds:.2f} pictures/s, device busy "
            f"{progress.busy / seconds:.0%} of the time, compiling included "
            f"({progress.compiling:.1f} s)"
        )
    session.report(line)
    if progress.without_alpha:
        session.say(f"{progress.without_alpha} lost their transparency, which JPEG does not have")
