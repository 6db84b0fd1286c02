import contextlib
import inspect
import math
import operator
from functools import cache, partial
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
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import (
    as_objective,
    named_files,
    parse_objective,
    with_files_renamed,
    without_folders,
)

averaged_layer = partial(objectives.layer, mean=True)
averaged_l1 = partial(objectives.l1, mean=True)
averaged_variation = partial(objectives.total_variation, mean=True)
averaged_energy = partial(objectives.channel_energy, mean=True)


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
    st.tuples(
        st.sampled_from([averaged_layer, averaged_l1, averaged_variation]),
        st.sampled_from(["first", "second"]),
    ),
    st.tuples(st.just(averaged_energy), st.just("second"), st.integers(0, 4)),
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
        ("layer(second)", "second"),
        ("layer(second, mean) - 2*l1(first, mean)", "layer(second, mean) - 2*l1(first, mean)"),
        ("channel_energy(second, 3, mean)", "channel_energy(second, 3, mean)"),
        ("strongest(second, 2, mean)", "strongest(second, 2, mean)"),
        ("without(second, 2, mean, every_octave)", "without(second, 2, every_octave, mean)"),
        ("total_variation(mean)", "total_variation(data, mean)"),
        ("total_variation(second, mean)", "total_variation(second, mean)"),
        ("boundary() - boundary(mean)", "boundary(20) - boundary(20, mean)"),
        ("-2*boundary(7, mean)", "-2*boundary(7, mean)"),
        ("interpolate(first, 2*second)", "interpolate(first, 2*second)"),
        (
            "interpolate(first - relu, second:1) + alignment(first)",
            "interpolate(first - relu, second:1) + alignment(first)",
        ),
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
        ("secnd", "no layer 'secnd': the nearest is second"),
        ("gude(first)", "no function 'gude': the nearest is guide"),
        ("2*(first", r"expected '\)' at the end"),
        ("first ^ second", r"objective 'first \^ second': cannot read '\^ second'"),
        ("guide(flowers.jpg)", "expected a file's name in quotes before 'flowers.jpg"),
        ('guide("none.jpg")', "none.jpg"),
        ('direction("none.npy")', "none.npy: no such file"),
        ("neuron(first, 1, 2, 0)", "position is from 0 to 1, .* not 2"),
        ("logit(3)", "has no classifier"),
        ("layer(second, meen)", r"expected mean before 'meen\)'"),
        ("layer(second, mean, mean)", "mean is given twice"),
        ("layer(second, mean=2)", "expected '\\)' before '=2"),
        ("strongest(second, 2, ever)", r"expected every_octave or mean before 'ever\)'"),
        ("boundary(2.5)", "expected a whole number before '2.5"),
        ("boundary(0)", "the boundary's width is from 1 to 1,000,000 pixels, not 0"),
        ("boundary(3, means)", "expected mean before 'means"),
        ("interpolate(first)", "expected ',' before"),
        ("interpolate(first, 2)", "only a number"),
        ("alignment(secnd)", "no layer 'secnd'"),
        ("interpolat(first, second)", "the nearest is interpolate"),
        ("first = second", r"expected \+, - or \* before '= second'"),
        ("(" * 99 + "first", "nested more than 50 deep"),
        ("interpolate(" * 99 + "first", "nested more than 50 deep"),
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
@given(st.text(alphabet="first/:+-*().5,e= \"'", max_size=20))
def test_any_text_is_an_objective_or_an_error_of_ours(tiny, text):
    with contextlib.suppress(jd.JaxdreamError):
        assert isinstance(parse_objective(text, tiny), Objective)


@pytest.fixture
def files(tmp_path, picture, monkeypatch):
    """A picture and a vector, by their names in the working folder."""
    monkeypatch.chdir(tmp_path)
    jd.write_image("p.png", picture)
    np.save("v.npy", np.arange(5))
    return ObjectiveFiles()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('direction("v.npy", second, power=2)', "direction(second, power=2)"),
        ('direction("v.npy", mean, power=0.5)', "direction(second, power=0.5, mean)"),
        ('direction("v.npy")', "direction(second)"),
        ('cosine("v.npy", mean)', "cosine(second, mean)"),
        ('direction_neuron("v.npy")', "direction_neuron(second, 0.5, 0.5)"),
        ('direction_neuron("v.npy", second, 0, 1)', "direction_neuron(second, 0, 1)"),
        ('direction_neuron("v.npy", 0, 1, power=2)', "direction_neuron(second, 0, 1, power=2)"),
        ('guide("p.png", first, mean)', "guide(first, mean)"),
        ('guide("p.png", mean)', "guide(second, mean)"),
        ('caricature("p.png", mean, power=3)', "caricature(second, power=3, mean)"),
        ('style("p.png")', "style(second)"),
        ('style("p.png", first, second)', "style(first, second)"),
    ],
)
def test_texts_that_name_files(tiny, files, text, shown):
    objective = parse_objective(text, tiny, files=files)
    assert repr(objective) == shown
    (name,) = named_files(text)
    assert list(files.by_name()) == [name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('direction("v.npy", second, powr=2)', r"expected power=NUMBER or mean before 'powr=2\)'"),
        ('direction("v.npy", second, power)', r"expected '=' before '\)'"),
        ('direction("v.npy", second, power=-2)', r"expected a number before '-2\)'"),
        ('direction("v.npy", second, power=1e3)', "power is a number from 0 to 100, not 1000"),
        ('direction("v.npy", power=2, power=3)', "power is given twice"),
        ('direction("v.npy", first)', "first has 4 channels, but the direction has 5"),
        ('direction_neuron("v.npy", second, 0.5)', r"expected a whole number before '0.5\)'"),
        ('direction_neuron("v.npy", second, 2, 0)', "position is from 0 to 1"),
        ('cosine("v.npy", secnd)', "no layer 'secnd': the nearest is second"),
        ("style(first)", "expected a file's name in quotes before 'first"),
        ('style("p.png", secnd)', "no layer 'secnd'"),
        ('style("none.png")', "none.png"),
        ('stile("p.png")', "no function 'stile': the nearest is style"),
    ],
)
@pytest.mark.usefixtures("files")
def test_texts_that_name_files_and_cannot_be_read(tiny, text, message):
    with pytest.raises(jd.JaxdreamError, match=message) as error:
        parse_objective(text, tiny)
    assert "\n" not in str(error.value)


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
