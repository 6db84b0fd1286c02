"""The words of an objective's text."""

import re
from typing import NamedTuple

from jaxdream.errors import JaxdreamError

# A number is one only where no name goes on: "4c" and "3b/output" are layers.
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"[^"]*"|'[^']*')
    | (?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?+(?![\w/]|\.\w))
    | (?P<name>\w++(?:[/.]\w++)*+)
    | (?P<sign>[-+*():,=])
    )""",
    re.VERBOSE | re.ASCII,
)
_LONGEST = 10_000  # characters


class Token(NamedTuple):
    kind: str  # text, number, name, sign, or end
    value: str
    start: int  # in the text


def read_tokens(text: str) -> list[Token]:
    """The words of a text; the last is its end.

    Raises:
        JaxdreamError: it has characters that mean nothing, or too many.
    """
    if len(text) > _LONGEST:
        raise JaxdreamError(
            f"the objective has {len(text):,} characters: it can have at most {_LONGEST:,}"
        )
    tokens, start = [], 0
    while text[start:].strip():
        match = _TOKEN.match(text, start)
        if match is None:
            rest = shortened(text[start:].lstrip())
            raise JaxdreamError(f"objective {shortened(text)!r}: cannot read {rest!r}")
        kind = str(match.lastgroup)
        value = match[kind][1:-1] if kind == "text" else match[kind]
        tokens.append(Token(kind, value, match.start(kind)))
        start = match.end()
    return [*tokens, Token("end", "", len(text))]


def shortened(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= 80 else f"{text[:80]}..."
