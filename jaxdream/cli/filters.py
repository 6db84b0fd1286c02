"""``jaxdream filters``; returns the exit code."""

import argparse
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.images import picture_files
from jaxdream.images.contact_sheet import contact_sheet, enlarge
from jaxdream.settings import Compute


def show_filters(options: argparse.Namespace) -> int:
    from jaxdream.visualization.filters import first_filters

    output = session.output_path(options.output, Path())
    picture_files.check_writable(output)
    guard = session.file_guard(options, [])
    check_input_files(options, guard=guard)
    guard.add_write(output)
    session.start_jax(options.device)
    model = session.load(options, read_settings(options, Compute))
    pictures = [enlarge(kernel, options.scale) for kernel in first_filters(model)]
    sheet = contact_sheet(pictures, columns=options.columns, gap=max(1, options.scale // 2))
    picture_files.write_image(output, sheet, recipe=picture_files.mark("filters"))
    session.report(f"wrote {output}: {len(pictures)} filters")
    return 0
