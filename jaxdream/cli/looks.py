"""``jaxdream looks``; returns the exit code."""

import argparse

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE
from jaxdream.cli.options import read_settings
from jaxdream.cli.sheets import Entry, write_sheet
from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_size
from jaxdream.settings import SourceSettings
from jaxdream.settings.looks import LOOKS, RANDOM

_LONGEST = 384  # pixels of a picture in the sheet, unless a size is given


def show_looks(options: argparse.Namespace) -> int:
    if options.input is None:
        if options.output is not None:
            raise JaxdreamError("--output is for a sheet: name a picture to dream with each look")
        width = max(map(len, LOOKS))
        for name, look in LOOKS.items():
            session.report(f"{name:{width}}  {look.help}")
        session.report(f"{RANDOM:{width}}  another one for every --seed")
        return DONE
    output = session.output_path(options.output, session.beside(options.input, "_looks.png"))
    source = read_settings(options, SourceSettings)
    if source.size is None and max(read_size(options.input)) > _LONGEST:
        source = source.replace(size=str(_LONGEST))
    nothing_else = {"objective": None, "layer": None, "guide": [], "guide_weight": []}
    entries = [
        Entry(name, argparse.Namespace(**nothing_else, look=name, seed=options.seed))
        for name in LOOKS
    ]
    return write_sheet(options, output, entries, source)
