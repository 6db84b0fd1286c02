"""Max-pooling and average pooling.

Max-pooling has Caffe's gradient: all of it goes to the first maximum of each window. XLA's own
gradient (select-and-scatter) is slow on CPU; slices and comparisons are fast. If a window holds
equal values, which after a ReLU is common (zeros), the first one in row-major order wins. Between
the passes only the place of each window's winner is kept, a byte each.
"""

import math
from dataclasses import dataclass
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from jaxdream.models.ops.base import MaskedOp, PlainOp, Side


@dataclass(frozen=True)
class MaxPool(PlainOp):
    """The maximum over a window; ``ceil`` keeps the last, incomplete window, as Caffe does."""

    window: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False

    def border_value(self, *nonnegative: bool) -> float:
        # After a ReLU 0 can pad a max-pool: it never beats a positive value, and where it ties with
        # a 0 the ReLU lets no gradient through.
        return 0.0 if all(nonnegative) else -math.inf

    def apply(self, *inputs: Array) -> Array:
        (x,) = inputs
        size = self.output_size((x.shape[1], x.shape[2]))
        return max_pool(x, self.window, self.stride, self.padding, size)


@dataclass(frozen=True)
class AveragePool(MaskedOp):
    """The mean over a 3x3 window with stride 1.

    With ``counts_padding`` the mean is of nine values, zeros around the map included; otherwise of
    those values of the window that are in the map.
    """

    counts_padding: bool
    window = (3, 3)
    padding = (1, 1)

    def apply(self, *inputs: Array) -> Array:
        return self._mean(inputs[0], None)

    def masked_apply(self, x: Array, valid: Bool[Array, "h w 1"]) -> Array:
        return self._mean(x, valid)

    def _mean(self, x: Array, valid: Array | None) -> Array:
        total = _sum_3x3(x)
        if self.counts_padding:
            return total / 9
        if valid is None:
            valid = jnp.ones((*x.shape[1:3], 1), bool)
        # At least 1: a padded array has windows without a valid value.
        return total / jnp.maximum(_sum_3x3(valid[None].astype(x.dtype)), 1)


@dataclass(frozen=True)
class GlobalAveragePool(MaskedOp):
    """The mean over the whole map: (n, h, w, c) -> (n, 1, 1, c).

    For a picture of the training size it is the original's 7x7 (8x8) average; it makes the
    classifier run on pictures of other sizes too.
    """

    is_global = True

    def output_size(self, size: tuple[Side, Side]) -> tuple[Side, Side]:
        return (1, 1) if min(size) > 0 else (0, 0)  # pyright: ignore[reportReturnType]

    def apply(self, *inputs: Array) -> Array:
        (x,) = inputs
        return _global_mean(x, x.shape[1] * x.shape[2])

    def masked_apply(self, x: Array, valid: Bool[Array, "h w 1"]) -> Array:
        return _global_mean(x, valid.sum())


def _global_mean(x: Array, count: int | Array) -> Array:
    # Summed in float32: a sum of many values is not exact in bfloat16.
    total = x.sum(axis=(1, 2), keepdims=True, dtype=jnp.float32)
    return (total / count).astype(x.dtype)


@jax.custom_vjp
def _sum_3x3(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    for window in ((1, 3, 1, 1), (1, 1, 3, 1)):
        pads = [(n // 2, n // 2) for n in window]
        x = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 1, 1, 1), pads)
    return x


def _sum_3x3_forward(x):
    return _sum_3x3(x), None


def _sum_3x3_backward(_, cotangent):
    # The 3x3 sum is self-adjoint. XLA's own gradient of it is slow on CPU.
    return (_sum_3x3(cotangent),)


_sum_3x3.defvjp(_sum_3x3_forward, _sum_3x3_backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def max_pool(
    x: Float[Array, "n h w c"],
    window: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
) -> Float[Array, "n ph pw c"]:
    """The maximum over each window; values outside ``x`` never win.

    ``size`` is the output's height and width, which in ceil mode does not follow from the other
    arguments. It has first and second derivatives in reverse mode, none in forward mode.
    """
    return _pool(x, window, stride, padding, size)[0]


def _pool(
    x: Array, window, stride, padding, size
) -> tuple[Float[Array, "n ph pw c"], UInt8[Array, "n ph pw c"]]:
    """The maximum of every window, and its place in the window, counted in row-major order."""
    margins = [
        (pad, max(0, (out - 1) * stride + length - pad - n))
        for n, length, pad, out in zip(x.shape[1:3], window, padding, size, strict=True)
    ]
    padded = jnp.pad(x, [(0, 0), *margins, (0, 0)], constant_values=-jnp.inf)
    height, width = (stride * (n - 1) + 1 for n in size)
    # By operations of ``lax``, which are traced several times as fast as NumPy's.
    rows = partial(_taps, padded, length=height, stride=stride, axis=1)
    pooled = _taps(rows(0), 0, length=width, stride=stride, axis=2)
    place = jax.lax.full(pooled.shape, 0, jnp.uint8)
    for row in range(window[0]):
        # Rows first: if they are split over devices, each is fetched once.
        tap_row = rows(row)
        for column in range(window[1]):
            tap = _taps(tap_row, column, length=width, stride=stride, axis=2)
            here = jax.lax.full(pooled.shape, row * window[1] + column, jnp.uint8)
            place = jax.lax.select(jax.lax.gt(tap, pooled), here, place)
            pooled = jax.lax.max(pooled, tap)
    return pooled, place


def _taps(x: Array, first: int, *, length: int, stride: int, axis: int) -> Array:
    """Every ``stride``-th row or column of so many, from the first."""
    return jax.lax.slice_in_dim(x, first, first + length, stride, axis)


def _forward(x, window, stride, padding, size):
    pooled, place = _pool(x, window, stride, padding, size)
    return pooled, (place, jnp.zeros((0, *x.shape[1:3])))


def _backward(window, stride, padding, size, residuals, cotangent):
    place, empty = residuals
    lengths = empty.shape[1:]
    # Rows of the padded input in groups of ``stride``: row ``phase`` of group a lies under row
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
        tuple(
            _taps(x, back[0] - up, length=groups[0], stride=1, axis=1) for x in (place, cotangent)
        )
        for up in range(back[0] + 1)
    ]

    def share(row: int, column: int, up: int, left: int) -> Array:
        """The gradient that the windows ``up`` and ``left`` of each group give it by one tap."""
        winner, given = (
            _taps(x, back[1] - left, length=groups[1], stride=1, axis=2) for x in rows_up[up]
        )
        tap = jax.lax.full(winner.shape, row * window[1] + column, winner.dtype)
        nothing = jax.lax.full(given.shape, 0, given.dtype)
        return jax.lax.select(jax.lax.eq(winner, tap), given, nothing)

    def phase(first_row: int, first_column: int) -> Array:
        shares = [
            share(row, column, up, left)
            for up, row in enumerate(range(first_row, window[0], stride))
            for left, column in enumerate(range(first_column, window[1], stride))
        ]
        return (
            reduce(jax.lax.add, shares)
            if shares
            else jnp.zeros_like(rows_up[0][1][:, :, : groups[1]])
        )

    rows = [
        jnp.stack([phase(first_row, first_column) for first_column in range(stride)], axis=3)
        for first_row in range(stride)
    ]
    gradient = jnp.stack(rows, axis=2)  # n, groups of rows, phase, groups of columns, phase, c
    gradient = gradient.reshape(len(gradient), groups[0] * stride, groups[1] * stride, -1)
    top, left = padding
    return (gradient[:, top : top + lengths[0], left : left + lengths[1]],)


max_pool.defvjp(_forward, _backward)
