"""``jaxdream examples``; returns the exit code."""

import argparse
import os

from jaxdream.cli.exit_codes import INTERRUPTED
from jaxdream.cli.options import read_settings
from jaxdream.cli.unit_runs import begin, cluster_of, follow, on_cluster, report
from jaxdream.errors import JaxdreamError
from jaxdream.settings import ExamplesSettings, VisualizeSettings


def find_examples(options: argparse.Namespace) -> int:
    from jaxdream.visualization.targets import parse_channels

    if options.visualize and options.visualizations is not None:
        raise JaxdreamError("--visualize and --visualizations exclude each other: give one of them")
    settings = read_settings(options, ExamplesSettings)
    visualize = read_settings(options, VisualizeSettings) if options.visualize else None
    if options.visualizations is not None and not os.path.isdir(options.visualizations):
        raise JaxdreamError(f"{options.visualizations}: no such folder")
    channels = None if options.channels == "all" else parse_channels(options.channels)
    model, inputs, folder = begin(options)

    from jaxdream.units.example_files import examples_of_files, read_examples

    find, more = examples_of_files, {}
    if on_cluster(options):
        from jaxdream.cluster import unit_runs

        find, more = unit_runs.examples_of_files, cluster_of(options)
    steps = find(
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
        **more,
    )
    if not follow(steps, folder):
        return INTERRUPTED
    return report(read_examples(folder).about, folder)
