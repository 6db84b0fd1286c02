"""Build the API reference, HTML pages by pdoc, from the docstrings.

python scripts/make_reference.py OUT_FOLDER
"""

import argparse
import warnings
from pathlib import Path

import pdoc

import jaxdream


def build(folder: Path) -> None:
    """Write the pages of everything public into a folder."""
    for name in jaxdream.__all__:  # pdoc sees only what has been imported already
        setattr(jaxdream, name, getattr(jaxdream, name))
    # Seen from the project's folder there are two, this and the installed one: the same.
    warnings.filterwarnings("ignore", "'jaxdream' may refer")
    pdoc.pdoc("jaxdream", output_directory=folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="build the API reference")
    parser.add_argument("folder", type=Path, metavar="OUT_FOLDER")
    build(parser.parse_args().folder)
