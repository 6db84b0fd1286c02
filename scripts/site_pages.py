"""Pages of the site that are made from files elsewhere in the repository, for ``mkdocs.yml``.

README.md is the first page, CHANGELOG.md and others are pages as they are, and the reference has
an entry for every public name.
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
from jaxdream import objectives
from jaxdream.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
# Files of the repository that are pages of the site, and their places there.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "weights/README.md": "weights/README.md",
    "jaxdream/objectives/data/README.md": "class_names.md",
}
# Files that pages link to, as they are.
AS_THEY_ARE = {"LICENSE": "LICENSE.txt", "notebooks/jaxdream.ipynb": "notebooks/jaxdream.ipynb"}
_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]+)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere and the reference."""
    for source, place in ELSEWHERE.items():
        text = (ROOT / source).read_text("utf-8")
        text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # of the Space
        files.append(File.generated(config, place, content=_links(text, source, place)))
    for source, place in AS_THEY_ARE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for name, text in reference().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Links of a page in docs to files outside."""
    place = page.file.src_uri
    if place in ELSEWHERE.values() or place.startswith("reference/"):
        return markdown
    return _links(markdown, f"docs/{place}", place)


def _links(text: str, source: str, place: str) -> str:
    """The text of a file of the repository with its links as they are on the site.

    A link to a file that is no page, such as a module, becomes its name.
    """

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith(("mailto:", "#")):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        inside = path.removeprefix("docs/") if path.startswith("docs/") else None
        new = (ELSEWHERE | AS_THEY_ARE).get(path, inside)
        if new is None:
            raise ValueError(f"{source} links to {target}, which is no page of the site")
        return match[1] + posixpath.relpath(new, posixpath.dirname(place) or ".") + match[3]

    return _LINK.sub(moved, text)


def reference() -> dict[str, str]:
    """The pages of the reference by their names, from the public names."""
    pages: dict[str, list[Any]] = {"functions": [], "settings": [], "types": [], "objectives": []}
    for name in sorted({*dir(jaxdream)} - {"objectives", "__version__"}):  # the public ones
        value = getattr(jaxdream, name)
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
