"""Objectives as text, as the command line takes them and ``repr`` shows them.

    0.5*inception_3b/output + inception_4c/output:12 - 0.01*total_variation()

A name is a layer's energy, ``name:index`` a channel's; numbers scale, ``+ - *`` and parentheses
combine. The functions are those of ``objectives``::

    neuron(LAYER, INDEX, X, Y)   X and Y from 0 to 1, the middle if left out
    logit(INDEX)                 also class(NAME), with quotes if it has spaces
    guide("FILE", LAYER)         a picture file; LAYER is the model's default one if left out
    caricature("FILE", LAYER)    a picture file
    direction("FILE", LAYER)     a .npy file
    l1(LAYER)
    total_variation(LAYER)       of the picture itself if LAYER is left out
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream import objectives
from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_image
from jaxdream.objectives.base import Objective

if TYPE_CHECKING:
    from jaxdream.models.network import Network

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"[^"]*"|'[^']*')
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w/]))
    | (?P<name>[A-Za-z_]\w*(?:[/.]\w+)*)
    | (?P<sign>[-+*():,])
    )""",
    re.VERBOSE,
)
_DEEPEST = 50  # parentheses within parentheses


class _Token(NamedTuple):
    kind: str  # text, number, name, sign, or end
    value: str
    at: int


Reader = Callable[[str], np.ndarray]


class Files(NamedTuple):
    """How the files that a text names are read."""

    picture: Reader  # path -> RGB, 0..255, (h, w, 3)
    vector: Reader  # path -> (channels,)


def parse_objective(text: str, model: "Network", *, files: Files | None = None) -> Objective:
    """The objective that a text means for a network.

    Args:
        text: for example ``"0.5*inception_3b/output + inception_4c/output:12"``; see the module.
        files: how named files are read; by default ``read_image`` and ``read_vector``.

    Raises:
        JaxdreamError: the text cannot be read (says where), or names a layer, channel, class or
            file that is not there.
    """
    objective = _Parser(text, model, files or Files(read_image, read_vector)).parse()
    objective.check(model.graph)
    return objective


def named_files(text: str) -> tuple[str, ...]:
    """The picture and vector files that a text names, each once.

    Raises:
        JaxdreamError: the text has characters that mean nothing.
    """
    return tuple(dict.fromkeys(token.value for token in _file_tokens(text)))


def with_files_renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for its files, by the names they have."""
    for token in reversed(_file_tokens(text)):
        end = token.at + len(token.value) + 2  # the quotes
        text = f"{text[: token.at]}{quoted(names[token.value])}{text[end:]}"
    return text


def quoted(name: str) -> str:
    """A file's name as an objective's text has it.

    Raises:
        JaxdreamError: it has both kinds of quotes.
    """
    mark = "'" if '"' in name else '"'
    if mark in name:
        raise JaxdreamError(f"{name}: rename the file so that its name has no quotes")
    return f"{mark}{name}{mark}"


def _file_tokens(text: str) -> list[_Token]:
    tokens = _tokens(text)
    return [
        token
        for function, sign, token in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token.kind == "text" and sign.value == "(" and function.value in _FILE_FUNCTIONS
    ]


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            place = len(text) - len(text[at:].lstrip())
            raise JaxdreamError(f"the objective {text!r} cannot be read at {text[place:]!r}")
        kind = str(match.lastgroup)
        value = match[kind][1:-1] if kind == "text" else match[kind]
        tokens.append(_Token(kind, value, match.start(kind)))
        at = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive descent: sums of products of factors."""

    def __init__(self, text: str, model: "Network", files: Files) -> None:
        self.text, self.model, self.files = text, model, files
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0

    def parse(self) -> Objective:
        value = self.sum()
        if self.next.kind != "end":
            raise self.error("an operator")
        if not isinstance(value, Objective):
            raise JaxdreamError(
                f"the objective {self.text!r} is only a number: name a layer to dream"
            )
        return value

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *signs: str) -> str | None:
        """The next sign, if it is one of these, passed over."""
        if self.next.kind == "sign" and self.next.value in signs:
            self.place += 1
            return self.tokens[self.place - 1].value
        return None

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.error(f"{sign!r}")

    def error(self, wanted: str) -> JaxdreamError:
        found = repr(self.text[self.next.at :]) if self.next.kind != "end" else "its end"
        return JaxdreamError(f"the objective {self.text!r}: {wanted} should stand before {found}")

    def sum(self) -> Objective | float:
        value = self.product()
        while sign := self.take("+", "-"):
            other = self.product()
            if isinstance(value, Objective) != isinstance(other, Objective):
                raise JaxdreamError(
                    f"the objective {self.text!r} adds a number to an objective, which changes "
                    "no dream: multiply instead"
                )
            value = value + other if sign == "+" else value - other  # pyright: ignore
        return value

    def product(self) -> Objective | float:
        value = self.factor()
        while self.take("*"):
            value = value * self.factor()
        return value

    def factor(self) -> Objective | float:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise JaxdreamError(f"the objective is nested more than {_DEEPEST} deep")
        try:
            if self.take("-"):
                return -self.factor()
            if self.take("("):
                value = self.sum()
                self.expect(")")
                return value
            if self.next.kind == "number":
                return self.number()
            if self.next.kind == "name":
                return self.named()
        finally:
            self.depth -= 1
        raise self.error("a layer")

    def number(self, *, whole: bool = False) -> float:
        token = self.next
        if token.kind != "number" or (whole and not token.value.isdigit()):
            raise self.error("a whole number" if whole else "a number")
        self.place += 1
        value = float(token.value)
        if value > (2**31 - 1 if whole else 1e30):
            raise JaxdreamError(f"the objective {self.text!r}: {token.value} is out of range")
        return value

    def named(self) -> Objective:
        name = self.name()
        if self.take("("):
            if name not in _FUNCTIONS:
                near = difflib.get_close_matches(name, _FUNCTIONS, n=1, cutoff=0)
                raise JaxdreamError(
                    f"the objective {self.text!r}: no function {name!r}: the nearest is {near[0]}"
                )
            objective = _FUNCTIONS[name](self)
            self.expect(")")
            return objective
        if self.take(":"):
            return objectives.channel(name, int(self.number(whole=True)))
        return objectives.layer(name)

    def name(self) -> str:
        if self.next.kind != "name":
            raise self.error("a layer")
        self.place += 1
        return self.tokens[self.place - 1].value

    def quoted(self) -> str:
        if self.next.kind != "text":
            raise self.error("a file's name in quotes")
        self.place += 1
        return self.tokens[self.place - 1].value

    def layer_after(self, default: str) -> str:
        """The layer after a comma, or the default where there is none."""
        return self.name() if self.take(",") else default


def _neuron(parser: _Parser) -> Objective:
    name = parser.name()
    parser.expect(",")
    index = int(parser.number(whole=True))
    position = (0.5, 0.5)
    if parser.take(","):
        x = parser.number()
        parser.expect(",")
        position = (x, parser.number())
        if max(position) > 1:
            raise JaxdreamError(
                f"the objective {parser.text!r}: a position is from 0 to 1, as a share of the "
                "layer's width and height"
            )
    return objectives.neuron(name, index, position=position)


def _class(parser: _Parser) -> Objective:
    from jaxdream.objectives.labels import resolve_class

    if parser.next.kind not in ("text", "name", "number"):
        raise parser.error("a class's name")
    parser.place += 1
    return objectives.logit(resolve_class(parser.tokens[parser.place - 1].value).index)


def _of_picture(
    make: Callable[["Network", np.ndarray, str], Objective],
) -> Callable[[_Parser], Objective]:
    def build(parser: _Parser) -> Objective:
        image = parser.files.picture(parser.quoted())
        return make(parser.model, image, parser.layer_after(parser.model.default_layer))

    return build


def _direction(parser: _Parser) -> Objective:
    vector = parser.files.vector(parser.quoted())
    return objectives.direction(parser.layer_after(parser.model.default_layer), vector)


_FUNCTIONS: Mapping[str, Callable[[_Parser], Objective]] = {
    "neuron": _neuron,
    "logit": lambda parser: objectives.logit(int(parser.number(whole=True))),
    "class": _class,
    "guide": _of_picture(objectives.guide),
    "caricature": _of_picture(objectives.caricature),
    "direction": _direction,
    "l1": lambda parser: objectives.l1(parser.name()),
    "total_variation": lambda parser: objectives.total_variation(
        parser.name() if parser.next.kind == "name" else "data"
    ),
}
_FILE_FUNCTIONS = ("guide", "caricature", "direction")


def read_vector(path: str) -> Float[np.ndarray, " c"]:
    """The numbers of a ``.npy`` file, (channels,).

    Raises:
        JaxdreamError: it cannot be read, or holds something else.
    """
    try:
        vector = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise JaxdreamError(f"{path}: there is no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise JaxdreamError(f"{path} is no .npy file of numbers: {error}") from error
    if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype.kind not in "fiu":
        shape = getattr(vector, "shape", "several arrays")
        raise JaxdreamError(f"{path} must hold one number per channel, not {shape}")
    return vector.astype(np.float32)
