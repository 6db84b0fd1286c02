import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.visualization.fourier import independent_channels
from jaxdream.visualization.natural_spectrum import (
    DEVIATIONS,
    EXPONENTS,
    mean_spectrum,
    power_law,
)
from jaxdream.visualization.phase import PhaseImage


@pytest.mark.parametrize("size", [(24, 32), (25, 31)])
def test_the_power_law_has_its_deviations_and_exponents(size):
    law = power_law(size)
    assert law.shape == (size[0], size[1] // 2 + 1, 3)
    assert (law[0, 0] == 0).all()
    # One and two waves down the picture.
    np.testing.assert_allclose(np.log2(law[1, 0] / law[2, 0]), EXPONENTS, rtol=1e-4)
    values = independent_channels(PhaseImage.noise(jax.random.key(0), size).pixels())
    np.testing.assert_allclose(np.std(values, axis=(0, 1)), DEVIATIONS, rtol=0.01)


def test_a_side_is_a_square():
    np.testing.assert_array_equal(power_law(6), power_law((6, 6)))


def test_a_wave_is_found_at_its_frequency():
    y = np.arange(32)[:, None, None]
    wave = np.broadcast_to(127.5 + 60 * np.sin(2 * np.pi * 5 * y / 32), (32, 48, 3))
    spectrum = mean_spectrum([wave.astype(np.float32)] * 2, size=(32, 48))
    assert spectrum.shape == (32, 25, 3)
    assert np.unravel_index(np.argmax(spectrum[..., 0]), (32, 25)) in {(5, 0), (27, 0)}
    assert (spectrum[0, 0] == 0).all()


def test_it_is_the_mean_over_pictures_of_any_size():
    random = np.random.default_rng(0)
    pictures = [random.uniform(0, 255, (*s, 3)).astype(np.float32) for s in ((20, 30), (40, 20))]
    each = [mean_spectrum([picture], size=16) for picture in pictures]
    np.testing.assert_allclose(mean_spectrum(iter(pictures), size=16), np.mean(each, 0), rtol=1e-5)


def test_pictures_with_it_are_as_strong_as_those_it_is_of(picture):
    spectrum = mean_spectrum([picture], size=picture.shape[:2])
    made = PhaseImage.noise(jax.random.key(0), picture.shape[:2], magnitude=spectrum).pixels()
    deviations = (np.std(independent_channels(each), axis=(0, 1)) for each in (made, picture))
    # Not quite: the sigmoid cuts off what is nearly black or white.
    np.testing.assert_allclose(*deviations, rtol=0.1)


@pytest.mark.parametrize(
    ("pictures", "size", "message"),
    [
        ([], 16, "give at least one"),
        ([np.full((20, 20, 3), 90, np.float32)], 16, "of one colour"),
        ([], 2, "over 2 pixels"),
        ([], (0, 4), "height and a width"),
    ],
)
def test_what_has_no_spectrum(pictures, size, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        mean_spectrum(pictures, size=size)
