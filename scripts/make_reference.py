"""Build the API reference, HTML pages by pdoc, from the docstrings; or the tables of settings.

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
from oldest_versions import of_extra, read_project

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
REQUIREMENTS = ROOT / "requirements.txt"
# Between `<!-- NAME -->` and `<!-- /NAME -->` a page has a table of these settings.
TABLES: dict[str, tuple[type[Settings], ...]] = {
    "settings": (jd.DreamSettings, jd.SourceSettings, jd.Compute),
    "zoom settings": (jd.ZoomSettings,),
    "video settings": (jd.VideoSettings, jd.ClipSettings),
    "visualize settings": (jd.VisualizeSettings,),
    "page settings": (jd.PageSettings,),
    "examples settings": (jd.ExamplesSettings,),
    "atlas settings": (jd.AtlasSettings,),
}


def build(folder: Path) -> None:
    """Write the pages of everything public into a folder."""
    for module in (jd, jd.cluster):
        for name in dir(module):  # pdoc sees only what has been imported already
            setattr(module, name, getattr(module, name))
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


def requirements() -> str:
    """What a Space installs: all that jaxdream with the page needs, one a line."""
    project = read_project()
    lines = [
        "# For a Space (docs/page.md): what jaxdream with its page needs, from pyproject.toml.",
        "# Made by `python scripts/make_reference.py --tables`.",
        *project["dependencies"],
        *of_extra(project, "web"),
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description="build the API reference, or what the documentation has of the settings"
    )
    parser.add_argument("folder", type=Path, metavar="OUT_FOLDER", nargs="?")
    parser.add_argument(
        "--tables", action="store_true",
        help="write the tables of settings in docs, and requirements.txt",
    )  # fmt: skip
    options = parser.parse_args()
    if (options.folder is None) != options.tables:
        parser.error("give a folder for the reference, or --tables")
    if options.tables:
        for page in PAGES:
            page.write_text(with_tables(page.read_text("utf-8")), "utf-8")
        REQUIREMENTS.write_text(requirements(), "utf-8")
    else:
        build(options.folder)


if __name__ == "__main__":
    main()
