import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import check_parts

import jaxdream as jd
from jaxdream.objectives import cosine, direction, direction_neuron

# Two positions: along (3, 4), and across the vector.
ACTS = {"a": jnp.array([[[3.0, 4.0], [1.0, 0.0]]])}
VECTOR = np.array([0.0, 2.0])
FIVE = np.array([1.0, -0.5, 0.25, 2.0, -1.0], np.float32)


def test_a_dot_product_times_a_power_of_the_cosine():
    assert direction("a", VECTOR)(ACTS) == 8
    # The cosines are 4 / 5 and 0, of which at least 0.1 is taken.
    assert direction("a", VECTOR, power=2)(ACTS) == pytest.approx(8 * 0.8**2)
    away = {"a": jnp.array([[[0.0, -3.0]]])}
    assert direction("a", VECTOR, power=2)(away) == pytest.approx(-6 * 0.1**2)
    assert direction("a", VECTOR, power=2, mean=True)(ACTS) == pytest.approx(8 * 0.8**2 / 2)
    assert repr(direction("a", VECTOR, power=2, mean=True)) == "direction(a, power=2, mean)"


def test_at_one_position():
    first, second = (0.0, 0.5), (1.0, 0.5)
    assert direction_neuron("a", VECTOR, position=first)(ACTS) == 8
    along = direction_neuron("a", VECTOR, position=first, power=3)
    assert along(ACTS) == pytest.approx(8 * 0.8**3)
    assert direction_neuron("a", np.array([5.0, 1.0]), position=second)(ACTS) == 5
    assert direction_neuron("a", np.array([5.0, 1.0]))(ACTS) == 5, "the middle"
    assert repr(along) == "direction_neuron(a, 0, 0.5, power=3)"
    gradient = jax.grad(along)(ACTS)["a"]
    assert (gradient[0, 1] == 0).all()
    assert not along.local


def test_the_cosine_alone_takes_no_account_of_strength():
    assert cosine("a", VECTOR)(ACTS) == pytest.approx(0.8)
    assert cosine("a", 7 * VECTOR)({"a": 5 * ACTS["a"]}) == pytest.approx(0.8)
    assert cosine("a", -VECTOR, mean=True)(ACTS) == pytest.approx(-0.4)


OBJECTIVES = {
    "direction": direction("second", FIVE, power=2),
    "a fraction": direction("second", FIVE, power=0.5, mean=True),
    "cosine": cosine("second", FIVE),
    "neuron": direction_neuron("second", FIVE, power=2),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("value", [0.0, 1e-20, 1e-8, 1e6])
def test_gradients_are_finite_where_nothing_is_seen(name, value):
    for sign in (-1, 1):
        acts = {"second": sign * jnp.full((2, 3, 5), value)}
        found, gradient = jax.value_and_grad(OBJECTIVES[name])(acts)
        assert np.isfinite(found)
        assert np.isfinite(gradient["second"]).all()
    zero = jnp.zeros((2, 3, 5))
    assert OBJECTIVES[name]({"second": zero}) == 0
    vectors = jax.grad(lambda objective: objective({"second": zero}))(OBJECTIVES[name])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(vectors))


@pytest.mark.parametrize("name", ["direction", "a fraction", "cosine"])
def test_sums_are_the_same_padded_and_in_tiles(tiny, picture, name):
    check_parts(tiny, OBJECTIVES[name], picture)


def test_a_tiled_dream_is_the_whole_one(tiny, monkeypatch):
    image = np.random.default_rng(0).uniform(0, 255, (70, 80, 3)).astype(np.float32)
    objective = direction("second", FIVE, power=2) + 0.3 * cosine("second", -FIVE, mean=True)
    options = {"steps": 2, "octaves": 1, "jitter": 5}
    whole = jd.dream(0, tiny, image, objective, **options)
    monkeypatch.setattr("jaxdream.execution.planner.fits", lambda *_: False)
    monkeypatch.setattr("jaxdream.execution.planner.bytes_per_pixel", lambda _: 1e5)
    tiled = jd.dream(0, tiny, image, objective, memory=10**12, **options)
    np.testing.assert_allclose(tiled, whole, atol=0.05)


def test_vectors_are_data_and_travel_through_vmap():
    vectors = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    for make in (lambda v: direction("a", v, power=2), lambda v: cosine("a", v)):
        many = jax.vmap(make)(vectors)
        values = jax.jit(jax.vmap(lambda objective: objective(ACTS)))(many)
        np.testing.assert_allclose(values, [make(v)(ACTS) for v in vectors], rtol=1e-5)


def test_check_refuses_vectors_that_do_not_fit(tiny):
    for make in (direction, direction_neuron, cosine):
        with pytest.raises(jd.JaxdreamError, match=r"first has 4 channels, .* direction has 3"):
            make("first", np.zeros(3)).check(tiny.graph)
        with pytest.raises(jd.JaxdreamError, match="not finite"):
            make("first", np.full(4, np.nan)).check(tiny.graph)
        with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
            make("secnd", np.zeros(4)).check(tiny.graph)


@pytest.mark.parametrize("power", [-1, 101.0, float("nan"), True])
def test_a_power_is_a_number_from_0_to_100(power):
    unchecked = inspect.unwrap(direction)  # annotations are checked in tests only
    with pytest.raises(jd.JaxdreamError, match="power is a number from 0 to 100, not"):
        unchecked("a", VECTOR, power=power)
