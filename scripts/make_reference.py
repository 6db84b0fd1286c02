"""Build the API reference, HTML pages by pdoc, from the docstrings; or the README's tables.

python scripts/make_reference.py OUT_FOLDER
python scripts/make_reference.py --tables
"""

import argparse
import re
import warnings
from pathlib import Path

import pdoc

import jaxdream as jd
from jaxdream.settings import Settings, settings_table

README = Path(__file__).resolve().parents[1] / "README.md"
# Between `<!-- NAME -->` and `<!-- /NAME -->` the README has a table of these settings.
TABLES: dict[str, tuple[type[Settings], ...]] = {
    "settings": (jd.DreamSettings, jd.SourceSettings, jd.Compute),
    "zoom settings": (jd.ZoomSettings,),
    "video settings": (jd.VideoSettings, jd.ClipSettings),
    "visualize settings": (jd.VisualizeSettings,),
}


def build(folder: Path) -> None:
    """Write the pages of everything public into a folder."""
    for name in dir(jd):  # pdoc sees only what has been imported already
        setattr(jd, name, getattr(jd, name))
    # Run from the project's folder there are two jaxdreams, this and the installed one: the same.
    warnings.filterwarnings("ignore", "'jaxdream' may refer")
    pdoc.pdoc("jaxdream", output_directory=folder)


def with_tables(text: str) -> str:
    """A page with today's tables of settings between its markers."""
    for name, classes in TABLES.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        table = settings_table(*classes)
        text = marked.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="build the API reference, or the README's tables")
    parser.add_argument("folder", type=Path, metavar="OUT_FOLDER", nargs="?")
    parser.add_argument(
        "--tables", action="store_true", help="write README.md's tables of settings"
    )
    options = parser.parse_args()
    if (options.folder is None) != options.tables:
        parser.error("give a folder for the reference, or --tables")
    if options.tables:
        README.write_text(with_tables(README.read_text("utf-8")), "utf-8")
    else:
        build(options.folder)


if __name__ == "__main__":
    main()
