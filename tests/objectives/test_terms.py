import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import check_parts

import jaxdream as jd
from jaxdream import objectives
from jaxdream.models.googlenet import googlenet
from jaxdream.objectives import custom, layer

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


@pytest.mark.parametrize(
    "objective",
    [
        objectives.channel("second", 1) + 2 * objectives.channel("first", 0),
        objectives.layer("second", mean=True),
        objectives.channel_energy("second", 1, mean=True),
        objectives.l1("first", mean=True) - objectives.l1("second"),
    ],
)
def test_sums_and_means_are_the_same_padded_and_in_tiles(tiny, picture, objective):
    check_parts(tiny, objective, picture)


def test_a_mean_is_the_sum_over_the_number_of_positions():
    acts = {"a": normal(3, 4, 5), "logits": jnp.arange(7.0)}
    for make in (
        lambda **mean: layer("a", **mean),
        lambda **mean: objectives.channel_energy("a", 2, **mean),
        lambda **mean: objectives.strongest("a", 2, **mean),
        lambda **mean: objectives.weakest("a", 2, **mean),
        lambda **mean: objectives.without("a", 2, **mean),
        lambda **mean: objectives.l1("a", **mean),
        lambda **mean: objectives.total_variation("a", **mean),
        lambda **mean: objectives.direction("a", np.arange(5.0), **mean),
        lambda **mean: objectives.cosine("a", np.arange(5.0), **mean),
    ):
        assert make(mean=True)(acts) == pytest.approx(float(make()(acts)) / 12, rel=1e-5)
    assert layer("logits", mean=True)(acts) == layer("logits")(acts)
    chosen = objectives.strongest("a", 2, mean=True).chosen(lambda *_: jnp.arange(5.0))
    both = sum(objectives.channel_energy("a", i, mean=True) for i in (3, 4))
    assert chosen(acts) == pytest.approx(float(both(acts)), rel=1e-5)


def test_the_weight_of_a_mean_does_not_depend_on_the_size(tiny, picture):
    twice = np.concatenate([picture, picture[::-1]])
    objective = layer("second", mean=True)
    small, large = (float(objective.value(tiny, image)) for image in (picture, twice))
    assert large == pytest.approx(small, rel=0.1)
    assert layer("second").value(tiny, twice) > 1.8 * layer("second").value(tiny, picture)


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
        (objectives.channel("secnd", 0), "no layer 'secnd': the nearest is second"),
        (objectives.channel("second", 5), "second has channels 0 to 4, not 5"),
        (objectives.channel_energy("second", 5), "second has channels 0 to 4, not 5"),
        (2 * objectives.neuron("second", -1), "second has channels 0 to 4, not -1"),
        (layer("first") + objectives.logit(3), "has no classifier"),
    ],
)
def test_check_refuses_objectives_that_the_network_lacks(tiny, objective, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        objective.check(tiny.graph)


@pytest.mark.parametrize(
    "objective",
    [objectives.neuron("logits", 3), objectives.direction_neuron("logits", np.ones(1000))],
)
def test_a_neuron_is_of_a_layer_with_positions(objective):
    with pytest.raises(jd.JaxdreamError, match="logits has no width and height, which a neuron's"):
        objective.check(googlenet())


def test_every_objective_has_its_source():
    made = [getattr(objectives, name) for name in objectives.__all__]
    functions = [one for one in made if inspect.isfunction(one)]
    assert len(functions) > 20
    without = {one.__name__ for one in functions if "Source: " not in (one.__doc__ or "")}
    assert without == {"custom"}
