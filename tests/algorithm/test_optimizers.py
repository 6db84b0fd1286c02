from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import ndimage

import jaxdream as jd
from jaxdream.algorithm.optimizers import (
    StepRule,
    _expand,
    _optax_optimizers,
    _reduce,
    classic_optimizer,
    gaussian_blur,
    make_optimizer,
    normalize_by_laplacian_pyramid,
    normalize_by_mean_abs,
)


def gradient_of(height, width, seed=0):
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=(height, width, 3)), jnp.float32)


def apply(transform: optax.GradientTransformation, gradient):
    return transform.update(gradient, transform.init(gradient), gradient)[0]


def test_every_named_optimizer_steps_uphill():
    names = ["classic", *_optax_optimizers()]
    assert len(names) > 15
    gradient = gradient_of(6, 7)
    for name in set(names) - {"rprop"}:  # whose first step is zero
        update = apply(make_optimizer(name, step_size=1.0), -gradient)
        assert float(jnp.sum(update * gradient)) > 0, name


@pytest.mark.parametrize("name", ["classic", "sgd", "adam"])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_step_size_is_in_levels_whatever_the_gradient(name, scale):
    update = apply(make_optimizer(name, step_size=2.0), scale * gradient_of(20, 20))
    assert float(jnp.abs(update).mean()) == pytest.approx(2.0, rel=1e-3)


def test_equal_rules_are_equal_static_arguments():
    assert StepRule("adam", smooth=1.0) == StepRule("adam", smooth=1.0)
    assert hash(StepRule("adam", smooth=1.0)) == hash(StepRule("adam", smooth=1.0))
    assert StepRule("adam", smooth=1.0) != StepRule("adam", smooth=2.0)


@pytest.mark.parametrize(
    ("optimizer", "allowed"),
    [
        ("classic", True),
        ("adam", True),
        ("lion", True),
        ("lamb", False),
        ("adafactor", False),
        (classic_optimizer(2.0), True),
        (optax.adam(optax.cosine_decay_schedule(1.0, 10)), True),
        (optax.chain(normalize_by_mean_abs(), optax.scale_by_adam(), optax.scale(-1.0)), True),
        (optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1.0)), False),
    ],
)
def test_only_element_wise_optimizers_allow_padding(optimizer, allowed):
    assert StepRule(optimizer).allows_padding == allowed
    assert not StepRule(optimizer, smooth=1.0).allows_padding
    assert not StepRule(optimizer, laplacian=2).allows_padding


@pytest.mark.parametrize("name", [n for n in _optax_optimizers() if StepRule(n).allows_padding])
def test_padding_changes_nothing_for_those_that_allow_it(name):
    gradient, image = gradient_of(5, 6), 100 + gradient_of(5, 6, seed=1)
    padded, padded_image = (jnp.pad(x, ((0, 3), (0, 2), (0, 0))) for x in (gradient, image))

    def steps(gradient, image, valid_count):
        optimizer = make_optimizer(name, step_size=0.5)
        state = optimizer.init(image)
        for _ in range(3):
            updates, state = optimizer.update(gradient, state, image, valid_count=valid_count)
            image = optax.apply_updates(image, updates)
            gradient = 0.7 * gradient
        return image

    exact = jax.jit(partial(steps, valid_count=None))(gradient, image)
    shared = jax.jit(steps)(padded, padded_image, 5 * 6 * 3)
    np.testing.assert_allclose(shared[:5, :6], exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adm"}, "no optimizer 'adm': the nearest are adam"),
        ({"smooth": -1.0}, "smooth is a number from 0 to 100, not -1.0"),
        ({"smooth": float("nan")}, "smooth is a number from 0 to 100, not nan"),
        ({"laplacian": 99}, "laplacian is a whole number from 0 to 16, not 99"),
    ],
)
def test_bad_settings_say_so(options, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        make_optimizer(**options)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), 101.0])
def test_a_blur_is_over_0_pixels(sigma):
    with pytest.raises(jd.JaxdreamError, match="over 0 and at most 100 pixels"):
        jd.gaussian_blur(sigma)


@pytest.mark.parametrize("levels", [0, -1, 17])
def test_a_laplacian_pyramid_has_levels(levels):
    with pytest.raises(jd.JaxdreamError, match=f"are 1 to 16, not {levels}"):
        jd.normalize_by_laplacian_pyramid(levels)


def test_smoothing_is_a_gaussian():
    gradient = gradient_of(30, 41)
    expected = ndimage.gaussian_filter(
        np.asarray(gradient), (1.5, 1.5, 0), mode="nearest", radius=(5, 5, 0)
    )
    np.testing.assert_allclose(apply(gaussian_blur(1.5), gradient), expected, atol=1e-5)


SIZES = [(1, 1), (2, 3), (1, 9), (8, 13), (23, 16)]


@pytest.mark.parametrize("size", SIZES)
def test_a_laplacian_pyramid_of_any_size_has_finite_bands(size):
    out = jax.jit(partial(apply, normalize_by_laplacian_pyramid(3)))(gradient_of(*size))
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
    levelled = jax.jit(partial(apply, normalize_by_laplacian_pyramid(4)))(mixed)

    def likeness(gradient):
        return float(
            jnp.sum(gradient * coarse) / jnp.linalg.norm(gradient) / jnp.linalg.norm(coarse)
        )

    assert likeness(levelled) > 3 * likeness(mixed)


def test_of_no_gradient_comes_no_step():
    zero = jnp.zeros((9, 9, 3))
    step = partial(apply, make_optimizer("classic", smooth=1.0, laplacian=3))
    assert not jax.jit(step)(zero).any()


def test_a_dream_with_an_optimizer_of_optax(tiny, picture):
    options = {"optimizer": "adam", "step_size": 1.0, "smooth": 0.7, "steps": 3, "octaves": 1}
    out = jd.dream(jax.random.key(0), tiny, picture, **options)
    made = make_optimizer("adam", step_size=1.0, smooth=0.7)
    same = jd.dream(jax.random.key(0), tiny, picture, steps=3, octaves=1, optimizer=made)
    np.testing.assert_allclose(out, same, atol=1e-3)
    change = np.abs(out - picture)
    assert 0.5 < change.mean() < 4
