import contextlib
import inspect
import math
import operator
from functools import cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream import objectives
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import Conv, Input
from jaxdream.objectives.base import Objective
from jaxdream.objectives.text import (
    as_objective,
    named_files,
    parse_objective,
    with_files_renamed,
    without_folders,
)


def neuron_at(index, x, y):
    return objectives.neuron("first", index, position=(x, y))


SHARES = st.floats(0, 1, width=32)
WEIGHTS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, -2.0, 1e-45, -1e-38, 3.4028234e38, 1e-5]),
    st.floats(-1e6, 1e6, width=32),
)
LEAVES = st.one_of(
    st.tuples(st.just(objectives.layer), st.sampled_from(["first", "second", "alias"])),
    st.tuples(
        st.sampled_from([objectives.channel, objectives.channel_energy]),
        st.just("second"),
        st.integers(0, 4),
    ),
    st.tuples(st.just(neuron_at), st.integers(0, 3), SHARES, SHARES),
    st.tuples(st.just(objectives.l1), st.just("relu")),
    st.tuples(st.just(objectives.total_variation)),
)
# Half of all objectives that are added or multiplied have a weight.
WEIGHTED = st.one_of(LEAVES, st.tuples(st.just(operator.mul), LEAVES, WEIGHTS))
TREES = st.recursive(
    WEIGHTED,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([operator.add, operator.sub, operator.mul]), inner, inner),
        st.tuples(st.just(operator.mul), WEIGHTS, inner),
        st.tuples(st.just(operator.neg), inner),
    ),
    max_leaves=8,
)
RANDOM = np.random.default_rng(7)
SHAPES = {"data": (4, 5, 3), "first": (2, 3, 4), "relu": (2, 3, 4), "second": (3, 2, 5)}
ACTS = {name: jnp.asarray(RANDOM.normal(size=shape), jnp.float32) for name, shape in SHAPES.items()}
ACTS["alias"] = ACTS["second"]


def build(tree, leaf=lambda function, *arguments: function(*arguments)):
    """The result of a function and its arguments, which may be such trees; leaves by ``leaf``."""
    if not isinstance(tree, tuple):
        return tree
    function, *arguments = tree
    if function in (operator.add, operator.sub, operator.mul, operator.neg):
        return function(*(build(argument, leaf) for argument in arguments))
    return leaf(function, *arguments)


@cache
def leaf_value(function, *arguments):
    return float(function(*arguments)(ACTS))


def bound(tree, smallest):
    """The size that a tree's value can have at most, with numbers and leaves of at least one."""
    if not isinstance(tree, tuple):
        return max(abs(tree), smallest)
    function, *arguments = tree
    if function in (operator.add, operator.sub, operator.neg):
        return sum(bound(argument, smallest) for argument in arguments)
    if function is operator.mul:
        return math.prod(bound(argument, smallest) for argument in arguments)
    return max(abs(leaf_value(*tree)), smallest)


@settings(deadline=None, max_examples=100)
@given(TREES)
@example(
    (operator.add, L1 := (objectives.l1, "relu"), (operator.mul, (operator.mul, L1, -0.0), L1))
)
def test_what_repr_shows_is_read_as_the_same(tiny, tree):
    try:
        objective = build(tree)
    except jd.JaxdreamError:  # a product of weights beyond float32's range
        reject()
    again = parse_objective(repr(objective), tiny)
    assert repr(again) == repr(objective)
    assert jax.tree.structure(again) == jax.tree.structure(objective)
    for mine, theirs in zip(*map(jax.tree.leaves, (objective, again)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(np.signbit(mine), np.signbit(theirs))
    value = float(objective(ACTS))
    np.testing.assert_array_equal(float(again(ACTS)), value)
    if bound(tree, 1) < 1e37:  # nothing on the way overflows
        # XLA takes weights under the smallest normal number for 0.
        flushed = float(np.finfo(np.float32).tiny) * bound(tree, 1)
        rounding = 1e-4 * bound(tree, 0) + 1e-30 + flushed
        assert value == pytest.approx(build(tree, leaf_value), rel=1e-4, abs=rounding)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.5*first+second:3", "0.5*first + second:3"),
        (" - second * 2 ", "-2*second"),
        ("2*3*(first - second)", "6*(first - second)"),
        ("first - (second - relu)", "first - (second - relu)"),
        ("1e-3*l1(relu)", "0.001*l1(relu)"),
        ("neuron(first, 2)", "neuron(first, 2, 0.5, 0.5)"),
        ("first*second:1*2", "2*first*second:1"),
        ("first*(second*(-2*relu))", "-2*first*second*relu"),
        ("channel(second, 3)", "channel(second, 3)"),
        ("channel_energy(second, 3)", "second:3"),
    ],
)
def test_texts(tiny, text, shown):
    assert repr(parse_objective(text, tiny)) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "objective '': expected a layer name at the end"),
        ("2*", r"objective '2\*': expected a layer name at the end"),
        ("2", "only a number"),
        ("1 + first", "adding a number to an objective"),
        ("first second", r"expected \+, - or \* before 'second'"),
        ("second:", "expected a whole number at the end"),
        ("second:1.5", "expected a whole number before '1.5'"),
        ("second:5", "second has channels 0 to 4, not 5"),
        ("second:99999999999", "out of range"),
        ("1e999*first", "out of range"),
        ("2*" * 900 + "first", "a weight must be finite"),
        ("2*" * 1100 + "first", "a weight must be finite"),
        ("first" + "*first" * 100, "a product can have at most 100 factors"),
        ("first*(first" + "*first" * 98 + ")*first", "at most 100 factors"),
        ("first" + "+first" * 1000, "a sum can have at most 1000 terms"),
        ("first*" * 20_000 + "first", "120,005 characters: it can have at most 10,000"),
        ("secnd", "no layer 'secnd': the nearest are second"),
        ("gude(first)", "no function 'gude': the nearest is guide"),
        ("2*(first", r"expected '\)' at the end"),
        ("first ^ second", r"objective 'first \^ second': cannot read '\^ second'"),
        ("guide(flowers.jpg)", "expected a file's name in quotes before 'flowers.jpg"),
        ('guide("none.jpg")', "none.jpg"),
        ('direction("none.npy")', "none.npy: no such file"),
        ("neuron(first, 1, 2, 0)", "position is from 0 to 1, .* not 2"),
        ("logit(3)", "has no classifier"),
        ("(" * 99 + "first", "nested more than 50 deep"),
        ("-" * 9990 + "first", "nested more than 50 deep"),
    ],
)
def test_texts_that_cannot_be_read(tiny, text, message):
    with pytest.raises(jd.JaxdreamError, match=message) as error:
        parse_objective(text, tiny)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("4c", ["4c"]),
        ("4e", ["4e"]),
        ("2*3b/output", ["3b/output"]),
        ("4e-3b", ["4e", "3b"]),
        ("2e1*4c - 1.5*5b:3", ["4c", "5b"]),
    ],
)
def test_layers_whose_names_begin_with_a_digit(text, layers):
    build = GraphBuilder()
    data = build.add("data", Input())
    for name in ("4c", "4e", "3b/output", "3b", "5b"):
        build.add(name, Conv(4, (1, 1), 1, (0, 0)), data)
    model = SimpleNamespace(graph=Graph(build.nodes), default_layer="4c")
    assert list(inspect.unwrap(parse_objective)(text, model).layers) == layers


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="first/:+-*().5,e \"'", max_size=20))
def test_any_text_is_an_objective_or_an_error_of_ours(tiny, text):
    with contextlib.suppress(jd.JaxdreamError):
        assert isinstance(parse_objective(text, tiny), Objective)


def test_files_can_be_renamed():
    text = '0.5*guide("x/a guide.png") + direction("y/v.npy", second)'
    assert named_files(text) == ("x/a guide.png", "y/v.npy")
    renamed = with_files_renamed(text, {"x/a guide.png": "g.png", "y/v.npy": "w.npy"})
    assert renamed == '0.5*guide("g.png") + direction("w.npy", second)'
    assert without_folders(text) == '0.5*guide("a guide.png") + direction("v.npy", second)'


def test_a_file_without_another_name_is_refused():
    with pytest.raises(jd.JaxdreamError, match=r"names the file 'x\.png', which is not among"):
        with_files_renamed('guide("x.png")', {})


def test_a_name_with_quotes_is_quoted_by_the_others():
    text = with_files_renamed('guide("g.png", first)', {"g.png": 'a "b".png'})
    assert text == """guide('a "b".png', first)"""
    assert named_files(text) == ('a "b".png',)
    with pytest.raises(jd.JaxdreamError, match="has no quotes"):
        with_files_renamed(text, {'a "b".png': "\"'"})


@pytest.mark.parametrize(
    "text", ['class("banana")', "class(banana)", "class(954)", "logit('banana')", "logit(954)"]
)
def test_a_class_by_its_name(mini, text):
    assert repr(parse_objective(text, mini)) == "logit(954)"


def test_no_such_class(tiny, mini):
    with pytest.raises(jd.JaxdreamError, match="the nearest are banana"):
        parse_objective('2*class("bananna")', tiny)
    with pytest.raises(jd.JaxdreamError, match=r"expected a class before '\)'"):
        parse_objective("class()", tiny)
    with pytest.raises(jd.JaxdreamError, match="classes 0 to 999, not 1000"):
        parse_objective("class(1000)", mini)


@pytest.fixture(scope="module")
def mini():
    return jd.load_model("googlenet_mini")


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        (None, "second"),
        ("first", "first"),
        ("2*first:3", "2*first:3"),
        (objectives.layer("alias"), "alias"),
    ],
)
def test_as_objective(tiny, objective, text):
    assert repr(as_objective(objective, tiny)) == text


def test_as_objective_takes_the_name_of_a_class(mini):
    for name, index in (("banana", 954), ("polar bear", 296), ("n02134084", 296)):
        assert repr(as_objective(name, mini)) == f"logit({index})"
    with pytest.raises(jd.JaxdreamError, match="2 classes are called 'crane'"):
        as_objective("crane", mini)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (objectives.layer("secnd"), "no layer 'secnd'"),
        ("banana", "no layer 'banana'"),
        (5, 'of type int: give one of jaxdream.objectives, or a text such as "inception_4c/out'),
    ],
)
def test_as_objective_refuses_all_else(tiny, objective, message):
    unchecked = inspect.unwrap(as_objective)  # annotations are checked in tests only
    with pytest.raises(jd.JaxdreamError, match=message):
        unchecked(objective, tiny)
