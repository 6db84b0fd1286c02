"""``jaxdream batch``; returns the exit code."""

import argparse
import warnings
from contextlib import contextmanager
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.main import INTERRUPTED, SOME_FAILED
from jaxdream.cli.objective_options import objective_text
from jaxdream.folder.inputs import find_inputs, output_names

_SAME = ("seed", "guide_size", "size", "steps", "octaves", "octave_scale", "step_size", "jitter",
         "optimizer", "smooth", "laplacian", "overwrite", "batch", "memory")  # fmt: skip


def dream_batch(options: argparse.Namespace) -> int:
    inputs = find_inputs(options.inputs, lists=options.lists, leave_out=options.output)
    suffix = None if options.format == "same" else f".{options.format}"
    output_names(inputs, options.output, suffix)  # now, since the rest takes a while
    with session.meeting(options) as process:
        session.start_jax(options.device)
        return _dream(options, inputs, suffix, process)


def _dream(options: argparse.Namespace, inputs, suffix: str | None, process) -> int:
    model = session.load(options.model, options.weights, options.precision)

    from jaxdream.folder.run import dream_files
    from jaxdream.folder.worker import Report, TargetError

    report = Report()
    results = dream_files(
        model,
        inputs,
        options.output,
        objective=objective_text(options, model.default_layer),
        suffix=suffix,
        clip=not options.no_clip,
        sharding=session.sharding(options.shard),
        process=process,
        report=report,
        notify=session.say,
        **{name: getattr(options, name) for name in _SAME},
    )
    code = 0
    with (
        warnings.catch_warnings(record=True) as said,
        session.bar(Path(options.output).name) as bar,
    ):
        warnings.simplefilter("always")
        try:
            with _finished(results):
                for result in results:
                    if result.error is not None:
                        session.say(str(result.error))
                    bar(_progress(report), report.seen_to / max(report.pictures, 1), said)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except TargetError as error:
            session.say(
                f"{error}: stopped; what is done is kept, the same command goes on from there"
            )
            code = SOME_FAILED
    _print_report(report, options.output)
    if code == INTERRUPTED:
        session.say("interrupted: what is done is kept, the same command goes on from there")
    return code or (SOME_FAILED if report.failed else 0)


@contextmanager
def _finished(results):
    """Ends the work when the block ends, also by Ctrl-C: then what is computed is still written."""
    try:
        yield
    finally:
        with session.uninterrupted():
            results.close()


def _progress(report) -> str:
    failed = f", {report.failed} failed" if report.failed else ""
    return f"{report.seen_to}/{report.pictures} pictures{failed}"


def _print_report(report, output: str) -> None:
    seconds = max(report.seconds, 1e-9)
    print(
        f"{output}: {report.dreamed} dreamed, {report.skipped} done before, {report.failed} failed "
        f"of {report.pictures} pictures in {seconds:.1f} s: {report.dreamed / seconds:.2f} "
        f"pictures/s, device busy {report.busy / seconds:.0%} of the time, compiling included "
        f"({report.compiling:.1f} s)",
        flush=True,
    )
    if report.without_alpha:
        session.say(f"{report.without_alpha} lost their transparency, which JPEG does not have")
