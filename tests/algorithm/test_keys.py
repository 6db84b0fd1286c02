"""The jitter of steps, drawn from the pictures' keys."""

import jax
import numpy as np
import pytest

from jaxdream import DreamSettings
from jaxdream.algorithm.keys import drawn_offsets

KEYS = [jax.random.key(3), jax.random.key(4)]
SIZES = [[(20, 30), (25, 40)], [(200, 300), (250, 400)]]  # of two octaves, of each picture


@pytest.mark.parametrize("seamless", ["x", "y", "both"])
def test_around_a_seamless_side_offsets_are_anywhere(seamless):
    settings = DreamSettings(steps=300, jitter=3, seamless=seamless)
    offsets = drawn_offsets(KEYS, SIZES, settings)
    plain = drawn_offsets(KEYS, SIZES, settings.replace(seamless=None))
    assert offsets.shape == plain.shape == (600, 2, 2)
    for axis, name in enumerate("xy"):
        if seamless not in (name, "both"):
            np.testing.assert_array_equal(offsets[..., axis], plain[..., axis])
            continue
        for octave, sizes in enumerate(SIZES):
            for picture, size in enumerate(sizes):
                side = size[1 - axis]
                found = offsets[300 * octave : 300 * (octave + 1), picture, axis]
                assert 0 <= found.min() < 0.1 * side
                assert 0.9 * side < found.max() < side
