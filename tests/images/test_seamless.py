"""Pictures made to tile."""

import numpy as np
import pytest

from jaxdream.images.picture_files import Picture
from jaxdream.images.seamless import make_seamless, wrapped_axes


def slope(height=24, width=30):
    """A picture whose sides are as different as can be."""
    y, x = np.mgrid[:height, :width]
    values = (x / width + y / height) * 127
    return np.repeat(values[..., None], 3, axis=-1).astype(np.float32)


def largest_step(pixels, axis):
    """The largest jump between neighbours inside, and the one across the edge."""
    inside = np.abs(np.diff(pixels, axis=axis)).max()
    first, last = np.take(pixels, 0, axis=axis), np.take(pixels, -1, axis=axis)
    return inside, np.abs(first - last).max()


@pytest.mark.parametrize("seamless", ["x", "y", "both"])
def test_the_jump_across_an_edge_is_not_larger_than_inside(seamless):
    made = make_seamless(Picture(slope(), None, ""), seamless).pixels
    for axis, wraps in enumerate(wrapped_axes(seamless)):
        inside, across = largest_step(made, axis)
        assert (across <= inside) == wraps


def test_the_middle_stays_as_it_is_and_transparency_goes_along():
    alpha = np.full((24, 30), 255, np.uint8)
    alpha[:, 15:] = 0
    made = make_seamless(Picture(slope(), alpha, "ab"), "x")
    np.testing.assert_allclose(made.pixels[:, 12:18], slope()[:, 12:18])
    assert made.alpha.dtype == np.uint8
    assert made.sha256 == "ab"
