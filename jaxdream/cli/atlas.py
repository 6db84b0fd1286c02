"""``jaxdream atlas``; returns the exit code."""

import argparse

from jaxdream.cli import session
from jaxdream.cli.exit_codes import INTERRUPTED
from jaxdream.cli.options import read_settings
from jaxdream.cli.unit_runs import begin, follow, report
from jaxdream.settings import AtlasSettings, VisualizeSettings


def make_atlas(options: argparse.Namespace) -> int:
    from jaxdream.units.atlas import choose_projection

    settings = read_settings(options, AtlasSettings)
    visualize = read_settings(options, VisualizeSettings)
    choose_projection(settings.projection)  # now, since the rest takes a while
    model, inputs, folder = begin(options)

    from jaxdream.units.atlas_files import RESULT, atlas_of_files
    from jaxdream.units.folder import read_about

    steps = atlas_of_files(
        model,
        inputs,
        folder,
        options.layer or model.default_layer,
        settings=settings,
        visualize=visualize,
        overwrite=options.overwrite,
        notify=session.say,
    )
    if not follow(steps, folder):
        return INTERRUPTED
    return report(read_about(folder / RESULT), folder)
