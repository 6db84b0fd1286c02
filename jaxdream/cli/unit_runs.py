"""Runs of the commands about units into a folder: begun, followed, told of."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, SOME_FAILED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.settings import Compute

if TYPE_CHECKING:
    from jaxdream.folder.inputs import Input
    from jaxdream.models.network import Network


class UnitRun(NamedTuple):
    """What a command about the units of a network in many pictures begins with."""

    model: "Network"
    inputs: "Sequence[Input]"
    folder: Path


def begin(options: argparse.Namespace) -> UnitRun:
    """Check the pictures, the other files and the folder, and load the network.

    Raises:
        JaxdreamError: no picture was found, a file is not there, the folder cannot be written, or
            the network cannot be loaded.
    """
    from jaxdream.units.folder import found_inputs

    check_input_files(options)
    folder = checked_folder(options)
    inputs = found_inputs(options.inputs, folder)
    return UnitRun(load(options), inputs, folder)


def checked_folder(options: argparse.Namespace) -> Path:
    """The folder of ``--output``.

    Raises:
        JaxdreamError: it cannot be written into, or a cluster is asked for and cannot be used.
    """
    if on_cluster(options):
        from jaxdream.cli.cluster import check_cluster
        from jaxdream.cluster.unit_runs import check_local

        check_cluster(options)
        for place in (options.output, *getattr(options, "inputs", ())):
            check_local(place)
    folder = session.output_path(options.output, Path())
    session.check_folder(folder)
    return folder


def on_cluster(options: argparse.Namespace) -> bool:
    """Whether a cluster computes."""
    return getattr(options, "cluster", None) is not None  # not every command has the option


def cluster_of(options: argparse.Namespace) -> dict[str, Any]:
    """Which cluster computes, and how, for the functions of ``jaxdream.cluster``."""
    compute = read_settings(options, Compute)
    return {"address": options.cluster, "device": options.device, "compute": compute}


def load(options: argparse.Namespace) -> "Network":
    """The network that the options ask for, and JAX started for it."""
    compute = read_settings(options, Compute)
    if on_cluster(options):
        from jaxdream.cli.cluster import load_for_workers

        return load_for_workers(options, compute)
    session.start_jax(options.device)
    return session.load(options, compute)


def follow(steps, folder: Path) -> bool:
    """Show how far a run is, and which pictures it could not use; whether it came to its end."""
    with session.running(folder.name) as run, session.closing_uninterrupted(steps):
        for step in steps:
            for unreadable in step.failed:
                session.say(unreadable.reason)
            run.show(step.text, step.done)
    if run.interrupted:
        session.say("interrupted: what is done is kept, and the same command goes on from there")
    return not run.interrupted


def report(about, folder: Path) -> int:
    """Tell what was made; the exit code."""
    failed = f", {about.failed} failed" if about.failed else ""
    session.report(
        f"{folder / 'index.html'}: {', '.join(about.layers)} on "
        f"{about.read - about.failed} of {about.pictures} pictures{failed}"
    )
    return SOME_FAILED if about.failed else DONE
