"""TensorFlow's padding, against its own formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.models.ops import PadSame


def same_padding(n, window, stride):
    """Zeros before and after, as TensorFlow's documentation has it."""
    total = max(window - stride if n % stride == 0 else window - n % stride, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize(("window", "stride"), [(7, 2), (3, 2), (2, 2), (5, 3)])
@pytest.mark.parametrize("size", [(1, 2), (8, 9), (7, 12)])
def test_zeros_are_where_tensorflow_puts_them(window, stride, size):
    pad = PadSame(window, stride)
    x = np.arange(1, 1 + 2 * size[0] * size[1], dtype=np.float32).reshape(1, *size, 2)
    around = [same_padding(n, window, stride) for n in size]
    expected = np.pad(x, [(0, 0), *around, (0, 0)])
    np.testing.assert_array_equal(pad.apply(jnp.asarray(x)), expected)
    assert pad.output_size(size) == expected.shape[1:3]
    for n, after in zip(size, expected.shape[1:3], strict=True):
        assert (after - window) // stride + 1 == -(-n // stride)


def test_one_program_pads_maps_of_any_size():
    pad = PadSame(7, 2)
    sized = jax.jit(pad.sized_apply)
    for size in ((5, 8), (8, 5)):
        x = np.zeros((1, 9, 9, 1), np.float32)
        x[:, : size[0], : size[1]] = 1
        exact = pad.apply(jnp.asarray(x[:, : size[0], : size[1]]))
        found = sized(x, (jnp.int32(size[0]), jnp.int32(size[1])))
        assert found.shape == (1, 15, 15, 1)
        np.testing.assert_array_equal(found[:, : exact.shape[1], : exact.shape[2]], exact)
        assert found.sum() == exact.sum()


def test_reach_covers_every_place_of_the_zeros():
    assert PadSame(7, 2).reach(0) == (3, -2)
    assert PadSame(3, 2).reach(1) == (1, 0)
