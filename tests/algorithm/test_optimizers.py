from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import ndimage

import jaxdream as jd
from jaxdream.algorithm.optimizers import (
    _expand,
    _reduce,
    named_optimizer,
    normalize_laplacian,
    optimizer_names,
    smooth_gradient,
)


def gradient_of(height, width, seed=0):
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=(height, width, 3)), jnp.float32)


def apply(transform: optax.GradientTransformation, gradient):
    return transform.update(gradient, transform.init(gradient), gradient)[0]


def test_every_named_optimizer_steps_uphill():
    assert len(optimizer_names()) > 15
    gradient = gradient_of(6, 7)
    for name in set(optimizer_names()) - {"rprop"}:  # whose first step is zero
        update = apply(named_optimizer(name, step_size=1.0), -gradient)
        assert float(jnp.sum(update * gradient)) > 0, name


@pytest.mark.parametrize("name", ["classic", "sgd", "adam"])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_step_size_is_in_levels_whatever_the_gradient(name, scale):
    update = apply(named_optimizer(name, step_size=2.0), scale * gradient_of(20, 20))
    assert float(jnp.abs(update).mean()) == pytest.approx(2.0, rel=1e-3)


def test_asked_for_twice_it_is_the_same_and_compiles_nothing_new():
    assert named_optimizer("adam", smooth=1.0) is named_optimizer("adam", smooth=1.0)
    assert named_optimizer("adam", smooth=1.0) is not named_optimizer("adam", smooth=2.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "adm"}, "no optimizer 'adm': the nearest are adam"),
        ({"name": "classic", "smooth": -1.0}, "smoothed by 0 to 100"),
        ({"name": "classic", "smooth": float("nan")}, "smoothed by 0 to 100"),
        ({"name": "classic", "laplacian": 99}, "0 to 16 levels"),
        ({"name": "adam", "step_size": float("inf")}, "finite"),
    ],
)
def test_bad_settings_say_so(options, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        named_optimizer(**options)


def test_smoothing_by_nothing_says_so():
    with pytest.raises(jd.JaxdreamError, match="more than 0 pixels"):
        jd.smooth_gradient(0.0)


def test_smoothing_is_a_gaussian():
    gradient = gradient_of(30, 41)
    expected = ndimage.gaussian_filter(
        np.asarray(gradient), (1.5, 1.5, 0), mode="nearest", radius=(5, 5, 0)
    )
    np.testing.assert_allclose(apply(smooth_gradient(1.5), gradient), expected, atol=1e-5)


SIZES = [(1, 1), (2, 3), (1, 9), (8, 13), (23, 16)]


@pytest.mark.parametrize("size", SIZES)
def test_a_laplacian_pyramid_of_any_size_has_finite_bands(size):
    out = jax.jit(partial(apply, normalize_laplacian(3)))(gradient_of(*size))
    assert out.shape == (*size, 3)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("size", SIZES)
def test_a_constant_survives_reduction_and_expansion(size):
    image = jnp.full((*size, 3), 7.0)
    smaller, back = jax.jit(lambda image: (_reduce(image), _expand(_reduce(image), size)))(image)
    assert smaller.shape == ((size[0] + 1) // 2, (size[1] + 1) // 2, 3)
    np.testing.assert_allclose(smaller, 7.0, rtol=1e-6)
    np.testing.assert_allclose(back, 7.0, rtol=1e-6)


def test_the_pyramid_lifts_what_is_coarse():
    y = jnp.arange(64.0)[:, None, None]
    coarse = jnp.broadcast_to(jnp.sin(2 * np.pi * y / 32), (64, 64, 3))
    mixed = 0.05 * coarse + gradient_of(64, 64)
    levelled = jax.jit(partial(apply, normalize_laplacian(4)))(mixed)

    def likeness(gradient):
        return float(
            jnp.sum(gradient * coarse) / jnp.linalg.norm(gradient) / jnp.linalg.norm(coarse)
        )

    assert likeness(levelled) > 3 * likeness(mixed)


def test_of_no_gradient_comes_no_step():
    zero = jnp.zeros((9, 9, 3))
    step = partial(apply, named_optimizer("classic", smooth=1.0, laplacian=3))
    assert not jax.jit(step)(zero).any()


def test_a_dream_with_an_optimizer_of_optax(tiny, picture):
    optimizer = named_optimizer("adam", step_size=1.0, smooth=0.7)
    out = jd.dream(jax.random.key(0), tiny, picture, steps=3, octaves=1, optimizer=optimizer)
    change = np.abs(out - picture)
    assert 0.5 < change.mean() < 4
