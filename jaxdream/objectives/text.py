"""Objectives as text, as the command line takes them and ``repr`` shows them.

    0.5*inception_3b/output + inception_4c/output:12 - 0.01*total_variation()

A layer's name is the layer's energy, ``LAYER:INDEX`` a channel's energy; numbers scale, ``+ - *``
and parentheses combine. A class's name alone is its logit. The functions are those of
``objectives``; a file stands for the model and the picture, or for the vector, and comes before
the layer, which can be left out::

    channel(LAYER, INDEX)         the channel's mean activation
    channel_energy(LAYER, INDEX)  the same as LAYER:INDEX
    strongest(LAYER, N)           the energy of the N channels that the picture excites most
    weakest(LAYER, N)             of those that it excites least
    without(LAYER, N)             of all except the N that it excites most
                                  with every_octave after N, these three choose the channels
                                  again before every octave
    neuron(LAYER, INDEX, X, Y)    X and Y from 0 to 1, the middle if left out
    neuron(LAYER, INDEX, TOKEN)   of a layer that is a sequence of tokens, from 0
    logit(CLASS)                  an index, or a name with quotes; class(CLASS) is the same
    guide("FILE", LAYER)          a picture file; LAYER is the model's default one if left out
    caricature("FILE", LAYER)     a picture file
    direction("FILE", LAYER)      a .npy file
    mask("FILE")*OBJECTIVE        a sum over positions, where the picture FILE is white;
                                  mask("FILE", inverted) where it is black
    l1(LAYER)
    total_variation(LAYER)        of the picture itself if LAYER is left out
"""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from jaxdream import objectives
from jaxdream.errors import JaxdreamError
from jaxdream.objectives.base import Objective, Product, Scaled, Sum
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.labels import KNOWN_CLASSES, classes_of, named_classes
from jaxdream.objectives.masked import Mask
from jaxdream.objectives.terms import EVERY_OCTAVE
from jaxdream.objectives.tokens import Token, read_tokens, shortened

if TYPE_CHECKING:
    from jaxdream.models.network import Network

_DEEPEST = 50  # parentheses within parentheses
_MOST_TERMS = 1000
_MOST_FACTORS = 100


def as_objective(objective: Objective | str | None, model: "Network") -> Objective:
    """An objective for a network, checked against it.

    Args:
        objective: an objective; or its text, which may be a layer's or a class's name
            (``parse_objective``); or None for the energy of the model's default layer.

    Raises:
        JaxdreamError: it is none of these, or the network lacks what it names.
    """
    if isinstance(objective, str):
        return parse_objective(objective, model)
    if objective is None:
        objective = objectives.layer(model.default_layer)
    if not isinstance(objective, Objective):
        raise JaxdreamError(
            f"an objective cannot be of type {type(objective).__name__}: give one of "
            'jaxdream.objectives, or a text such as "inception_4c/output"'
        )
    objective.check(model.graph)
    return objective


def parse_objective(
    text: str, model: "Network", *, files: ObjectiveFiles | None = None
) -> Objective:
    """The objective that a text means for a network.

    Args:
        text: for example ``"0.5*inception_3b/output + inception_4c/output:12"``, or a class's name
            such as ``"banana"``; see the module.
        files: reads the files that the text names, and keeps their hashes; by default they are
            read as they are.

    Raises:
        JaxdreamError: the text cannot be read (says where), or names a layer, channel, class or
            file that does not exist.
    """
    objective = _class_named(text, model)
    if objective is None:
        objective = _Parser(text, model, files or ObjectiveFiles()).parse()
    objective.check(model.graph)
    return objective


def names_objective(text: str, model: "Network") -> bool:
    """Whether a text means an objective for a network."""
    try:
        parse_objective(text, model)
    except JaxdreamError:
        return False
    return True


def named_files(text: str) -> tuple[str, ...]:
    """The picture and vector files that a text names, each once.

    Raises:
        JaxdreamError: the text has characters that mean nothing.
    """
    return tuple(dict.fromkeys(token.value for token in _file_tokens(text)))


def with_files_renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for its files, by the names they have.

    Raises:
        JaxdreamError: a file in the text is not among the names, or as ``named_files``.
    """
    for token in reversed(_file_tokens(text)):
        if token.value not in names:
            raise JaxdreamError(
                f"the objective names the file {shortened(token.value)!r}, which is not among "
                "the files listed with it"
            )
        end = token.start + len(token.value) + 2  # the quotes
        text = f"{text[: token.start]}{quoted(names[token.value])}{text[end:]}"
    return text


def without_folders(text: str) -> str:
    """The text with the names of its files alone, as a recipe has it.

    Raises:
        JaxdreamError: as ``named_files``.
    """
    return with_files_renamed(text, {path: PurePath(path).name for path in named_files(text)})


def quoted(name: str) -> str:
    """A file's name as an objective's text has it.

    Raises:
        JaxdreamError: it has both kinds of quotes.
    """
    mark = "'" if '"' in name else '"'
    if mark in name:
        raise JaxdreamError(f"{name}: rename the file so that its name has no quotes")
    return f"{mark}{name}{mark}"


def _class_named(text: str, model: "Network") -> Objective | None:
    """The logit of a class where its name is all of the text, and is no layer's name."""
    if not re.fullmatch(r"[\w /-]+", text):
        return None
    if not any(named_classes(text, classes=classes()) for classes in KNOWN_CLASSES):
        return None
    if _has_layer(model, text) or not _has_layer(model, "logits"):
        return None
    return objectives.logit(text, classes=classes_of(model.graph))


def _has_layer(model: "Network", name: str) -> bool:
    try:
        model.graph.resolve(name)
    except JaxdreamError:
        return False
    return True


def _file_tokens(text: str) -> list[Token]:
    tokens = read_tokens(text)
    return [
        token
        for function, sign, token in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token.kind == "text" and sign.value == "(" and function.value in _FILE_FUNCTIONS
    ]


class _Parser:
    """Recursive descent: sums of products of factors."""

    def __init__(self, text: str, model: "Network", files: ObjectiveFiles) -> None:
        self.text, self.model, self.files = text, model, files
        self.tokens = read_tokens(text)
        self.place = 0
        self.depth = 0

    def parse(self) -> Objective:
        value = self.sum()
        if self.next.kind != "end":
            raise self.expected("+, - or *")
        if isinstance(value, Mask):
            raise self.error("it is only a mask: multiply it by what is dreamed there")
        if not isinstance(value, Objective):
            raise self.error("it is only a number: name a layer to dream")
        return value

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def advance(self) -> str:
        """The next token's value, passed over."""
        self.place += 1
        return self.tokens[self.place - 1].value

    def take(self, *signs: str) -> str | None:
        """The next sign, if it is one of these, passed over."""
        return self.advance() if self.next.kind == "sign" and self.next.value in signs else None

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.expected(f"{sign!r}")

    def error(self, message: str) -> JaxdreamError:
        return JaxdreamError(f"objective {shortened(self.text)!r}: {message}")

    def expected(self, wanted: str) -> JaxdreamError:
        rest = shortened(self.text[self.next.start :])
        place = "at the end" if self.next.kind == "end" else f"before {rest!r}"
        return self.error(f"expected {wanted} {place}")

    def sum(self) -> Objective | Mask | float:
        value = self.product()
        while sign := self.take("+", "-"):
            other = self.product()
            if isinstance(value, Mask) or isinstance(other, Mask):
                raise self.error("a mask is multiplied by what is dreamed there, not added")
            if isinstance(value, Objective) != isinstance(other, Objective):
                raise self.error(
                    "adding a number to an objective changes no picture: multiply by it instead"
                )
            value = value + other if sign == "+" else value - other  # pyright: ignore
            if isinstance(value, Sum) and len(value.terms) > _MOST_TERMS:
                raise self.error(f"a sum can have at most {_MOST_TERMS} terms")
        return value

    def product(self) -> Objective | Mask | float:
        value = self.factor()
        while self.take("*"):
            value = value * self.factor()  # pyright: ignore[reportOperatorIssue]
            product = value.objective if isinstance(value, Scaled) else value
            if isinstance(product, Product) and len(product.factors) > _MOST_FACTORS:
                raise self.error(f"a product can have at most {_MOST_FACTORS} factors")
        return value

    def factor(self) -> Objective | Mask | float:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error(f"it is nested more than {_DEEPEST} deep")
        try:
            if self.take("-"):
                return -self.factor()
            if self.take("("):
                value = self.sum()
                self.expect(")")
                return value
            if self.next.kind == "number":
                return self.number()
            return self.named()
        finally:
            self.depth -= 1

    def number(self) -> float:
        if self.next.kind != "number":
            raise self.expected("a number")
        text = self.advance()
        value = float(text)
        with np.errstate(over="ignore"):
            if not np.isfinite(np.float32(value)):
                raise self.error(f"{text} is out of range")
        return value

    def index(self) -> int:
        if self.next.kind != "number" or not self.next.value.isdigit():
            raise self.expected("a whole number")
        text = self.advance()
        if len(text) > 9:
            raise self.error(f"{text} is out of range")
        return int(text)

    def named(self) -> Objective | Mask:
        name = self.layer()
        if self.take("("):
            if name not in _FUNCTIONS:
                near = difflib.get_close_matches(name, _FUNCTIONS, n=1, cutoff=0)
                raise self.error(f"no function {name!r}: the nearest is {near[0]}")
            objective = _FUNCTIONS[name](self)
            self.expect(")")
            return objective
        if self.take(":"):
            return objectives.channel_energy(name, self.index())
        return objectives.layer(name)

    def layer(self) -> str:
        if self.next.kind != "name":
            raise self.expected("a layer name")
        return self.advance()

    def file(self) -> str:
        if self.next.kind != "text":
            raise self.expected("a file's name in quotes")
        return self.advance()

    def word(self, word: str) -> bool:
        """Whether a comma and this word follow, which are then read."""
        if not self.take(","):
            return False
        if self.next.value != word:
            raise self.expected(word)
        self.advance()
        return True

    def comes_last(self) -> bool:
        """Whether the next word is a function's last."""
        return [token.value for token in self.tokens[self.place + 1 :][:1]] == [")"]

    def layer_after_file(self) -> str:
        """The layer after a comma, or the model's default one."""
        return self.layer() if self.take(",") else self.model.default_layer


def _of_channel(make: Callable[[str, int], Objective]) -> Callable[[_Parser], Objective]:
    def build(parser: _Parser) -> Objective:
        layer = parser.layer()
        parser.expect(",")
        return make(layer, parser.index())

    return build


def _ranked(make: Callable[..., Objective]) -> Callable[[_Parser], Objective]:
    def build(parser: _Parser) -> Objective:
        layer = parser.layer()
        parser.expect(",")
        return make(layer, parser.index(), every_octave=parser.word(EVERY_OCTAVE))

    return build


def _neuron(parser: _Parser) -> Objective:
    layer = parser.layer()
    parser.expect(",")
    index = parser.index()
    if not parser.take(","):
        return objectives.neuron(layer, index)
    if parser.comes_last():
        return objectives.neuron(layer, index, token=parser.index())
    x = parser.number()
    parser.expect(",")
    return objectives.neuron(layer, index, position=(x, parser.number()))


def _logit(parser: _Parser) -> Objective:
    if parser.next.kind == "number":
        return objectives.logit(parser.index())
    if parser.next.kind not in ("text", "name"):
        raise parser.expected("a class")
    return objectives.logit(parser.advance(), classes=classes_of(parser.model.graph))


def _of_picture(
    make: Callable[["Network", np.ndarray, str], Objective],
) -> Callable[[_Parser], Objective]:
    def build(parser: _Parser) -> Objective:
        image = parser.files.picture(parser.file())
        return make(parser.model, image, parser.layer_after_file())

    return build


def _mask(parser: _Parser) -> Mask:
    shares = parser.files.mask(parser.file())
    return objectives.mask(1 - shares if parser.word("inverted") else shares)


def _direction(parser: _Parser) -> Objective:
    vector = parser.files.vector(parser.file())
    return objectives.direction(parser.layer_after_file(), vector)


_FUNCTIONS: Mapping[str, Callable[[_Parser], Objective | Mask]] = {
    "channel": _of_channel(objectives.channel),
    "channel_energy": _of_channel(objectives.channel_energy),
    "strongest": _ranked(objectives.strongest),
    "weakest": _ranked(objectives.weakest),
    "without": _ranked(objectives.without),
    "neuron": _neuron,
    "logit": _logit,
    "class": _logit,
    "guide": _of_picture(objectives.guide),
    "caricature": _of_picture(objectives.caricature),
    "direction": _direction,
    "mask": _mask,
    "l1": lambda parser: objectives.l1(parser.layer()),
    "total_variation": lambda parser: objectives.total_variation(
        parser.layer() if parser.next.kind == "name" else "data"
    ),
}
_FILE_FUNCTIONS = ("guide", "caricature", "direction", "mask")
