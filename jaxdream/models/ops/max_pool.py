"""Max-pooling with the gradient Caffe has: all of it to the first maximum of each window.

XLA's own gradient (select-and-scatter) is slow on CPU; slices and comparisons are not. Where a
window holds equal values, which after a ReLU is common (zeros), the first one in row-major order
wins. Between the passes only the place of each window's winner is kept, a byte each.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def max_pool(
    x: Float[Array, "n h w c"],
    window: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
) -> Float[Array, "n ph pw c"]:
    """The maximum over each window; what lies outside ``x`` never wins.

    ``size`` is the output's height and width, which in ceil mode cannot be told from the rest.
    Reverse-mode differentiable, twice if need be; not forward-mode.
    """
    return _pool(x, window, stride, padding, size)[0]


def _pool(
    x: Array, window, stride, padding, size
) -> tuple[Float[Array, "n ph pw c"], UInt8[Array, "n ph pw c"]]:
    """Every window's maximum, and where in the window it is."""
    margins = [
        (pad, max(0, (out - 1) * stride + length - pad - n))
        for n, length, pad, out in zip(x.shape[1:3], window, padding, size, strict=True)
    ]
    padded = jnp.pad(x, [(0, 0), *margins, (0, 0)], constant_values=-jnp.inf)
    height, width = (stride * (n - 1) + 1 for n in size)
    pooled = padded[:, :height:stride, :width:stride]
    place = jnp.zeros(pooled.shape, jnp.uint8)
    for row in range(window[0]):
        # Rows first: where they are shared out among devices, they are fetched once.
        tap_row = padded[:, row : row + height : stride]
        for column in range(window[1]):
            tap = tap_row[:, :, column : column + width : stride]
            wins = tap > pooled
            place = jnp.where(wins, jnp.uint8(row * window[1] + column), place)
            pooled = jnp.maximum(pooled, tap)
    return pooled, place


def _forward(x, window, stride, padding, size):
    pooled, place = _pool(x, window, stride, padding, size)
    return pooled, (place, jnp.zeros((0, *x.shape[1:3])))


def _backward(window, stride, padding, size, residuals, cotangent):
    place, empty = residuals
    lengths = empty.shape[1:]
    # Rows of the padded input in groups of ``stride``: row ``phase`` of group a is under row
    # ``phase + back * stride`` of window a - back.
    groups = [-(-(n + pad) // stride) for n, pad in zip(lengths, padding, strict=True)]
    back = [(length - 1) // stride for length in window]
    around = [
        (0, 0),
        *((b, max(0, g - n)) for b, g, n in zip(back, groups, size, strict=True)),
        (0, 0),
    ]
    cotangent, place = jnp.pad(cotangent, around), jnp.pad(place, around)

    # Rows first, as above.
    rows_up = [
        tuple(x[:, back[0] - up : back[0] - up + groups[0]] for x in (place, cotangent))
        for up in range(back[0] + 1)
    ]

    def share(row: int, column: int, up: int, left: int) -> Array:
        """What the windows ``up`` and ``left`` of each group give to it by this tap."""
        at = (slice(None), slice(None), slice(back[1] - left, back[1] - left + groups[1]))
        winner, given = rows_up[up]
        return jnp.where(winner[at] == row * window[1] + column, given[at], 0)

    def phase(first_row: int, first_column: int) -> Array:
        shares = [
            share(row, column, up, left)
            for up, row in enumerate(range(first_row, window[0], stride))
            for left, column in enumerate(range(first_column, window[1], stride))
        ]
        return sum(shares, start=jnp.zeros((), cotangent.dtype))

    rows = []
    for first_row in range(stride):
        columns = [phase(first_row, first_column) for first_column in range(stride)]
        columns = jnp.broadcast_arrays(*columns)
        rows.append(jnp.stack(columns, axis=3))
    whole = jnp.stack(rows, axis=2)  # n, groups of rows, phase, groups of columns, phase, c
    whole = whole.reshape(len(whole), groups[0] * stride, groups[1] * stride, -1)
    top, left = padding
    return (whole[:, top : top + lengths[0], left : left + lengths[1]],)


max_pool.defvjp(_forward, _backward)
