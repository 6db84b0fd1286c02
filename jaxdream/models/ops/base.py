"""The base classes of operations: their geometry, and how they are applied."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# A height or width: a number, or data of a program that computes pictures of many sizes.
Side = TypeVar("Side", int, Array)


def floor_div(number: Side, divisor: int) -> Side:
    """``number // divisor``; if ``number`` is data of a program, it must not be negative.

    Rounding negative numbers down takes a dozen operations, which XLA would repeat in every fusion.
    """
    if isinstance(number, int):
        return number // divisor
    return jax.lax.div(number, jnp.int32(divisor))


class Weights(NamedTuple):
    """The weights of a convolution or a dense layer."""

    kernel: Array  # (height, width, in, out), or (in, out) for a dense layer
    bias: Array  # (out,)


def apply_mask(
    x: Float[Array, "..."], mask: Bool[Array, "h w 1"] | None, fill: float | int
) -> Float[Array, "..."]:
    """A map ``x`` (*n, h, w, c) where the mask is true, and ``fill`` elsewhere.

    Without a mask it is ``x``.
    """
    return x if mask is None else _apply_mask(x, mask, fill)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _apply_mask(x: Array, mask: Array, fill: float | int) -> Array:
    # The gradient is written by hand, so that only the mask, which has no channels, is kept between
    # the passes.
    return _select(mask, x, fill)


def _apply_mask_forward(x, mask, fill):
    return _apply_mask(x, mask, fill), mask


def _apply_mask_backward(fill, mask, cotangent):
    del fill
    return _select(mask, cotangent, 0), None


def _select(mask: Array, x: Array, fill: float | int) -> Array:
    # By operations of ``lax``, which are traced several times as fast as ``jnp.where``.
    everywhere = jax.lax.broadcast_in_dim(mask, x.shape, range(x.ndim - 3, x.ndim))
    return jax.lax.select(everywhere, x, jax.lax.full_like(x, fill))


_apply_mask.defvjp(_apply_mask_forward, _apply_mask_backward)


class Op:
    """The geometry of an operation with a sliding window; by default that of a pointwise one."""

    window: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False  # True: a last, incomplete window has an output too
    is_global: bool = False  # True: every output depends on the whole picture

    def output_size(self, size: tuple[Side, Side]) -> tuple[Side, Side]:
        """Height and width of the output for an input of this height and width."""
        if self.stride == 1 and all(
            window == 2 * pad + 1 for window, pad in zip(self.window, self.padding, strict=True)
        ):
            return size
        height, width = (
            floor_div(n + 2 * pad - window + self.ceil * (self.stride - 1), self.stride) + 1
            for n, window, pad in zip(size, self.window, self.padding, strict=True)
        )
        return height, width

    def reach(self, axis: int) -> tuple[int, int]:
        """Positions of the input, before and after an output's own, that the output depends on."""
        pad = self.padding[axis]
        return pad, self.window[axis] - 1 - pad

    @property
    def needs_border(self) -> bool:
        """Whether an output depends on the values around the input's map."""
        return self.is_global or self.ceil or self.padding != (0, 0)

    def border_value(self, *_: bool) -> float:
        """The value that must surround inputs in a padded array.

        The arguments say of each input whether it is nonnegative.
        """
        return 0.0

    def nonnegative(self, *inputs: bool) -> bool:
        """Whether no output is below zero; the arguments say the same of each input."""
        return all(inputs)

    def output_channels(self, *channels: int) -> int:
        """Channels of the output; the arguments are those of the inputs."""
        return channels[0]


class PlainOp(Op):
    """An operation without weights."""

    def apply(self, *inputs: Float[Array, "..."]) -> Float[Array, "..."]:
        """The output for inputs (n, h, w, c)."""
        raise NotImplementedError


class MaskedOp(PlainOp):
    """An operation without weights that must know which positions of a padded array to count."""

    def masked_apply(
        self, x: Float[Array, "n h w c"], valid: Bool[Array, "h w 1"]
    ) -> Float[Array, "n oh ow c"]:
        """The output for a map that is valid only where ``valid`` is true.

        Elsewhere ``x`` holds ``border_value``.
        """
        raise NotImplementedError


class SizedOp(PlainOp):
    """An operation without weights that depends on the height and width of the whole map."""

    def sized_apply(
        self, x: Float[Array, "n h w c"], size: tuple[Side, Side]
    ) -> Float[Array, "n oh ow c"]:
        """The output for an array that holds a part of a map of this size, and zeros around it."""
        raise NotImplementedError


class WeightedOp(Op):
    """An operation with a kernel and a bias."""

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """Shape of the kernel for this many input channels."""
        raise NotImplementedError

    def apply(self, x: Float[Array, "..."], weights: Weights) -> Float[Array, "..."]:
        """The output for an input (n, h, w, c)."""
        raise NotImplementedError


def apply_op(
    op: Op,
    inputs: Sequence[Array],
    weights: Weights | None = None,
    valid: Bool[Array, "h w 1"] | None = None,
) -> Array:
    """The output of any operation.

    Args:
        op: the operation.
        inputs: maps (n, h, w, c).
        weights: needed by a ``WeightedOp``; others ignore them.
        valid: which positions of the first input hold the picture, in a padded array with
            ``op.border_value`` elsewhere; by default all do.
    """
    if isinstance(op, WeightedOp):
        if weights is None:
            raise ValueError(f"{type(op).__name__} needs weights")
        return op.apply(inputs[0], weights)
    if isinstance(op, MaskedOp) and valid is not None:
        return op.masked_apply(inputs[0], valid)
    assert isinstance(op, PlainOp)
    return op.apply(*inputs)
