import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxdream as jd
from jaxdream.objectives import custom, layer


def test_one_step_by_hand(tiny, picture):
    offset = jnp.array([3, -2])
    _, gradient = jd.objective_and_gradient(tiny, layer("second"), jd.roll(picture, offset))
    expected = jd.roll(picture, offset) + 1.5 * gradient / jnp.abs(gradient).mean()
    expected = jnp.clip(jd.roll(expected, -offset), 0, 255)
    optimizer = jd.classic_optimizer(1.5)
    state = jd.start_ascent(picture, optimizer=optimizer)
    state, info = jd.ascent_step(tiny, layer("second"), state, offset, optimizer=optimizer)
    np.testing.assert_allclose(state.image, expected, atol=1e-4)
    np.testing.assert_allclose(info.gradient_mean, jnp.abs(gradient).mean(), rtol=1e-5)
    assert float(info.value) > 0


def test_an_objective_as_text(tiny, picture):
    of_text = jd.objective_and_gradient(tiny, "second:2 + 0.5*relu", picture)
    objective = jd.objectives.channel_energy("second", 2) + 0.5 * layer("relu")
    for got, wanted in zip(
        of_text, jd.objective_and_gradient(tiny, objective, picture), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
        jd.objective_and_gradient(tiny, "secnd", picture)


def test_gradient_against_finite_differences(tiny, picture):
    objective = layer("second") + 0.5 * layer("relu")
    _, gradient = jd.objective_and_gradient(tiny, objective, picture)
    direction = np.random.default_rng(0).normal(size=picture.shape).astype(np.float32)
    epsilon = 0.05

    def value(image):
        return float(jd.objective_and_gradient(tiny, objective, image)[0])

    slope = (value(picture + epsilon * direction) - value(picture - epsilon * direction)) / (
        2 * epsilon
    )
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=0.02)


def test_gradient_is_per_pixel_level_whatever_the_network_sees(tiny, picture):
    from jaxdream.models.graph_network import GraphNetwork
    from jaxdream.models.preprocessing import Preprocessing

    @custom("data")
    def first_pixel(x):
        return x[0, 0].sum()

    scaled = Preprocessing("RGB", (0.0, 0.0, 0.0), (100.0, 100.0, 100.0))
    weights = {
        f"{scope}/{part}": getattr(value, part)[...]
        for scope, value in tiny.params.items()
        for part in ("kernel", "bias")
    }
    model = GraphNetwork("scaled", tiny.graph, scaled, "second", weights, "")
    _, gradient = jd.objective_and_gradient(model, first_pixel, picture)
    np.testing.assert_allclose(gradient[0, 0], 0.01)
    assert not gradient[1:].any()


def test_zero_gradient_is_a_zero_step_and_tiny_ones_are_not():
    transform = jd.normalize_by_mean_abs()
    zero, _ = transform.update(jnp.zeros((2, 3, 3)), transform.init(None))
    assert not zero.any()
    tiny_gradient = jnp.full((2, 3, 3), 1e-30)
    normal, _ = transform.update(tiny_gradient, transform.init(None))
    np.testing.assert_allclose(normal, 1, rtol=1e-5)


def test_any_optax_optimizer_takes_the_place_of_the_classic_step(tiny, picture):
    optimizer = optax.adam(2.0)
    state = jd.start_ascent(picture, optimizer=optimizer)
    values = []
    for _ in range(5):
        state, info = jd.ascent_step(
            tiny, layer("second"), state, jnp.zeros(2, int), optimizer=optimizer
        )
        values.append(float(info.value))
    assert values == sorted(values)


def test_clip(tiny, picture):
    optimizer = jd.classic_optimizer(500.0)
    state = jd.start_ascent(picture, optimizer=optimizer)
    step = jax.jit(jd.ascent_step, static_argnames=("optimizer", "clip"))
    offset = jnp.zeros(2, int)
    clipped, _ = step(tiny, layer("second"), state, offset, optimizer=optimizer)
    free, _ = step(tiny, layer("second"), state, offset, optimizer=optimizer, clip=False)
    assert float(free.image.min()) < 0
    assert float(free.image.max()) > 255
    np.testing.assert_allclose(clipped.image, jnp.clip(free.image, 0, 255), atol=1e-4)
