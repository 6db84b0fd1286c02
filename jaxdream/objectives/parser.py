"""Reads the text of an objective: sums of products of factors; see ``text``."""

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdream import objectives
from jaxdream.errors import JaxdreamError, nearest_names
from jaxdream.objectives.base import Objective, Product, Scaled, Sum
from jaxdream.objectives.functions import FUNCTIONS
from jaxdream.objectives.masked import Mask
from jaxdream.objectives.tokens import Token, read_tokens, shortened

if TYPE_CHECKING:
    from jaxdream.models.network import Network
    from jaxdream.objectives.files import ObjectiveFiles

_DEEPEST = 50  # parentheses within parentheses
_MOST_TERMS = 1000
_MOST_FACTORS = 100


class Parser:
    """Recursive descent: sums of products of factors."""

    def __init__(self, text: str, model: "Network", files: "ObjectiveFiles") -> None:
        self.text, self.model, self.files = text, model, files
        self.tokens = read_tokens(text)
        self.place = 0
        self.depth = 0

    def parse(self) -> Objective:
        """The objective that the whole text means.

        Raises:
            JaxdreamError: the text cannot be read.
        """
        value = self.sum()
        if self.next.kind != "end":
            raise self.expected("+, - or *")
        return self._as_objective(value)

    def objective(self) -> Objective:
        """An objective as an argument of a function."""
        return self._as_objective(self.sum())

    def _as_objective(self, value: "Objective | Mask | float") -> Objective:
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
            if name not in FUNCTIONS:
                near = difflib.get_close_matches(name, FUNCTIONS, n=1, cutoff=0)
                raise self.error(f"no function {name!r}: {nearest_names(near[:1])}")
            objective = FUNCTIONS[name](self)
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

    def network(self) -> str:
        """The name of a network, with or without quotes."""
        if self.next.kind not in ("name", "text"):
            raise self.expected("the name of a network")
        return self.advance()

    def layer_after_file(self, *options: str) -> str:
        """The layer after a comma, or the model's default one where there is none but options."""
        if self.follows("name") and self.tokens[self.place + 1].value not in options:
            self.expect(",")
            return self.layer()
        return self.model.default_layer

    def follows(self, kind: str, *, after: int = 0) -> bool:
        """Whether a comma and a word of this kind come next, or after so many words."""
        words = self.tokens[self.place + after :][:2]
        commas = [word.kind == "sign" and word.value == "," for word in words]
        return commas[:1] == [True] and words[-1].kind == kind

    def options(self, *names: str, comma: bool = True) -> dict[str, Any]:
        """Options, each once, in any order: words, or numbers as ``NAME=NUMBER``.

        Args:
            names: of those that can be given; with a "=" at the end where they are numbers.
            comma: whether there is one before the first.
        """
        found: dict[str, Any] = {}
        while self.take(",") if comma or found else self.next.kind == "name":
            name = self.next.value
            if name in found:
                raise self.error(f"{name} is given twice")
            if self.next.kind != "name" or not {name, f"{name}="} & set(names):
                raise self.expected(" or ".join(n + "NUMBER" * n.endswith("=") for n in names))
            self.advance()
            found[name] = True
            if f"{name}=" in names:
                self.expect("=")
                found[name] = self.number()
        return found
