"""Max-pooling with the gradient Caffe has: all of it to the first maximum of each window.

XLA's own gradient (select-and-scatter) is slow on CPU; nine strided slices are not. Where a window
holds equal values, which after a ReLU is common (zeros), the first one in row-major order wins.
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


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
    taps = _taps(_pad(x, window, stride, padding, size), window, stride, size)
    pooled = next(taps)
    for tap in taps:
        pooled = jnp.maximum(pooled, tap)
    return pooled


def _forward(x, window, stride, padding, size):
    pooled = max_pool(x, window, stride, padding, size)
    return pooled, (x, pooled)


def _backward(window, stride, padding, size, residuals, cotangent):
    x, pooled = residuals
    padded = _pad(x, window, stride, padding, size)
    scattered = jnp.zeros(padded.shape, cotangent.dtype)
    taken = jnp.zeros(pooled.shape, bool)
    for (row, column), tap in zip(
        _offsets(window), _taps(padded, window, stride, size), strict=True
    ):
        wins = (tap == pooled) & ~taken
        taken |= wins
        part = jnp.where(wins, cotangent, 0)
        scattered = scattered + _spread(part, row, column, stride, padded.shape)
    (top, _), (left, _) = _margins(x.shape, window, stride, padding, size)
    return (scattered[:, top : top + x.shape[1], left : left + x.shape[2]],)


max_pool.defvjp(_forward, _backward)


def _offsets(window: tuple[int, int]) -> list[tuple[int, int]]:
    return [(row, column) for row in range(window[0]) for column in range(window[1])]


def _margins(shape, window, stride, padding, size) -> list[tuple[int, int]]:
    """Padding before and after, so that every window of the output is whole."""
    return [
        (pad, max(0, (out - 1) * stride + length - pad - n))
        for n, length, pad, out in zip(shape[1:3], window, padding, size, strict=True)
    ]


def _pad(x: Array, window, stride, padding, size) -> Array:
    margins = _margins(x.shape, window, stride, padding, size)
    return jnp.pad(x, [(0, 0), *margins, (0, 0)], constant_values=-jnp.inf)


def _taps(padded: Array, window, stride, size) -> Iterator[Array]:
    """For each place in the window, in row-major order, the value every window has there."""
    height, width = (stride * (n - 1) + 1 for n in size)
    for row, column in _offsets(window):
        yield padded[:, row : row + height : stride, column : column + width : stride]


def _spread(part: Array, row: int, column: int, stride: int, shape) -> Array:
    """The transpose of one tap: each value back to where the tap took it from."""
    interior = stride - 1
    pads = [
        (offset, n - offset - (stride * (size - 1) + 1), interior)
        for offset, n, size in zip((row, column), shape[1:3], part.shape[1:3], strict=True)
    ]
    return jax.lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
