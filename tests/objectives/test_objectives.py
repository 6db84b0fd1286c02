import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
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
    assert repr(objective) == "a + 0.5*b - 2*b"
    assert repr(layer("a") - (layer("b") - layer("a"))) == "a - (b - a)"
    assert repr(2 * (layer("a") + layer("b"))) == "2*(a + b)"


@pytest.mark.parametrize("wrong", [lambda o: o + 1, lambda o: o * "a", lambda o: o - "a"])
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


def picture_of(*shape):
    return jnp.asarray(np.random.default_rng(3).normal(size=shape), jnp.float32)


def test_the_energies_of_channels_add_up_to_the_layers():
    acts = {"a": picture_of(3, 4, 5)}
    channels = [objectives.channel("a", i) for i in range(5)]
    assert sum(channels)(acts) == pytest.approx(float(layer("a")(acts)), rel=1e-6)


def test_the_linear_objectives():
    acts = {"a": picture_of(3, 4, 5), "logits": jnp.arange(7.0)}
    a = np.asarray(acts["a"])
    assert objectives.logit(4)(acts) == 4
    assert objectives.neuron("a", 2)(acts) == a[1, 2, 2]
    assert objectives.neuron("a", 2, position=(1.0, 0.0))(acts) == a[0, 3, 2]
    vector = np.arange(5.0)
    expected = float((a @ vector).sum())
    assert objectives.direction("a", vector)(acts) == pytest.approx(expected, rel=1e-5)


def test_penalties():
    acts = {"data": jnp.array([[[1.0], [3.0]], [[0.0], [-1.0]]])}
    assert objectives.total_variation()(acts) == (1 + 4) + (2 + 1)
    assert objectives.l1("data")(acts) == 5
    assert (layer("data") - 0.5 * objectives.l1("data"))(acts) == 5.5 - 2.5


def test_a_product_grows_where_both_do():
    objective = layer("a") * (0.5 * layer("b"))
    assert objective(ACTS) == 2.5 * 2.25
    assert objective.layers == ("a", "b")
    assert repr(objective) == "a*(0.5*b)"


def test_a_caricature_is_the_dot_product_at_any_size(tiny, picture):
    reference = objectives.caricature(tiny, picture, "second")
    own = tiny(tiny.preprocess(picture)[None], layers=("second",))
    own = {name: value[0] for name, value in own.items()}
    assert reference(own) == pytest.approx(float(jnp.square(own["second"]).sum()), rel=1e-5)
    smaller = {"second": own["second"][:5, :6]}
    assert np.isfinite(reference(smaller))


def test_an_index_is_data_and_travels_through_vmap():
    acts = {"a": picture_of(3, 4, 5)}
    many = objectives.channel("a", np.arange(5))
    values = jax.vmap(lambda objective: objective(acts))(many)
    np.testing.assert_allclose(values, 0.5 * jnp.square(acts["a"]).sum((0, 1)), rtol=1e-5)
    assert repr(many) == "a:?"


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (objectives.channel("secnd", 0), "no layer 'secnd': the nearest are second"),
        (objectives.channel("second", 5), "second has channels 0 to 4, not 5"),
        (2 * objectives.neuron("second", -1), "second has channels 0 to 4, not -1"),
        (layer("first") + objectives.logit(3), "has no classifier"),
        (objectives.direction("first", np.zeros(3)), "first has 4 channels, .* not 3"),
        (objectives.direction("first", np.full(4, np.nan)), "not finite"),
    ],
)
def test_what_the_network_does_not_have_is_said(tiny, objective, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        objective.check(tiny.graph)
    with pytest.raises(jd.JaxdreamError, match=message):
        jd.dream(jax.random.key(0), tiny, np.zeros((24, 24, 3), np.float32), objective=objective)


def test_a_guide_too_small_for_the_layer_says_so(tiny):
    with pytest.raises(jd.JaxdreamError, match=r"1x1 pixels and second needs at least 2x2"):
        guide(tiny, np.zeros((1, 1, 3), np.float32), "second")
