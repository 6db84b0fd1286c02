"""Pages of the site that are made from files elsewhere in the repository, for ``mkdocs.yml``.

README.md is the first page, CHANGELOG.md and others are pages as they are, and the reference has
an entry for every public name. Links are those of the repository, and are changed on every page.
"""

import inspect
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import jaxdream
from jaxdream import cluster, objectives
from jaxdream.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
# The places of files that are pages, and of those that pages link to as they are.
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "weights/README.md": "weights/README.md",
    "jaxdream/objectives/data/README.md": "class_names.md",
    "LICENSE": "LICENSE.txt",
    "notebooks/jaxdream.ipynb": "notebooks/jaxdream.ipynb",
    "notebooks/research.ipynb": "notebooks/research.ipynb",
}
SOURCES = {place: source for source, place in PLACES.items()}
_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]+)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere and the reference."""
    for source, place in PLACES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for name, text in reference().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """A page with its links as they are on the site, and without the header of a Space."""
    place = page.file.src_uri
    source = SOURCES.get(place, f"docs/{place}")

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        new = PLACES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        if new is None:
            raise ValueError(f"{source} links to {target}, which is no page of the site")
        return match[1] + posixpath.relpath(new, posixpath.dirname(place) or ".") + match[3]

    return markdown if place.startswith("reference/") else _LINK.sub(moved, markdown)


def reference() -> dict[str, str]:
    """The pages of the reference by their names, from the public names."""
    pages: dict[str, list[Any]] = {"functions": [], "settings": [], "types": [], "objectives": []}
    public = {*dir(jaxdream)} - {"cluster", "objectives", "__version__"}
    values = [getattr(jaxdream, name) for name in sorted(public)]
    for value in [*values, *(getattr(cluster, name) for name in sorted(cluster.__all__))]:
        if not inspect.isclass(value):
            kind = "functions" if inspect.isfunction(value) else "settings"
        else:
            kind = "settings" if issubclass(value, Settings) else "types"
        pages[kind].append(value)
    pages["objectives"] = [getattr(objectives, name) for name in sorted(objectives.__all__)]
    return {
        kind: "\n\n".join([f"# {kind.capitalize()}", *filter(None, map(_entry, values))])
        for kind, values in pages.items()
    }


def _entry(value: Any) -> str | None:
    """What stands in the reference for a function or a class of ours; None for anything else."""
    module = getattr(value, "__module__", "")
    if not isinstance(module, str) or not module.startswith("jaxdream"):
        return None
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return None
    return f"::: {module}.{value.__qualname__}"
