import inspect
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from jaxdream import JaxdreamError, resize, warp


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_is_scipy_zoom_without_the_black_edge(size, new_size):
    image = np.random.default_rng(0).uniform(0, 255, (*size, 3)).astype(np.float32)
    ratios = (new_size[0] / size[0], new_size[1] / size[1], 1)
    expected = ndimage.zoom(image, ratios, order=1, mode="nearest")
    assert expected.shape[:2] == new_size
    np.testing.assert_allclose(resize(image, new_size), expected, atol=1e-3)


@pytest.mark.parametrize("new_size", [(1, 1), (9, 4), (13, 20)])
def test_jax_and_numpy_arrays_give_the_same(new_size):
    image = picture(13, 7)
    out = resize(jnp.asarray(image), new_size)
    assert isinstance(out, jax.Array)
    np.testing.assert_allclose(out, resize(image, new_size), rtol=1e-6)


@pytest.mark.parametrize("n", [56, 111, 121, 128])
def test_last_row_is_kept_where_scipys_default_zeroes_it(n):
    image = jnp.full((round(n / 1.4), 8, 3), 100.0)
    np.testing.assert_allclose(resize(image, (n, 8)), 100, rtol=1e-6)


def test_leading_axes_and_gradient():
    batch = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 7, 3)), jnp.float32)
    out = resize(batch, (9, 4))
    np.testing.assert_array_equal(out[1], resize(batch[1], (9, 4)))
    # Linear: the gradient of a weighted sum is the transpose, whose own sum is that of the weights.
    gradient = jax.grad(lambda x: resize(x, (9, 4)).sum())(batch)
    np.testing.assert_allclose(gradient.sum(), out.size, rtol=1e-5)


def test_the_longest_side_alone():
    image = picture(30, 40)
    np.testing.assert_array_equal(resize(image, longest=20), resize(image, (15, 20)))
    np.testing.assert_array_equal(resize(image, longest=80), resize(image, (60, 80)))
    assert resize(np.stack([picture(40, 3)] * 2), longest=4).shape == (2, 4, 1, 3)
    assert resize(image, longest=40) is image
    assert jax.jit(lambda image: resize(image, longest=8))(image).shape == (6, 8, 3)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 60))
def test_the_longest_side_of_any_picture(height, width, longest):
    out = resize(picture(height, width), longest=longest)
    assert max(out.shape[:2]) == longest
    assert out.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, r"needs one of size=\(height, width\) and longest="),
        ({"size": (3, 4), "longest": 4}, "needs one of"),
        (
            {"size": (0, 4)},
            r"size must be \(height, width\) in whole pixels, 1 or more, not \(0, 4\)",
        ),
        ({"size": (3, -1)}, r"not \(3, -1\)"),
        ({"size": (3.5, 4)}, r"not \(3\.5, 4\)"),
        ({"size": (3, 4, 5)}, r"not \(3, 4, 5\)"),
        ({"size": 240}, "not 240; longest=N keeps the proportions"),
        ({"size": "240"}, "not 240"),
        ({"longest": 0}, "longest must be a whole number of pixels, 1 or more: 0"),
        ({"longest": 2.5}, "1 or more: 2.5"),
    ],
)
def test_impossible_sizes(arguments, says):
    # Without the tests' own check of annotations, which would answer first.
    with pytest.raises(JaxdreamError, match=says):
        inspect.unwrap(resize)(picture(3, 4), **arguments)


def test_a_picture_without_pixels():
    with pytest.raises(JaxdreamError, match="a picture of 4x0 pixels cannot be resized"):
        resize(np.zeros((0, 4, 3), np.float32), (2, 2))


def picture(height, width):
    return np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)


def test_the_classic_warp_is_the_recorded_frame(shared):
    with np.load(shared / "golden" / "zoom_frame.npz") as golden:
        frame, zoomed = golden["input"].astype(np.float32), golden["zoomed"]
    np.testing.assert_allclose(warp(frame, zoom=0.05, classic=True), zoomed, atol=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([(1, 1), (2, 9), (24, 30), (31, 17)]),
    st.floats(-0.5, 0.9),
    st.floats(-200, 200),
    st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
    st.booleans(),
)
def test_is_scipys_affine_transform(size, amount, degrees, shift, classic):
    image = picture(*size)
    angle = np.radians(degrees)
    matrix = (1 - amount) * np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    middle = np.array(size) / 2 if classic else (np.array(size) - 1) / 2
    offset = middle - matrix @ (middle + np.array(shift)[::-1])
    expected = [
        ndimage.affine_transform(image[..., c], matrix, offset, order=1, mode="nearest")
        for c in range(3)
    ]
    warped = warp(image, zoom=amount, rotate=degrees, shift=shift, classic=classic)
    np.testing.assert_allclose(warped, np.stack(expected, -1), atol=5e-3)


def test_zero_amounts_change_nothing():
    image = picture(9, 13)
    np.testing.assert_array_equal(warp(image), image)


def test_zoom_keeps_the_middle_and_mirrors():
    image = picture(9, 13)
    zoomed = warp(image, zoom=0.3)
    np.testing.assert_allclose(zoomed[4, 6], image[4, 6], rtol=1e-6)
    np.testing.assert_allclose(warp(image[::-1, ::-1], zoom=0.3), zoomed[::-1, ::-1], atol=1e-3)


def test_rotates_counter_clockwise_about_the_middle():
    image = picture(12, 12)
    np.testing.assert_allclose(warp(image, rotate=90.0), np.rot90(image), atol=2e-3)


def test_shifts_to_the_right_and_down_and_repeats_the_edges():
    image = picture(5, 6)
    moved = warp(image, shift=(2.0, -1.0))
    np.testing.assert_array_equal(moved[:-1, 2:], image[1:, :-2])
    np.testing.assert_array_equal(moved[:-1, 0], image[1:, 0])
    np.testing.assert_array_equal(moved[-1], moved[-2])


def test_zoom_is_the_fraction_that_leaves_the_frame():
    ramp = np.broadcast_to(np.arange(101.0, dtype=np.float32)[:, None, None], (101, 4, 1))
    zoomed = warp(ramp, zoom=0.2)[:, 0, 0]
    np.testing.assert_allclose([zoomed[0], zoomed[-1]], [10, 90], atol=1e-4)


def test_is_exact_for_large_pictures():
    ramp = np.broadcast_to(np.arange(8001, dtype=np.float32)[:, None, None], (8001, 2, 1))
    expected = 4000 + 0.95 * (np.arange(8001) - 4000)
    np.testing.assert_allclose(warp(ramp, zoom=0.05)[:, 0, 0], expected, atol=6e-4)


def test_batches_gradients_and_one_program_for_all_amounts(caplog):
    batch = jnp.asarray(np.stack([picture(7, 8), picture(7, 8)[::-1]]))
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for frame in range(4):
            out = warp(
                batch, zoom=frame / 10, rotate=2.0 * frame, shift=(frame, 1), classic=frame > 2
            )
    assert sum("Compiling jit(_warp)" in record.message for record in caplog.records) == 1
    np.testing.assert_array_equal(
        out[1], warp(batch[1], zoom=0.3, rotate=6.0, shift=(3, 1), classic=True)
    )
    gradient = jax.grad(lambda image: warp(image, zoom=0.1).sum())(batch)
    np.testing.assert_allclose(gradient.sum(), batch.size, rtol=1e-5)
    by_zoom = jax.jit(jax.grad(lambda amount: jnp.square(warp(batch, zoom=amount)).sum()))(0.1)
    assert np.isfinite(by_zoom)
    assert by_zoom != 0


@pytest.mark.parametrize(
    ("amounts", "says"),
    [
        ({"zoom": 1.0}, "zoom must be over -1 and under 1"),
        ({"zoom": -1.0}, "zoom must be over -1 and under 1"),
        ({"zoom": float("nan")}, "zoom must be over -1 and under 1"),
        ({"rotate": float("inf")}, "finite number of degrees"),
        ({"shift": (0.0, float("nan"))}, "shift must be two finite numbers of pixels"),
    ],
)
def test_amounts_out_of_range(amounts, says):
    with pytest.raises(JaxdreamError, match=says):
        warp(jnp.zeros((2, 2, 3)), **amounts)
