"""``jaxdream filters``; returns the exit code."""

import argparse
from pathlib import Path

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.images import picture_files
from jaxdream.images.contact_sheet import contact_sheet, enlarge

_MAX_SCALE = 100  # a sheet of 64 filters of 7x7 weights then has 33 million pixels


def show_filters(options: argparse.Namespace) -> int:
    from jaxdream.visualization.filters import first_filters

    output = Path(options.output)
    picture_files.check_writable(output)
    if not 1 <= options.scale <= _MAX_SCALE:
        raise JaxdreamError(f"--scale must be from 1 to {_MAX_SCALE}, not {options.scale}")
    if options.columns is not None and options.columns < 1:
        raise JaxdreamError(f"--columns must be at least 1, not {options.columns}")
    session.start_jax(options.device)
    model = session.load(options.model, options.weights, options.precision)
    pictures = [enlarge(kernel, options.scale) for kernel in first_filters(model)]
    sheet = contact_sheet(pictures, columns=options.columns, gap=max(1, options.scale // 2))
    picture_files.write_image(output, sheet)
    print(f"wrote {output}: {len(pictures)} filters", flush=True)
    return 0
