"""Guides, caricatures and styles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import check_parts

import jaxdream as jd
from jaxdream.objectives import caricature, guide, layer, pictures, style


def normal(*shape):
    return jnp.asarray(np.random.default_rng(3).normal(size=shape), jnp.float32)


def test_guide_takes_the_first_best_match_and_holds_it_fixed(tiny, picture):
    objective = guide(tiny, picture, "second")
    x = jnp.asarray(np.random.default_rng(2).normal(size=(3, 4, 5)), jnp.float32)
    features = np.asarray(objective.features)
    expected = features[np.argmax(x.reshape(-1, 5) @ features.T, axis=1)].reshape(3, 4, 5)
    gradient = jax.grad(lambda x: objective({"second": x}))(x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    assert objective({"second": x}) == pytest.approx(float((x * expected).sum()), rel=1e-5)
    mean = guide(tiny, picture, "second", mean=True)
    assert mean({"second": x}) == pytest.approx(float((x * expected).sum()) / 12, rel=1e-5)
    check_parts(tiny, mean, picture)


def test_guide_matches_are_the_same_in_chunks(monkeypatch):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.integers(-2, 3, (37, 4)), jnp.float32)
    y = jnp.asarray(random.integers(-2, 3, (11, 4)), jnp.float32)
    whole = pictures._best_matches(x, y)
    monkeypatch.setattr(pictures, "_GUIDE_DOT_PRODUCTS", 50)
    np.testing.assert_array_equal(pictures._best_matches(x, y), whole)


def test_a_caricature_of_the_picture_itself_is_twice_the_energy(tiny, picture):
    energy = float(layer("second").value(tiny, picture))
    # The angle between the picture and itself is 0.
    for power in (0, 2):
        reference = caricature(tiny, picture, "second", power=power)
        assert reference.value(tiny, picture) == pytest.approx(2 * energy, rel=1e-5)
    mean = caricature(tiny, picture, "second", mean=True)
    assert mean.value(tiny, picture) == pytest.approx(2 * energy / (12 * 15), rel=1e-5)
    assert not mean.local


def test_a_caricature_at_another_size_resamples_the_reference():
    y, x = jnp.mgrid[:3, :4]
    ramps = jnp.stack([5.0 * y + x, -1.0 * y], axis=-1)
    acts = {"a": normal(5, 7, 2)}
    y, x = np.mgrid[:5, :7]
    resampled = np.stack([5 * y / 2 + x / 2, -y / 2], axis=-1)
    product = float((acts["a"] * resampled).sum())
    assert pictures.Caricature("a", ramps)(acts) == pytest.approx(product, rel=1e-5)
    cosine = product / np.linalg.norm(acts["a"]) / np.linalg.norm(resampled)
    expected = product * max(cosine, 0.1) ** 2
    assert pictures.Caricature("a", ramps, 2.0)(acts) == pytest.approx(expected, rel=1e-5)


def test_a_style_is_the_distance_of_gram_matrices():
    acts = {"a": jnp.array([[[1.0, 0.0], [0.0, 2.0]]]), "b": jnp.array([[[3.0]]])}
    # Of two positions: [[1, 0], [0, 4]] / 2, which is (1/4 + 1 + 1 + 1) / 4 from ones.
    one = pictures.Style(("a",), (jnp.ones((2, 2)),))
    assert one(acts) == pytest.approx(-3.25 / 4)
    # And of the other layer (9 - 6)**2 / 36.
    both = pictures.Style(("a", "b"), (jnp.ones((2, 2)), jnp.full((1, 1), 6.0)))
    assert both(acts) == pytest.approx(-(3.25 / 4 + 0.25) / 2)
    assert repr(both) == "style(a, b)"
    assert not both.local


def test_a_picture_has_its_own_style_at_any_size(tiny, picture):
    objective = style(tiny, picture, ["first", "second"])
    assert objective.layers == ("first", "second")
    assert objective.value(tiny, picture) == pytest.approx(0, abs=1e-9)
    twice = np.concatenate([picture, picture[::-1]])
    flat = np.full_like(picture, 90.0)
    near, far = (float(objective.value(tiny, image)) for image in (twice, flat))
    assert -0.05 < near < 0
    assert far < -0.2
    assert style(tiny, picture).layers == tiny.graph.good_layers
    assert style(tiny, picture, "first").layers == ("first",)


def test_a_dream_takes_a_style_on(tiny, picture):
    objective = style(tiny, picture, "second")
    start = np.random.default_rng(5).uniform(100, 140, (31, 26, 3)).astype(np.float32)
    options = {"steps": 20, "octaves": 1, "jitter": 3}
    out = jd.dream(0, tiny, start, objective, **options)
    assert objective.value(tiny, out) > 0.5 * objective.value(tiny, start)


def test_a_style_of_silence_has_a_gradient():
    for wanted in (jnp.zeros((2, 2)), jnp.ones((2, 2))):
        objective = pictures.Style(("a",), (wanted,))
        value, gradient = jax.value_and_grad(objective)({"a": jnp.zeros((3, 4, 2))})
        assert value == -float(wanted[0, 0])
        assert np.isfinite(gradient["a"]).all()
        grams = jax.grad(lambda objective: objective({"a": jnp.ones((3, 4, 2))}))(objective)
        assert np.isfinite(grams.grams[0]).all()


def test_styles_travel_through_jit_and_vmap():
    acts = {"a": normal(3, 4, 2)}
    wanted = jnp.stack([jnp.eye(2), jnp.ones((2, 2))])
    values = jax.jit(jax.vmap(lambda s: s(acts)))(pictures.Style(("a",), (wanted,)))
    np.testing.assert_allclose(
        values, [pictures.Style(("a",), (each,))(acts) for each in wanted], rtol=1e-5
    )


@pytest.mark.parametrize("make", [guide, caricature, style])
def test_a_picture_is_refused_at_once(tiny, make):
    with pytest.raises(jd.JaxdreamError, match="1x1 pixels and second needs at least 2x2"):
        make(tiny, np.zeros((1, 1, 3), np.float32), "second")
    with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
        make(tiny, np.zeros((9, 9, 3), np.float32), "secnd")


def test_check_refuses_features_that_do_not_fit(tiny, picture):
    with pytest.raises(jd.JaxdreamError, match="guide has 5 numbers"):
        pictures.Guide("first", jnp.zeros((2, 5))).check(tiny.graph)
    with pytest.raises(jd.JaxdreamError, match="style has 5 numbers"):
        pictures.Style(("first",), (jnp.zeros((5, 5)),)).check(tiny.graph)
    with pytest.raises(jd.JaxdreamError, match="at least one layer"):
        style(tiny, picture, [])
