import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream import objectives
from jaxdream.objectives import _best_matches, custom, guide, layer

ACTS = {"a": jnp.array([[[1.0, -2.0]]]), "b": jnp.array([3.0])}


def test_layer_is_half_the_sum_of_squares():
    assert layer("a")(ACTS) == 2.5
    np.testing.assert_array_equal(jax.grad(layer("a"))(ACTS)["a"], ACTS["a"])


def test_arithmetic():
    objective = layer("a") + 0.5 * layer("b") - layer("b") * 2
    assert objective(ACTS) == pytest.approx(2.5 + 0.5 * 4.5 - 2 * 4.5)
    assert (-layer("a"))(ACTS) == -2.5
    assert (2 * (layer("a") + layer("b")))(ACTS) == 14
    assert objective.layers == ("a", "b")
    assert repr(objective) == "a + 0.5*b + -1*2*b"
    assert repr(2 * (layer("a") + layer("b"))) == "2*(a + b)"


@pytest.mark.parametrize("wrong", [lambda o: o + 1, lambda o: o * o, lambda o: o - "a"])
def test_what_makes_no_sense_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        wrong(layer("a"))


def test_weights_are_leaves_and_names_are_static():
    objective = layer("a") + 0.5 * layer("b")
    assert jax.tree.leaves(objective) == [0.5]
    gradient = jax.grad(lambda objective: objective(ACTS))(objective)
    assert jax.tree.leaves(gradient) == [4.5]


def test_another_weight_does_not_compile_anew():
    traces = []

    @jax.jit
    def value(objective):
        traces.append(objective)
        return objective(ACTS)

    assert value(0.5 * layer("b")) == 2.25
    assert value(2.0 * layer("b")) == 9
    assert len(traces) == 1
    value(2.0 * layer("a"))
    assert len(traces) == 2


def test_custom_function():
    def total(activations):
        return activations["a"].sum() + activations["b"].sum()

    objective = custom(total, ("a", "b"))
    assert objective(ACTS) == 2
    assert repr(objective) == "total(a, b)"


def test_guide_takes_the_first_best_match_and_holds_it_fixed(tiny, picture):
    objective = guide(tiny, picture, "second")
    x = jnp.asarray(np.random.default_rng(2).normal(size=(3, 4, 5)), jnp.float32)
    features = np.asarray(objective.features)
    expected = features[np.argmax(x.reshape(-1, 5) @ features.T, axis=1)].reshape(3, 4, 5)
    gradient = jax.grad(lambda x: objective({"second": x}))(x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    assert objective({"second": x}) == pytest.approx(float((x * expected).sum()), rel=1e-5)


def test_guide_matches_are_the_same_in_chunks(monkeypatch):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.integers(-2, 3, (37, 4)), jnp.float32)
    y = jnp.asarray(random.integers(-2, 3, (11, 4)), jnp.float32)
    whole = _best_matches(x, y)
    monkeypatch.setattr(objectives, "_GUIDE_DOT_PRODUCTS", 50)
    np.testing.assert_array_equal(_best_matches(x, y), whole)
