import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.visualization.fourier import independent_channels
from jaxdream.visualization.natural_spectrum import power_law
from jaxdream.visualization.phase import PhaseImage

KEY = jax.random.key(0)
SIZES = [(1, 1), (1, 6), (5, 6), (6, 7), (7, 9), (8, 8)]


@jax.jit
def magnitude(image):
    return jnp.abs(jnp.fft.rfft2(independent_channels(image), axes=(-3, -2)))


@pytest.mark.parametrize("size", SIZES)
def test_gives_a_picture_of_any_size_back(size):
    image = np.random.default_rng(0).uniform(1, 254, (*size, 3)).astype(np.float32)
    held = PhaseImage.of(image)
    assert held.size == size
    np.testing.assert_allclose(held.pixels(), image, atol=0.02)


def test_a_dark_picture_of_one_colour_comes_back():
    image = np.full((6, 8, 3), 40, np.float32)
    np.testing.assert_allclose(PhaseImage.of(image).pixels(), image, atol=0.02)


@pytest.mark.parametrize("size", [(24, 32), (25, 31)])
def test_the_magnitudes_stay_whatever_the_phases_are(size):
    held = PhaseImage.noise(KEY, size)
    expected = power_law(size)
    # Nothing but the sign is free of those that are their own conjugates, and it is not changed.
    np.testing.assert_allclose(magnitude(held.pixels()), expected, rtol=1e-3, atol=2e-3)
    moved = held.with_learnt(held.learnt + jax.random.normal(jax.random.key(1), held.learnt.shape))
    np.testing.assert_allclose(magnitude(moved.pixels()), expected, rtol=1e-3, atol=2e-3)
    assert np.abs(np.asarray(moved.pixels() - held.pixels())).mean() > 10


def test_noise_is_not_brighter_in_its_corner():
    held = jax.vmap(lambda key: PhaseImage.noise(key, (16, 16)).pixels())
    images = np.asarray(held(jax.random.split(KEY, 64)))
    assert abs(images[:, 0, 0].mean() - images.mean()) < 10
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)), 127.5, atol=3)


def test_every_phase_has_a_gradient_but_those_of_real_coefficients():
    held = PhaseImage.noise(KEY, (6, 8))
    weights = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)

    @jax.jit
    @jax.grad
    def gradient(phase):
        return jnp.sum(held.with_learnt(phase).pixels() * weights)

    reached = np.asarray(gradient(held.learnt)) != 0
    expected = np.ones((6, 5, 3), bool)
    # The lower half of the first and of the last column follows from the upper one.
    expected[:, [0, 4]] = np.isin(np.arange(6), [1, 2])[:, None, None]
    np.testing.assert_array_equal(reached, expected)


def test_magnitudes_of_another_size_are_refused():
    with pytest.raises(jd.JaxdreamError, match=r"pictures of 8x6 pixels need \(6, 5, 3\)"):
        PhaseImage.noise(KEY, (6, 8), magnitude=power_law(6))
