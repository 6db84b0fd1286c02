import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.models.ops import (
    AveragePool,
    Conv,
    GlobalAveragePool,
    MaxPool,
    Relu,
    apply_mask,
    apply_op,
    floor_div,
)


def test_mask_replaces_values_and_stops_their_gradient():
    x = jnp.arange(8.0).reshape(1, 2, 2, 2)
    mask = jnp.asarray([[[True], [False]], [[False], [True]]])
    out, pull = jax.vjp(lambda x: apply_mask(x, mask, -1.0), x)
    np.testing.assert_array_equal(out[0, :, :, 0], [[0, -1], [-1, 6]])
    np.testing.assert_array_equal(pull(jnp.ones_like(x))[0][0, :, :, 1], [[1, 0], [0, 1]])
    assert apply_mask(x, None, -1.0) is x


@pytest.mark.parametrize("number", [0, 7, 16])
def test_floor_div_of_numbers_and_of_program_data(number):
    assert floor_div(number, 8) == number // 8
    assert int(jax.jit(lambda n: floor_div(n, 8))(jnp.int32(number))) == number // 8


def test_floor_div_of_a_negative_number_rounds_down():
    assert floor_div(-1, 8) == -1


@pytest.mark.parametrize(
    ("op", "size", "expected"),
    [
        (Conv(1, (7, 7), 2, (3, 3)), (96, 75), (48, 38)),
        (Conv(1, (3, 3)), (5, 4), (3, 2)),
        (MaxPool((3, 3), 2, ceil=True), (112, 113), (56, 56)),
        (MaxPool((3, 3), 2), (112, 113), (55, 56)),
        (AveragePool(counts_padding=True), (5, 9), (5, 9)),
        (GlobalAveragePool(), (5, 9), (1, 1)),
        (GlobalAveragePool(), (0, 9), (0, 0)),
    ],
)
def test_output_size(op, size, expected):
    assert op.output_size(size) == expected


def test_a_border_is_needed_where_windows_extend_beyond_the_map():
    needed = [MaxPool((3, 3), 2, ceil=True), Conv(1, (3, 3), 1, (1, 1)), GlobalAveragePool()]
    assert all(op.needs_border for op in needed)
    assert not any(op.needs_border for op in (Relu(), MaxPool((3, 3), 2), Conv(1, (3, 3))))


def test_a_convolution_without_weights_is_a_mistake():
    with pytest.raises(ValueError, match="Conv needs weights"):
        apply_op(Conv(1, (1, 1)), [jnp.ones((1, 2, 2, 3))])
