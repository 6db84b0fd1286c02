"""Numbers that depend on the time: ``0.02 + 0.01*sin(2*pi*t/3)``.

In an expression ``t`` is the second and ``f`` the number of the frame, from 0; ``pi`` is a number,
``sin cos abs min max`` are functions (angles in radians), ``+ - * /`` and parentheses combine.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jaxdream.errors import JaxdreamError

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?+)"
    r"|(?P<name>[A-Za-z_]\w*+)|(?P<sign>[-+*/(),]))",
    re.ASCII,
)
_LONGEST = 2000  # characters
_DEEPEST = 50  # parentheses within parentheses
_VARIABLES = ("t", "f")


class _Function(NamedTuple):
    compute: Callable[..., float]
    arguments: int


_FUNCTIONS: Mapping[str, _Function] = {
    "sin": _Function(math.sin, 1),
    "cos": _Function(math.cos, 1),
    "abs": _Function(math.fabs, 1),
    "min": _Function(min, 2),
    "max": _Function(max, 2),
}
_SIGNS: Mapping[str, _Function] = {
    "+": _Function(operator.add, 2),
    "-": _Function(operator.sub, 2),
    "*": _Function(operator.mul, 2),
    "/": _Function(operator.truediv, 2),
}
_NEGATE = _Function(lambda number: -number, 1)
_NAMES = (*_VARIABLES, "pi", *_FUNCTIONS)


@dataclass(frozen=True)
class Expression:
    """A number, or how to compute one from the time."""

    text: str
    # In the order of computation, each function after its arguments: so that computing a long
    # expression is no deep recursion.
    operations: tuple[float | str | _Function, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at all times."""
        return not any(isinstance(each, str) for each in self.operations)

    def at(self, *, seconds: float, frame: int) -> float:
        """The number at a time.

        Raises:
            JaxdreamError: a division by 0, or the result is too large.
        """
        variables, stack = {"t": seconds, "f": float(frame)}, []
        for operation in self.operations:
            if isinstance(operation, _Function):
                arguments = stack[-operation.arguments :]
                del stack[-operation.arguments :]
                try:
                    stack.append(operation.compute(*arguments))
                except ZeroDivisionError:
                    raise JaxdreamError(f"{self.text!r} divides by 0") from None
                except ValueError:  # the sine of infinity
                    raise JaxdreamError(f"{self.text!r} is too large a number") from None
            else:
                stack.append(variables[operation] if isinstance(operation, str) else operation)
        (number,) = stack
        if not math.isfinite(number):
            raise JaxdreamError(f"{self.text!r} is too large a number")
        return number

    def __str__(self) -> str:
        return self.text


def parse_expression(text: str) -> Expression:
    """The expression that a text means; see the module.

    Raises:
        JaxdreamError: it cannot be read (says where), or has names that mean nothing.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise JaxdreamError(f"an expression has at most {_LONGEST:,} characters, not {len(text):,}")
    return Expression(text, tuple(_Parser(text).parse()))


class _Token(NamedTuple):
    kind: str  # number, name, sign, or end
    value: str
    start: int  # in the text


def _read_tokens(text: str) -> list[_Token]:
    tokens, start = [], 0
    while text[start:].strip():
        match = _TOKEN.match(text, start)
        if match is None:
            raise JaxdreamError(
                f"cannot read {text[start:].strip()!r}: there are numbers, + - * / ( ), and "
                f"{', '.join(_NAMES)}"
            )
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        start = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive descent: sums of products of factors."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _read_tokens(text)
        self.place = 0
        self.depth = 0
        self.operations: list[float | str | _Function] = []

    def parse(self) -> list[float | str | _Function]:
        self.sum()
        if self.next.kind != "end":
            raise self.expected("+ - * or /")
        return self.operations

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *signs: str) -> str | None:
        """The next sign, if it is one of these, passed over."""
        if self.next.kind != "sign" or self.next.value not in signs:
            return None
        self.place += 1
        return self.tokens[self.place - 1].value

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.expected(repr(sign))

    def expected(self, wanted: str) -> JaxdreamError:
        rest = self.text[self.next.start :]
        return JaxdreamError(f"expected {wanted} {f'before {rest!r}' if rest else 'at the end'}")

    def sum(self) -> None:
        self.product()
        while sign := self.take("+", "-"):
            self.product()
            self.operations.append(_SIGNS[sign])

    def product(self) -> None:
        self.factor()
        while sign := self.take("*", "/"):
            self.factor()
            self.operations.append(_SIGNS[sign])

    def factor(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise JaxdreamError(f"it is nested more than {_DEEPEST} deep")
        if self.take("-"):
            self.factor()
            self.operations.append(_NEGATE)
        elif self.take("("):
            self.sum()
            self.expect(")")
        elif self.next.kind == "number":
            self.number()
        elif self.next.kind == "name":
            self.named()
        else:
            raise self.expected("a number")
        self.depth -= 1

    def number(self) -> None:
        text = self.next.value
        if not math.isfinite(float(text)):
            raise JaxdreamError(f"{text} is too large a number")
        self.place += 1
        self.operations.append(float(text))

    def named(self) -> None:
        name = self.next.value
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_NAMES)}"
            raise JaxdreamError(f"no name {name!r}: {hint}")
        self.place += 1
        if name not in _FUNCTIONS:
            self.operations.append(math.pi if name == "pi" else name)
            return
        function = _FUNCTIONS[name]
        self.expect("(")
        self.sum()
        for _ in range(function.arguments - 1):
            self.expect(",")
            self.sum()
        self.expect(")")
        self.operations.append(function)
