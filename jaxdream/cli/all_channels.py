"""``jaxdream visualize --channels all``: a folder of every channel; returns the exit code."""

import argparse

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, INTERRUPTED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.cli.unit_runs import checked_folder, cluster_of, follow, load, on_cluster
from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import parse_size
from jaxdream.settings import VisualizeSettings

ALL = "all"


def visualize_all(options: argparse.Namespace) -> int:
    _check(options)
    settings = read_settings(options, VisualizeSettings)
    check_input_files(options)
    folder = checked_folder(options)
    size = parse_size(options.size, 1, 1) if options.size else None
    model = load(options)

    from jaxdream.units.drawing import visualize_units

    draw, more = visualize_units, {}
    if on_cluster(options):
        from jaxdream.cluster import unit_runs

        draw, more = unit_runs.visualize_units, cluster_of(options)
    steps = draw(
        options.seed, model, folder, options.layers,
        settings=settings, size=size, overwrite=options.overwrite, notify=session.say, **more,
    )  # fmt: skip
    if not follow(steps, folder):
        return INTERRUPTED
    layers = dict.fromkeys(map(model.graph.resolve, options.layers))
    for layer in layers:
        session.report(f"{folder}: {model.graph.channels[layer]} channels of {layer}")
    return DONE


def _check(options: argparse.Namespace) -> None:
    """Make sure that nothing is asked for that goes with a few channels only.

    Raises:
        JaxdreamError: something is, or the layer or the folder is missing.
    """
    if not options.layers:
        raise JaxdreamError("--channels all needs a layer: name one with --layer")
    if options.output is None:
        raise JaxdreamError("--channels all needs a folder: name one with --output")
    others = {
        "--class": options.classes, "--objective": options.objective, "--neuron": options.neurons,
        "--direction": options.direction, "--grid": options.grid, "--columns": options.columns,
        "--from": options.start, "--alpha": options.alpha, "--log": options.log,
        "--spectrum": options.spectrum, "--keep": options.keep,
        "--count": options.count > 1, "--diversity": options.diversity,
    }  # fmt: skip
    for name, value in others.items():
        if value:
            raise JaxdreamError(f"{name} does not go with --channels all: leave it out")
