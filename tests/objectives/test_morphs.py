"""Interpolation and alignment over pictures that are made together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.objectives import alignment, channel, interpolate, layer, neuron
from jaxdream.objectives.activations import PictureActivations
from jaxdream.objectives.text import parse_objective
from jaxdream.visualization.visualize import iterate_visualize, visualize

SMALL = {"size": 24, "steps": 10, "transforms": False, "learning_rate": 0.1}


def values(objective, x):
    """Of several pictures, by their activations of layer a, (n, h, w, c)."""

    def one(x):
        return objective(PictureActivations({"a": x}, axis="n"))

    return jax.vmap(one, axis_name="n")(x)


def test_the_weights_go_from_one_objective_to_the_other():
    x = jnp.array([[[[1.0, 10.0]]]] * 3)
    between = interpolate(channel("a", 0), channel("a", 1))
    np.testing.assert_allclose(values(between, x), [1, 5.5, 10])
    np.testing.assert_allclose(values(2 * between - channel("a", 0), x), [1, 10, 19])
    assert between.layers == ("a",)
    assert between.needs_batch
    assert (2 * between + layer("a")).needs_batch
    assert not layer("a").needs_batch


def test_alignment_is_the_distance_to_the_next_four_pictures():
    x = jnp.array([0.0, 1.0, 3.0, 7.0, 15.0, 31.0]).reshape(6, 1, 1, 1)
    expected = [
        -sum((x[i] - x[j]).item() ** 2 / 2.0 ** (j - i) for j in range(i + 1, min(i + 5, 6)))
        for i in range(6)
    ]
    np.testing.assert_allclose(values(alignment("a"), x), expected, rtol=1e-6)
    wide = jnp.broadcast_to(x, (6, 3, 4, 5))
    np.testing.assert_allclose(values(alignment("a"), wide), expected, rtol=1e-6)


def test_alignment_pulls_both_pictures_of_a_pair():
    x = jnp.array([0.0, 2.0, 0.0]).reshape(3, 1, 1, 1)
    gradient = jax.grad(lambda x: values(alignment("a"), x).sum())(x)
    np.testing.assert_allclose(gradient.ravel(), [2, -4, 2])
    silent = jax.grad(lambda x: values(alignment("a"), x).sum())(jnp.zeros((3, 2, 2, 4)))
    assert (silent == 0).all()


def test_the_ends_are_the_objectives_themselves(tiny):
    first, last = channel("second", 1), channel("second", 3)
    pictures = visualize(0, tiny, [interpolate(first, last)] * 3, **SMALL)
    key = jax.random.key(0)
    keys = jnp.broadcast_to(jax.random.fold_in(key, 0), (1,))
    for objective, picture in ((first, pictures[0]), (last, pictures[2])):
        alone = visualize(keys, tiny, objective, **SMALL)
        np.testing.assert_allclose(picture, alone, atol=0.5)
    between = [float(first.value(tiny, picture)) for picture in pictures]
    assert between == sorted(between, reverse=True)
    assert np.abs(np.asarray(pictures[0] - pictures[1])).mean() > 1


def test_aligned_pictures_are_more_alike(tiny):
    def apart(weight):
        objective = interpolate(channel("second", 1), channel("second", 3))
        if weight:
            objective = objective + weight * alignment("first")
        pictures = np.asarray(visualize(0, tiny, [objective] * 4, **SMALL))
        return np.abs(np.diff(pictures, axis=0)).mean()

    assert apart(1.0) < 0.8 * apart(0)


def test_all_pictures_are_made_at_once(tiny, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 24 * 24)
    states = iterate_visualize(0, tiny, ["interpolate(first, second)"] * 5, **SMALL)
    assert next(states).indices == (0, 1, 2, 3, 4)


def test_a_single_picture_has_nothing_to_go_to(tiny, picture):
    single = r"interpolate\(first, relu\), but there is only one picture .* as in \[objective\]"
    for objectives in ("interpolate(first, relu)", ["interpolate(first, relu)", "relu"]):
        with pytest.raises(jd.JaxdreamError, match=single):
            visualize(0, tiny, objectives, **SMALL)
    dream = r"is of several pictures that are made together: use it with `jaxdream visualize"
    for text in ("interpolate(first, relu)", "relu + 2*alignment(first)"):
        with pytest.raises(jd.JaxdreamError, match=dream):
            jd.dream(0, tiny, picture, text)
        with pytest.raises(jd.JaxdreamError, match=dream):
            parse_objective(text, tiny).value(tiny, picture)


def test_check_looks_at_both(tiny):
    with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
        alignment("secnd").check(tiny.graph)
    with pytest.raises(jd.JaxdreamError, match="second has channels 0 to 4, not 5"):
        interpolate(layer("first"), neuron("second", 5)).check(tiny.graph)
