import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.visualization.fourier import LOGIT_COVARIANCE, FourierImage, low_frequencies

SIZES = [(1, 1), (1, 6), (5, 6), (6, 7), (7, 9)]


@jax.jit
def there_and_back(image):
    return FourierImage.of(image).pixels()


@pytest.mark.parametrize("size", SIZES)
def test_gives_a_picture_of_any_size_back(size):
    image = np.random.default_rng(0).uniform(1, 254, (*size, 3)).astype(np.float32)
    assert FourierImage.of(image).size == size
    np.testing.assert_allclose(there_and_back(image), image, atol=0.02)


def test_black_and_white_come_back_half_a_level_away():
    image = np.zeros((5, 6, 3), np.float32)
    image[2] = 255
    np.testing.assert_allclose(there_and_back(image), image.clip(0.5, 254.5), atol=0.02)


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_gradient_is_exact(size):
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        shape = (2, size[0], size[1] // 2 + 1, 3)
        spectrum, step, weights = (random.normal(size=s) for s in (shape, shape, (*size, 3)))

        @jax.jit
        def score(spectrum):
            return jnp.sum(FourierImage(spectrum, size[1]).pixels() * weights)

        slope = np.sum(jax.jit(jax.grad(score))(spectrum) * step)
        numeric = (score(spectrum + 1e-5 * step) - score(spectrum - 1e-5 * step)) / 2e-5
        assert float(slope) == pytest.approx(float(numeric), rel=1e-6)


def test_unit_noise_has_the_colours_and_contrast_of_natural_pictures():
    @jax.jit
    @jax.vmap
    def noise(key):
        return FourierImage.noise(key, (64, 51), deviation=1.0).pixels()

    pixels = np.asarray(noise(jax.random.split(jax.random.key(0), 100)), np.float64)
    share = (pixels / 255).clip(1e-6, 1 - 1e-6).reshape(-1, 3)
    covariance = np.cov((np.log(share) - np.log1p(-share)).T)
    np.testing.assert_allclose(covariance, LOGIT_COVARIANCE, rtol=0.1)


def test_power_falls_with_the_square_of_frequency():
    @jax.jit
    @jax.vmap
    def noise(key):
        return FourierImage.noise(key, (128, 128), deviation=0.1).pixels()[..., 1]

    pixels = np.asarray(noise(jax.random.split(jax.random.key(0), 8)))
    power = np.mean(np.abs(np.fft.fft2(pixels)) ** 2, axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    low = power[(frequency > 0.045) & (frequency < 0.055)].mean()
    high = power[(frequency > 0.18) & (frequency < 0.22)].mean()
    assert low / high == pytest.approx(16, rel=0.3)


def test_weak_noise_is_nearly_grey():
    pixels = np.asarray(FourierImage.noise(jax.random.key(0), (50, 40)).pixels())
    assert pixels.shape == (50, 40, 3)
    assert abs(pixels.mean() - 127.5) < 3
    assert 0.5 < pixels.std() < 5


def test_a_batch_has_the_spectra_of_its_pictures():
    images = np.random.default_rng(0).uniform(1, 254, (2, 6, 5, 3)).astype(np.float32)
    batch = FourierImage.of(images)
    np.testing.assert_allclose(batch.spectrum[1], FourierImage.of(images[1]).spectrum, atol=1e-5)
    np.testing.assert_allclose(batch.pixels(), images, atol=0.02)


def test_refuses_a_picture_without_pixels():
    with pytest.raises(jd.JaxdreamError, match="1 or more"):
        FourierImage.noise(jax.random.key(0), (0, 5))
    with pytest.raises(jd.JaxdreamError, match="1 or more"):
        FourierImage.of(np.zeros((4, 0, 3), np.float32))


def test_the_lowest_frequencies_are_those_of_few_waves():
    share = low_frequencies((20, 31))
    assert share.shape == (20, 16, 1)
    assert share[0, 0, 0] == 1
    np.testing.assert_allclose(share[2, 0, 0], 0.5)  # two waves from top to bottom
    np.testing.assert_allclose(share[-2, 0, 0], 0.5)
    np.testing.assert_allclose(share[0, 2, 0], 0.5)
    assert share[10, 15, 0] < 0.02
