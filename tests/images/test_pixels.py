import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxdream import JaxdreamError
from jaxdream.images.pixels import (
    MAX_PIXELS,
    check_picture,
    check_size,
    parse_size,
    size_of_longest,
    to_levels,
)

UNIT = np.random.default_rng(0).uniform(0, 1, (6, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "image",
    [
        255 * UNIT,
        (255 * UNIT).astype(np.float16),
        (255 * UNIT).astype(np.uint8),
        np.stack([255 * UNIT] * 2),
        jnp.asarray(255 * UNIT),
        jnp.asarray(255 * UNIT, jnp.bfloat16),
        np.zeros((6, 8, 3), np.float32),
        np.ones((6, 8, 3), np.uint8),
        np.round(UNIT),  # a nearly black file
        UNIT - 0.5,  # the detail that a dream adds, not a picture of 0..1
        UNIT[:4, :4],  # too few to tell
        (255 * UNIT).tolist(),
    ],
)
def test_pictures_pass(image):
    check_picture(image, name="image")


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (UNIT, r"^image has values from 0\.\d+ to 0\.99\d?: pixels are 0\.\.255 here, so multiply"),
        (jnp.asarray(UNIT), "multiply by 255"),
        (UNIT.astype(np.float64) / UNIT.max(), "to 1: pixels"),
        (np.stack([UNIT] * 2), "multiply by 255"),
        (np.zeros((6, 8, 1)), r"must have the shape \(height, width, 3\), not \(6, 8, 1\)"),
        (np.zeros((6, 8)), r"not \(6, 8\)"),
        (np.zeros((3, 6, 8)), r"not \(3, 6, 8\)"),
        (np.zeros((0, 8, 3)), r"not \(0, 8, 3\)"),
        (np.zeros((6, 8, 3), complex), "must be an array of real numbers, not of complex128"),
        (np.zeros((6, 8, 3), bool), "not of bool"),
        (np.full((6, 8, 3), "a"), "not of <U1"),
        (np.full((6, 8, 3), np.nan), "image has values that are not finite"),
        (np.full((6, 8, 3), -np.inf), "not finite"),
        (jnp.full((6, 8, 3), jnp.nan, jnp.bfloat16), "not finite"),
        ("cat.jpg", r"must have the shape \(height, width, 3\), not str"),
        (None, "not NoneType"),
        ([[1], [1, 2]], "not list"),
    ],
)
def test_other_arrays_are_refused(image, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        check_picture(image, name="image")
    assert "\n" not in str(error.value)


def test_traced_arrays_are_checked_for_shape_and_dtype_alone():
    def checked(image):
        check_picture(image, name="image")
        return image

    jax.jit(checked)(UNIT)
    jax.grad(lambda image: checked(image).sum())(jnp.asarray(255 * UNIT))
    with pytest.raises(JaxdreamError, match=r"not \(6, 8\)"):
        jax.jit(checked)(UNIT[..., 0])
    with pytest.raises(JaxdreamError, match="real numbers"):
        jax.jit(checked)(UNIT > 0.5)


@given(hnp.arrays(np.float32, hnp.array_shapes(), elements=st.floats(-1e9, 1e9, width=32)))
def test_levels_are_the_nearest_whole_numbers_in_range(values):
    levels = to_levels(values, name="x")
    assert levels.dtype == np.uint8
    nearest = np.clip(values.astype(np.float64), 0, 255)
    assert np.abs(levels - nearest).max(initial=0) <= 0.5


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([[1], [1, 2]], "^x must be an array of numbers$"),
        ([["ab"]], "x must be an array of real numbers"),
        (np.array([1j]), "real numbers, not of complex"),
        ([1.0, np.inf], "x has values that are not finite"),
    ],
)
def test_other_values_have_no_levels(values, says):
    with pytest.raises(JaxdreamError, match=says):
        to_levels(values, name="x")


@pytest.mark.parametrize(
    ("text", "size"),
    [("100x50", (50, 100)), ("80", (60, 80)), ("1", (1, 1)), (" 40X30 ", (30, 40))],
)
def test_sizes(text, size):
    assert parse_size(text, 300, 400) == size


@pytest.mark.parametrize("text", ["", "x", "0", "0x5", "-3", "1.5", "10x", "1e3", "٣", "1234567"])
def test_other_texts_are_not_sizes(text):
    with pytest.raises(JaxdreamError, match="is not a size: give WIDTHxHEIGHT"):
        parse_size(text, 300, 400)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("99999x99999", r"^size 99999x99999: too large, at most 178,956,970 pixels$"),
        ("999999", r"^size 999999x749999: too large"),
    ],
)
def test_sizes_of_too_many_pixels(text, says):
    with pytest.raises(JaxdreamError, match=says):
        parse_size(text, 300, 400)


def test_the_largest_size():
    check_size((1, MAX_PIXELS))
    with pytest.raises(JaxdreamError, match="too large"):
        check_size((1, MAX_PIXELS + 1))
    with pytest.raises(JaxdreamError, match="size 0x5: too small, at least 1 pixel a side"):
        check_size((5, 0))


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000))
def test_the_longest_side_keeps_the_proportions(longest, height, width):
    new_height, new_width = size_of_longest(longest, height, width)
    assert max(new_height, new_width) == longest
    assert min(new_height, new_width) >= 1
    assert abs(new_height - max(1, longest * height / max(height, width))) <= 0.5 + 1e-6
    assert abs(new_width - max(1, longest * width / max(height, width))) <= 0.5 + 1e-6
