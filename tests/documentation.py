"""The pages of the documentation, and the code on them."""

import re
from collections.abc import Iterator
from pathlib import Path

from helpers import ROOT

PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "weights/*.md", "jaxdream/**/*.md")
    for page in ROOT.glob(pattern)
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
# How a fenced block may be marked; those of `text` are drawings and hold no code.
LANGUAGES = ("sh", "console", "python", "yaml", "text")


def read(page: Path | str) -> str:
    """The text of a page, by its path or its name."""
    return (ROOT / page).read_text("utf-8")


def fenced(text: str) -> Iterator[tuple[str, str]]:
    """What stands behind each fence that opens a block, and the block's lines."""
    language, lines = None, []
    for line in text.splitlines(keepends=True):
        if not re.match(r"[\s>*-]*(```|~~~)", line):
            lines.append(line)
        elif language is None:
            language, lines = line.strip().removeprefix("```"), []
        else:
            yield language, "".join(lines)
            language = None
    assert language is None, "a block has no end"


def blocks(text: str, *languages: str) -> list[str]:
    """The code of a page's blocks in these languages."""
    return [code for language, code in fenced(text) if language in languages]


def prose(text: str) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def inline_code(text: str) -> list[str]:
    """What a page has between single backquotes, outside of blocks; it may go over a line's end."""
    paragraphs = re.split(r"\n\s*\n|\n(?=[-*|\d#])", prose(text))
    return [
        " ".join(code.split()) for part in paragraphs for code in re.findall(r"`([^`]+)`", part)
    ]
