import contextlib
import operator

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream import objectives
from jaxdream.objectives.base import Objective
from jaxdream.objectives.text import (
    named_files,
    parse_objective,
    read_vector,
    with_files_renamed,
)


def neuron_at(index, x, y):
    return objectives.neuron("first", index, position=(x, y))


SHARES = st.floats(0, 1, width=32, allow_subnormal=False)
WEIGHTS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
LEAVES = st.one_of(
    st.tuples(st.just(objectives.layer), st.sampled_from(["first", "second", "alias"])),
    st.tuples(st.just(objectives.channel), st.just("second"), st.integers(0, 4)),
    st.tuples(st.just(neuron_at), st.integers(0, 3), SHARES, SHARES),
    st.tuples(st.just(objectives.l1), st.just("relu")),
    st.tuples(st.just(objectives.total_variation)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([operator.add, operator.sub, operator.mul]), inner, inner),
        st.tuples(st.just(operator.mul), inner, WEIGHTS),
    ),
    max_leaves=5,
)


def build(tree):
    """An objective from a function and its arguments, which may be such trees."""
    function, *arguments = tree
    return function(*(build(part) if isinstance(part, tuple) else part for part in arguments))


@settings(deadline=None, max_examples=60)
@given(TREES)
def test_what_repr_shows_is_read_as_the_same(tiny, tree):
    objective = build(tree)
    again = parse_objective(repr(objective), tiny)
    assert repr(again) == repr(objective)
    for mine, theirs in zip(*map(jax.tree.leaves, (objective, again)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


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
    ],
)
def test_texts(tiny, text, shown):
    assert repr(parse_objective(text, tiny)) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a layer should stand before its end"),
        ("2", "only a number"),
        ("1 + first", "adds a number to an objective"),
        ("first second", "an operator should stand before 'second'"),
        ("second:", "a whole number should stand before its end"),
        ("second:1.5", "a whole number should stand before '1.5'"),
        ("second:5", "second has channels 0 to 4, not 5"),
        ("second:99999999999", "out of range"),
        ("1e999*first", "out of range"),
        ("secnd", "no layer 'secnd': the nearest are second"),
        ("gude(first)", "no function 'gude': the nearest is guide"),
        ("2*(first", r"'\)' should stand before its end"),
        ("first ^ second", r"cannot be read at '\^ second'"),
        ("guide(flowers.jpg)", "a file's name in quotes should stand before 'flowers.jpg"),
        ('guide("none.jpg")', "none.jpg"),
        ('direction("none.npy")', "none.npy: there is no such file"),
        ("neuron(first, 1, 2, 0)", "a position is from 0 to 1"),
        ("logit(3)", "has no classifier"),
        ("(" * 99 + "first", "nested more than 50 deep"),
        ("-" * 9999 + "first", "nested more than 50 deep"),
    ],
)
def test_what_cannot_be_read_is_said(tiny, text, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        parse_objective(text, tiny)


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="first/:+-*().5,e \"'", max_size=20))
def test_any_text_is_an_objective_or_an_error_of_ours(tiny, text):
    with contextlib.suppress(jd.JaxdreamError):
        assert isinstance(parse_objective(text, tiny), Objective)


def test_files_are_read_and_can_be_renamed(tiny, picture, tmp_path):
    jd.write_image(tmp_path / "a guide.png", picture)
    np.save(tmp_path / "v.npy", np.arange(5))
    text = f'0.5*guide("{tmp_path}/a guide.png") + direction("{tmp_path}/v.npy", second)'
    objective = parse_objective(text, tiny)
    assert repr(objective) == "0.5*guide(second) + direction(second)"
    files = named_files(text)
    assert files == (f"{tmp_path}/a guide.png", f"{tmp_path}/v.npy")
    renamed = with_files_renamed(text, dict(zip(files, ("g.png", "v.npy"), strict=True)))
    assert renamed == '0.5*guide("g.png") + direction("v.npy", second)'


def test_a_name_with_quotes_is_quoted_by_the_others():
    text = with_files_renamed('guide("g.png", first)', {"g.png": 'a "b".png'})
    assert text == """guide('a "b".png', first)"""
    assert named_files(text) == ('a "b".png',)
    with pytest.raises(jd.JaxdreamError, match="has no quotes"):
        with_files_renamed(text, {'a "b".png': "\"'"})


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.array(["a"]), np.array([{}])])
def test_a_vector_file_of_something_else_says_so(tmp_path, values):
    np.save(tmp_path / "v.npy", values, allow_pickle=True)
    with pytest.raises(jd.JaxdreamError, match=r"v\.npy"):
        read_vector(str(tmp_path / "v.npy"))


@pytest.mark.parametrize("text", ['class("banana")', "class(banana)", "class(954)"])
def test_a_class_by_its_name(text):
    assert repr(parse_objective(text, jd.load_model("googlenet_mini"))) == "logit(954)"


def test_no_such_class(tiny):
    with pytest.raises(jd.JaxdreamError, match="the nearest are banana"):
        parse_objective('2*class("bananna")', tiny)
    with pytest.raises(jd.JaxdreamError, match="a class's name should stand before"):
        parse_objective("class()", tiny)
