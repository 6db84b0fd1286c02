"""Pages of HTML that ask nothing of any other machine, and files of text that are whole."""

import html
from pathlib import Path
from urllib.parse import quote

from jaxdream.files.reading import printable
from jaxdream.files.writing import replacing

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; }
td, th { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #8886; }
td.name, th.name { text-align: left; overflow-wrap: anywhere; }
figure { margin: 0; }
figcaption { font-size: .9rem; }
nav { display: flex; gap: 1rem; flex-wrap: wrap; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; }
.units { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .8rem;
  list-style: none; padding: 0; }
.units a { display: block; text-decoration: none; text-align: center; font-size: .9rem; }
.units img { aspect-ratio: 1; object-fit: cover; width: 100%; background: #8883; }
"""


def escaped(text: str) -> str:
    """A text in a page or in an attribute."""
    return html.escape(printable(text))


def link(name: str) -> str:
    """The address of a file beside a page, by its name."""
    return escaped(quote(name))


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """A whole page.

    Args:
        title: plain text.
        body: HTML.
    """
    code = f"<script>\n{script}</script>\n" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n"
        f"{body}{code}</body>\n</html>\n"
    )


def write_text(path: Path, text: str) -> None:
    """Write a file of text.

    Raises:
        JaxdreamError: it cannot be written.
    """
    content = text.encode("utf-8", "replace")
    with replacing(path) as file:
        file.write(content)
