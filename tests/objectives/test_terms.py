import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream import objectives
from jaxdream.models.regions import Region
from jaxdream.objectives import custom, guide, layer, terms

ACTS = {"a": jnp.array([[[1.0, -2.0]]]), "b": jnp.array([3.0])}


def normal(*shape):
    return jnp.asarray(np.random.default_rng(3).normal(size=shape), jnp.float32)


def test_layer_is_half_the_sum_of_squares():
    assert layer("a")(ACTS) == 2.5
    np.testing.assert_array_equal(jax.grad(layer("a"))(ACTS)["a"], ACTS["a"])


def test_the_energies_of_channels_add_up_to_the_layers():
    acts = {"a": normal(3, 4, 5)}
    channels = [objectives.channel_energy("a", i) for i in range(5)]
    assert sum(channels)(acts) == pytest.approx(float(layer("a")(acts)), rel=1e-6)


def test_channel_is_the_mean_activation():
    acts = {"a": normal(3, 4, 5), "logits": jnp.arange(7.0)}
    mean = float(acts["a"][..., 2].mean())
    assert objectives.channel("a", 2)(acts) == pytest.approx(mean, rel=1e-5)
    assert objectives.channel("logits", 4)(acts) == 4


def test_a_channels_mean_is_the_same_padded_and_in_tiles(tiny, picture):
    objective = objectives.channel("second", 1) + 2 * objectives.channel("first", 0)
    assert objective.local
    expected = float(objective.value(tiny, picture))
    value_of = jax.jit(lambda model, image, region: objective.value(model, image, region=region))
    size, zero = jnp.array(picture.shape[:2]), jnp.zeros(2, int)
    padded = np.pad(picture, ((0, 8), (0, 2), (0, 0)), constant_values=200)
    whole = Region(size, zero, zero, size)
    assert value_of(tiny, padded, whole) == pytest.approx(expected, rel=1e-5)
    upper = Region(size, zero, zero, jnp.array([12, 30]))
    lower = Region(size, jnp.array([4, 0]), jnp.array([12, 0]), size)
    tiles = [(picture[:20], upper), (picture[4:], lower)]
    values = [float(value_of(tiny, *tile)) for tile in tiles]
    assert sum(values) == pytest.approx(expected, rel=1e-5)
    assert min(map(abs, values)) > 1e-3 * abs(expected)


def test_a_dream_in_a_padded_program_has_the_channels_mean(tiny, picture):
    objective = objectives.channel("second", 1)
    states = jd.iterate_dream(
        jax.random.key(0), tiny, picture, objective=objective, octaves=1, steps=1, jitter=0
    )
    expected = float(objective.value(tiny, picture))
    assert float(list(states)[-1].info.value) == pytest.approx(expected, rel=1e-4)


def test_the_linear_objectives():
    acts = {"a": normal(3, 4, 5), "logits": jnp.arange(7.0)}
    a = np.asarray(acts["a"])
    assert objectives.logit(4)(acts) == 4
    assert objectives.neuron("a", 2)(acts) == a[1, 2, 2]
    assert objectives.neuron("a", 2, position=(1.0, 0.0))(acts) == a[0, 3, 2]
    vector = np.arange(5.0)
    expected = float((a @ vector).sum())
    assert objectives.direction("a", vector)(acts) == pytest.approx(expected, rel=1e-5)


def test_a_class_by_its_name():
    assert objectives.logit("banana").index == objectives.logit("n07753592").index == 954
    with pytest.raises(jd.JaxdreamError, match="the nearest are banana"):
        objectives.logit("bananna")


def test_penalties():
    acts = {"data": jnp.array([[[1.0], [3.0]], [[0.0], [-1.0]]])}
    assert objectives.total_variation()(acts) == (1 + 4) + (2 + 1)
    assert objectives.l1("data")(acts) == 5
    assert (layer("data") - 0.5 * objectives.l1("data"))(acts) == 5.5 - 2.5


def test_a_custom_function_of_one_layer_is_given_its_array():
    @custom("a")
    def left(x):
        return x[..., 0].sum()

    assert left(ACTS) == 1
    assert repr(left) == "left(a)"
    assert left.layers == ("a",)
    assert not left.local
    assert custom("a")(lambda x: x.max())(ACTS) == 1


def test_a_custom_function_of_several_layers_is_given_a_mapping():
    @custom("a", "b")
    def total(activations):
        return activations["a"].sum() + activations["b"].sum()

    assert total(ACTS) == 2
    assert repr(total) == "total(a, b)"


def test_wrong_uses_of_custom():
    with pytest.raises(jd.JaxdreamError, match="takes the names of layers"):
        custom()
    with pytest.raises(jd.JaxdreamError, match=r"must return one number, .* shape \(2,\)"):
        custom("a")(lambda x: x[0, 0])(ACTS)


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
    whole = terms._best_matches(x, y)
    monkeypatch.setattr(terms, "_GUIDE_DOT_PRODUCTS", 50)
    np.testing.assert_array_equal(terms._best_matches(x, y), whole)


def test_a_caricature_of_the_picture_itself_is_twice_the_energy(tiny, picture):
    reference = objectives.caricature(tiny, picture, "second")
    energy = float(layer("second").value(tiny, picture))
    assert reference.value(tiny, picture) == pytest.approx(2 * energy, rel=1e-5)


def test_a_caricature_at_another_size_resamples_the_reference():
    y, x = jnp.mgrid[:3, :4]
    ramps = jnp.stack([5.0 * y + x, -1.0 * y], axis=-1)
    acts = {"a": normal(5, 7, 2)}
    y, x = np.mgrid[:5, :7]
    expected = acts["a"][..., 0] * (5 * y / 2 + x / 2) - acts["a"][..., 1] * y / 2
    caricature = terms.Caricature("a", ramps)
    assert caricature(acts) == pytest.approx(float(expected.sum()), rel=1e-5)


@pytest.mark.parametrize("make", [objectives.channel, objectives.channel_energy])
def test_an_index_is_data_and_travels_through_vmap(make):
    acts = {"a": normal(3, 4, 5)}
    many = make("a", np.arange(5))
    values = jax.vmap(lambda objective: objective(acts))(many)
    np.testing.assert_allclose(values, [make("a", i)(acts) for i in range(5)], rtol=1e-5)
    assert "?" in repr(many)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array(1.5), "an integer, not float64"),
        (1.5, "one integer, not 1.5"),
        ([1, 2], r"one integer, not \[1, 2\]: add several objectives"),
        (2**40, "out of range"),
        (True, "not bool"),
    ],
)
def test_an_index_is_an_integer(index, message):
    unchecked = inspect.unwrap(objectives.channel)  # annotations are checked in tests only
    with pytest.raises(jd.JaxdreamError, match=message):
        unchecked("a", index)


def test_a_position_is_a_share():
    with pytest.raises(jd.JaxdreamError, match=r"from 0 to 1, .* not 1.5"):
        objectives.neuron("a", 0, position=(0.5, 1.5))


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (objectives.channel("secnd", 0), "no layer 'secnd': the nearest are second"),
        (objectives.channel("second", 5), "second has channels 0 to 4, not 5"),
        (objectives.channel_energy("second", 5), "second has channels 0 to 4, not 5"),
        (2 * objectives.neuron("second", -1), "second has channels 0 to 4, not -1"),
        (layer("first") + objectives.logit(3), "has no classifier"),
        (objectives.direction("first", np.zeros(3)), "first has 4 channels, .* direction has 3"),
        (objectives.direction("first", np.full(4, np.nan)), "not finite"),
        (terms.Guide("first", jnp.zeros((2, 5))), "guide has 5 numbers"),
    ],
)
def test_check_refuses_objectives_that_the_network_lacks(tiny, objective, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        objective.check(tiny.graph)


@pytest.mark.parametrize("make", [guide, objectives.caricature])
def test_a_guide_or_reference_is_refused_at_once(tiny, make):
    with pytest.raises(jd.JaxdreamError, match="1x1 pixels and second needs at least 2x2"):
        make(tiny, np.zeros((1, 1, 3), np.float32), "second")
    with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
        make(tiny, np.zeros((9, 9, 3), np.float32), "secnd")
