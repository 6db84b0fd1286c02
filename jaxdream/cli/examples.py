"""``jaxdream examples``; returns the exit code."""

import argparse
from contextlib import closing
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, INTERRUPTED, SOME_FAILED
from jaxdream.cli.options import read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, ExamplesSettings, VisualizeSettings


def find_examples(options: argparse.Namespace) -> int:
    from jaxdream.units.folder import found_inputs
    from jaxdream.visualization.targets import parse_channels

    if options.visualize and options.visualizations is not None:
        raise JaxdreamError("--visualize and --visualizations exclude each other: give one of them")
    settings = read_settings(options, ExamplesSettings)
    visualize = read_settings(options, VisualizeSettings) if options.visualize else None
    channels = None if options.channels == "all" else parse_channels(options.channels)
    folder = session.output_path(options.output, Path())
    session.check_folder(folder)
    inputs = found_inputs(options.inputs, folder)
    session.start_jax(options.device)
    model = session.load(options, read_settings(options, Compute))

    from jaxdream.units.example_files import examples_of_files, read_examples

    steps = examples_of_files(
        model,
        inputs,
        folder,
        options.layers or [model.default_layer],
        settings=settings,
        channels=channels,
        visualize=visualize,
        visualizations=options.visualizations,
        seed=options.seed,
        overwrite=options.overwrite,
    )
    if not follow(steps, folder):
        return INTERRUPTED
    return report(read_examples(folder).about, folder)


def follow(steps, folder: Path) -> bool:
    """Show how far a run is, and which pictures it could not use; whether it came to its end."""
    with session.running(folder.name) as run, closing_uninterrupted(steps):
        for step in steps:
            for unreadable in step.failed:
                session.say(unreadable.reason)
            run.show(step.text, step.done)
    if run.interrupted:
        session.say("interrupted: what is done is kept, and the same command goes on from there")
    return not run.interrupted


class closing_uninterrupted(closing):
    """``closing`` that a second Ctrl-C does not stop."""

    def __exit__(self, *error: object) -> None:
        with session.uninterrupted():
            super().__exit__(*error)


def report(about, folder: Path) -> int:
    """Tell what was made; the exit code."""
    failed = f", {about.failed} failed" if about.failed else ""
    session.report(
        f"{folder / 'index.html'}: {', '.join(about.layers)} on "
        f"{about.read - about.failed} of {about.pictures} pictures{failed}"
    )
    return SOME_FAILED if about.failed else DONE
