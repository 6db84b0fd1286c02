"""Optical flow against known motion and another program, and where it can be trusted."""

import builtins

import cv2
import numpy as np
import pytest
import skimage.data
from helpers import photograph
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2gray
from skimage.registration import optical_flow_tvl1

from jaxdream import JaxdreamError
from jaxdream.video.flow import flow_library, follow, optical_flow, reliability

HEIGHT, WIDTH = 120, 160
INSIDE = (slice(16, -16), slice(16, -16))


def view(x, y):
    """A part of a photograph, from these columns and rows on."""
    return skimage.data.cat()[100 + y : 100 + y + HEIGHT, 100 + x : 100 + x + WIDTH]


def uniform(x, y, size=(HEIGHT, WIDTH)):
    """The flow of a picture that moves as a whole."""
    return np.full((*size, 2), (x, y), np.float32)


def texture(seed=0):
    """Smooth noise, uint8."""
    noise = np.random.default_rng(seed).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(128 + 6 * (smooth - 128), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("x", "y"), [(3, 0), (-5, 2), (0, -4), (8, 6)])
def test_a_pan_is_found_to_a_third_of_a_pixel(x, y):
    flow = optical_flow(view(0, 0), view(x, y))
    assert flow.dtype == np.float32
    error = np.hypot(*np.moveaxis(flow - (-x, -y), -1, 0))
    assert error[INSIDE].max() < 0.3


def test_agrees_with_another_program():
    first, second = view(0, 0), view(-5, 2)
    rows, columns = optical_flow_tvl1(rgb2gray(first), rgb2gray(second))
    distance = np.linalg.norm(optical_flow(first, second) - np.stack([columns, rows], -1), axis=-1)
    assert distance[INSIDE].mean() < 0.1


@pytest.mark.parametrize("size", [(15, 40), (40, 15), (2, 2), (1, 1)])
def test_tiny_frames_do_not_move(size):
    flow = optical_flow(*np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8))
    np.testing.assert_array_equal(flow, uniform(0, 0, size))


def test_equal_frames_do_not_move():
    np.testing.assert_array_equal(optical_flow(view(0, 0), view(0, 0)), uniform(0, 0))


def test_any_memory_layout_of_a_frame():
    first, second = view(0, 0)[:, ::-1], view(3, 0)[:, ::-1]
    flow = optical_flow(first, second)
    np.testing.assert_array_equal(flow, optical_flow(first.copy(), second.copy()))


@given(st.integers(1, 20), st.integers(1, 20), st.integers(-25, 25), st.integers(-25, 25))
def test_following_whole_pixels_is_exact(height, width, x, y):
    values = photograph(height, width).astype(np.float32)
    rows = np.clip(np.arange(height) + y, 0, height - 1)
    columns = np.clip(np.arange(width) + x, 0, width - 1)
    followed = follow(values, uniform(x, y, (height, width)))
    np.testing.assert_array_equal(followed, values[rows][:, columns])


def test_following_half_a_pixel_keeps_a_ramp():
    ramp = np.tile(np.arange(20, dtype=np.float32), (20, 1))
    followed = follow(ramp, uniform(0.5, 0, (20, 20)))
    np.testing.assert_allclose(followed[:, 2:-3], ramp[:, 2:-3] + 0.5, atol=1e-4)


def test_following_back_and_forth_loses_little():
    values = view(0, 0).astype(np.float32)
    there = follow(values, uniform(0.5, 0.25))
    back = follow(there, uniform(-0.5, -0.25))
    linear = cv2.blur(values, (2, 2))
    assert np.abs(back - values)[INSIDE].mean() < 0.5 * np.abs(linear - values)[INSIDE].mean()


@given(st.integers(-20, 20), st.integers(-20, 20))
def test_a_pan_is_reliable_except_where_it_leaves_the_frame(x, y):
    shares = reliability(uniform(x, y), uniform(-x, -y))
    assert shares.shape == (HEIGHT, WIDTH)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + np.array([y, x]).reshape(2, 1, 1)
    # How many pixels inside of the frame a pixel comes from; negative outside.
    depth = np.minimum.reduce([rows, columns, HEIGHT - 1 - rows, WIDTH - 1 - columns])
    assert (shares[depth < 0] < 0.5).all()
    assert (shares[depth < -5] < 1e-3).all()
    assert (shares[depth > 6] > 1 - 1e-3).all()
    if x == y == 0:
        np.testing.assert_array_equal(shares, 1)


def test_all_that_a_pan_shows_is_reliable():
    first, second = view(0, 0), view(5, -2)
    shares = reliability(optical_flow(second, first), optical_flow(first, second))
    np.testing.assert_array_equal(shares[INSIDE], 1)


def test_a_flow_that_does_not_return_is_unreliable():
    shares = reliability(uniform(4, 0), uniform(-2, 0))
    np.testing.assert_allclose(shares, 0, atol=1e-6)


def test_a_flow_may_miss_its_way_back_by_half_a_pixel():
    returning, missing = (
        reliability(uniform(0, 0), uniform(length, 0))[INSIDE] for length in (0.69, 0.73)
    )
    np.testing.assert_array_equal(returning, 1)
    np.testing.assert_allclose(missing, 0, atol=1e-6)


def test_edges_of_what_moves_are_unreliable():
    flow = uniform(0, 0)
    flow[:, WIDTH // 2 :, 1] = 0.6  # too little not to return
    shares = reliability(flow, np.zeros_like(flow))
    assert shares[:, WIDTH // 2 - 1 : WIDTH // 2 + 1].max() < 0.1
    assert shares[:-5, : WIDTH // 2 - 7].min() > 0.999
    assert shares[:-5, WIDTH // 2 + 7 :].min() > 0.999


def test_what_a_moving_square_uncovers_is_unreliable():
    background, square = texture(), texture(1)[:48, :48]
    before, after = background.copy(), background.copy()
    before[36:84, 40:88] = square
    after[36:84, 48:96] = square
    shares = reliability(optical_flow(after, before), optical_flow(before, after))
    uncovered, moving, still = shares[42:78, 41:47], shares[46:74, 58:86], shares[8:112, 120:152]
    assert uncovered.mean() < 0.01
    np.testing.assert_array_equal(moving, 1)
    np.testing.assert_array_equal(still, 1)


def test_without_opencv_a_line_says_what_to_install(monkeypatch):
    def refuse(name, *arguments, **options):
        if name == "cv2":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[video\]'"):
        flow_library()
