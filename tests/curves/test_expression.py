import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.curves.expression import parse_expression


def value(text, seconds=0.0, frame=0):
    return parse_expression(text).at(seconds=seconds, frame=frame)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.02", 0.02),
        (".5e1", 5),
        ("1 + 2*3", 7),
        ("8/4/2 - 3 - 1", -3),
        ("-2*-(3 - 1)", 4),
        ("2*pi*t/3", 2 * math.pi * 0.5 / 3),
        ("f*t", 6),
        ("min(t, f) + max(1, 2)", 2.5),
        ("abs(cos(pi)) + sin(0)", 1),
    ],
)
def test_values(text, expected):
    assert value(text, 0.5, 12) == pytest.approx(expected)


NUMBERS = st.sampled_from(["t", "f", "pi", "2", "0.5", "3e2"])
TREES = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map("".join),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"sin({text})"),
        st.tuples(inner, inner).map(lambda both: f"max({both[0]}, {both[1]})"),
    ),
    max_leaves=8,
)


@given(TREES, st.floats(0, 100), st.integers(0, 100))
def test_values_are_those_of_python(text, seconds, frame):
    names = {"t": seconds, "f": frame, "pi": math.pi, "sin": math.sin, "max": max}
    assert value(text, seconds, frame) == pytest.approx(eval(text, names), abs=1e-9)


@given(st.text(alphabet="0123456789.e+-*/(), tfpinsmaxo", max_size=30))
def test_any_text_has_a_value_or_is_refused(text):
    with contextlib.suppress(JaxdreamError):
        assert math.isfinite(value(text, 1.5, 3))


def test_long_sums_are_no_deep_recursion():
    assert value("+".join(["1"] * 1000)) == 1000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a number at the end"),
        ("1 +", "expected a number at the end"),
        ("(1", r"expected '\)' at the end"),
        ("1 2", r"expected \+ - \* or / before '2'"),
        ("min(1)", r"expected ',' before '\)'"),
        ("sin 1", r"expected '\(' before '1'"),
        ("cso(t)", "no name 'cso': did you mean cos"),
        ("exit()", "no name 'exit': there are t, f, pi, sin"),
        ("t ** 2", r"expected a number before '\* 2'"),
        ("2 & 3", "cannot read '& 3'"),
        ("1e999", "1e999 is too large a number"),
        ("(" * 60 + "1" + ")" * 60, "nested more than 50 deep"),
        ("1" * 2001, "at most 2,000 characters"),
        ("1/t", "'1/t' divides by 0"),
        ("1e300*1e300", "is too large a number"),
        ("sin(1e300*1e300)", "is too large a number"),
    ],
)
def test_bad_expressions(text, says):
    with pytest.raises(JaxdreamError, match=says):
        value(text)


def test_constants_are_known():
    assert parse_expression("2*(pi - 1)").is_constant
    assert not parse_expression("2*t").is_constant
    assert not parse_expression("min(1, f)").is_constant
