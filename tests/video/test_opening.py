"""What a file says of its video: orientation, length and rate, also where it says nothing."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from jaxdream.video.opening import Orientation, _fps, _seconds

# Of FFmpeg's display matrix a, b, u, c, d, v, x, y, w: where a stored (x, y) is shown.
MATRICES = {
    "as it is": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "a quarter": (0, -1, 0, 1, 0, 0, 0, 0, 1),
    "half": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "three quarters": (0, 1, 0, -1, 0, 0, 0, 0, 1),
    "mirrored": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    "upside down": (1, 0, 0, 0, -1, 0, 0, 0, 1),
    "along its diagonal": (0, 1, 0, 1, 0, 0, 0, 0, 1),
}


@pytest.mark.parametrize("name", MATRICES)
def test_each_stored_pixel_is_shown_where_the_matrix_puts_it(name):
    across, down, _, left, up, *_ = MATRICES[name]
    stored = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    orientation = Orientation(tuple(65536 * number for number in MATRICES[name]))
    shown = orientation.upright(stored)
    assert shown.shape[:2] == orientation.size((2, 3))
    places = np.array([[(across * x + left * y, down * x + up * y) for x in range(3)]
                       for y in range(2)])  # fmt: skip
    places -= places.min(axis=(0, 1))
    for y in range(2):
        for x in range(3):
            to_x, to_y = places[y, x]
            np.testing.assert_array_equal(shown[to_y, to_x], stored[y, x])
    assert orientation.mirrored == (across * up - down * left < 0)


def test_turned_pixels_are_as_high_as_they_were_wide():
    assert Orientation(MATRICES["a quarter"]).aspect(Fraction(4, 3)) == Fraction(3, 4)
    assert Orientation(MATRICES["half"]).aspect(Fraction(4, 3)) == Fraction(4, 3)
    assert Orientation(None).rotation == 0


def seconds(stream=None, container=None, end=""):
    source = SimpleNamespace(duration=stream, metadata={"DURATION": end} if end else {})
    whole = SimpleNamespace(duration=container)
    return _seconds(whole, source, Fraction(1, 1000), Fraction(1, 2))


def test_the_length_is_the_streams_own_or_where_it_ends_or_the_files():
    assert seconds(2500, 9_000_000, "00:00:07.0") == Fraction(5, 2)
    assert seconds(None, 9_000_000, "01:02:03.250000000") == 3723 + Fraction(1, 4) - Fraction(1, 2)
    assert seconds(None, 9_000_000, "soon") == 9
    assert seconds(-1, 9_000_000, "00:00:00.1") == 9, "an end before the first frame"
    assert seconds(None, None) is None


def test_the_rate_is_the_first_that_can_be():
    def fps(*rates):
        names = ("average_rate", "guessed_rate", "base_rate")
        return _fps(SimpleNamespace(**dict(zip(names, rates, strict=True))))

    ntsc, impossible = Fraction(30000, 1001), Fraction(90000)
    assert fps(ntsc, Fraction(30), None) == ntsc
    assert fps(None, impossible, Fraction(24)) == 24
    assert fps(impossible, None, None) == 25
