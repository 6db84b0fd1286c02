"""The operations an Inception network is made of, as small frozen records.

Each operation knows its arithmetic (``apply``, on NHWC arrays) and its geometry (``output_size``,
``output_channels``), so that one table describes a network to the interpreter, to the octave
planner and to ``jaxdream layers`` alike. Definitions follow Caffe's: symmetric zero padding,
ceil-mode pooling, local response normalisation across channels.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxdream.models.ops.convolution_kernel import EXACT, convolve
from jaxdream.models.ops.max_pool import max_pool

# A height or width; that of a picture on a canvas is data of the program.
Side = TypeVar("Side", int, Array)


def divided(number: Side, by: int) -> Side:
    """``number // by``; where ``number`` is data of a program, it must not be negative.

    Rounding down below zero takes a dozen operations, which XLA would put into every fusion.
    """
    return number // by if isinstance(number, int) else jax.lax.div(number, jnp.int32(by))


class Weights(NamedTuple):
    """What a convolution or a dense layer has learned."""

    kernel: Array  # (height, width, in, out), or (in, out) for a dense layer
    bias: Array  # (out,)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def masked(
    x: Float[Array, "*n h w c"], inside: Bool[Array, "h w 1"], outside: float | int
) -> Float[Array, "*n h w c"]:
    """``x`` where it is inside, and ``outside`` elsewhere.

    By hand, so that between the passes only ``inside`` is kept, which has no channels.
    """
    return jnp.where(inside, x, outside)


def _masked_forward(x, inside, outside):
    return masked(x, inside, outside), inside


def _masked_backward(outside, inside, cotangent):
    del outside
    return jnp.where(inside, cotangent, 0), None


masked.defvjp(_masked_forward, _masked_backward)


class Op:
    """An operation with a sliding window; the default is the window of a pointwise operation."""

    window: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False  # True: a last, incomplete window counts
    sees_all: bool = False  # True: every output depends on the whole picture

    def output_size(self, size: tuple[Side, Side]) -> tuple[Side, Side]:
        """Height and width of the output for an input of this height and width."""
        if self.stride == 1 and all(
            window == 2 * pad + 1 for window, pad in zip(self.window, self.padding, strict=True)
        ):
            return size
        height, width = (
            divided(n + 2 * pad - window + self.ceil * (self.stride - 1), self.stride) + 1
            for n, window, pad in zip(size, self.window, self.padding, strict=True)
        )
        return height, width

    @property
    def looks_outside(self) -> bool:
        """Whether an output of the map depends on what lies around the input's map."""
        return self.sees_all or self.ceil or self.padding != (0, 0)

    def outside(self, *nonnegative: bool) -> float:  # noqa: ARG002
        """What has to surround inputs that lie on a larger canvas; told which are nonnegative."""
        return 0.0

    def nonnegative(self, *inputs: bool) -> bool:
        """Whether no output is below zero, told the same of each input."""
        return all(inputs)

    def output_channels(self, *channels: int) -> int:
        return channels[0]

    def kernel_shape(self, channels: int) -> tuple[int, ...] | None:  # noqa: ARG002
        """Shape of the kernel over this many input channels; None without weights."""
        return None

    def apply(
        self,
        *inputs: Array,
        weights: Weights | None = None,
        inside: Bool[Array, "h w 1"] | None = None,
    ) -> Array:
        """The output for inputs (n, h, w, c).

        ``inside`` is for a map that lies on a larger canvas, with ``outside`` around it: which
        positions of the first input are in the map.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Input(Op):
    """The picture as the network sees it: three channels."""

    def nonnegative(self, *inputs: bool) -> bool:  # noqa: ARG002
        return False

    def output_channels(self, *channels: int) -> int:  # noqa: ARG002
        return 3


@dataclass(frozen=True)
class Conv(Op):
    """A convolution with bias and symmetric zero padding."""

    features: int
    window: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)

    def nonnegative(self, *inputs: bool) -> bool:  # noqa: ARG002
        return False

    def output_channels(self, *channels: int) -> int:  # noqa: ARG002
        return self.features

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.window, channels, self.features)

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        assert weights is not None
        (x,) = inputs
        if self.window == (1, 1) and self.stride == 1:
            # A plain matrix product: XLA's CPU backend runs it up to 3x faster than as a 1x1
            # convolution.
            return jnp.matmul(x, weights.kernel[0, 0], precision=EXACT) + weights.bias
        return convolve(x, weights.kernel, self.stride, self.padding) + weights.bias


@dataclass(frozen=True)
class Dense(Op):
    """A fully connected layer on a 1x1 map: (n, 1, 1, c) -> (n, features)."""

    features: int

    def nonnegative(self, *inputs: bool) -> bool:  # noqa: ARG002
        return False

    def output_channels(self, *channels: int) -> int:  # noqa: ARG002
        return self.features

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (channels, self.features)

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        assert weights is not None
        (x,) = inputs
        return jnp.matmul(x[:, 0, 0, :], weights.kernel, precision=EXACT) + weights.bias


@dataclass(frozen=True)
class Relu(Op):
    def nonnegative(self, *inputs: bool) -> bool:  # noqa: ARG002
        return True

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        return _relu(inputs[0])


@jax.custom_vjp
def _relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def _relu_forward(x):
    return _relu(x), x > 0


def _relu_backward(positive, cotangent):
    # By hand, so that a byte is kept between the passes, not x: 0 where x is 0, as Caffe.
    return (jnp.where(positive, cotangent, 0),)


_relu.defvjp(_relu_forward, _relu_backward)


@dataclass(frozen=True)
class Identity(Op):
    """Another name for its input: dropout, for a network that is no longer trained."""

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        return inputs[0]


@dataclass(frozen=True)
class MaxPool(Op):
    """The maximum over a window; ``ceil`` keeps the last, incomplete window, as Caffe does."""

    window: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False

    def outside(self, *nonnegative: bool) -> float:
        # Zero is never larger than what it is beside; where that is zero as well, the gradient
        # that goes astray would have ended at the ReLU's zero.
        return 0.0 if all(nonnegative) else -math.inf

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        (x,) = inputs
        size = self.output_size((x.shape[1], x.shape[2]))
        return max_pool(x, self.window, self.stride, self.padding, size)


@dataclass(frozen=True)
class AveragePool(Op):
    """The mean over a 3x3 window, stride 1; outside the picture is zero, or does not count."""

    counts_padding: bool
    window = (3, 3)
    padding = (1, 1)

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        (x,) = inputs
        total = _sum_3x3(x)
        if self.counts_padding:
            return total / 9
        if inside is None:
            inside = jnp.ones((*x.shape[1:3], 1), bool)
        # At least 1: a canvas has places with nothing around them.
        return total / jnp.maximum(_sum_3x3(inside[None].astype(x.dtype)), 1)


@jax.custom_vjp
def _sum_3x3(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    for window in ((1, 3, 1, 1), (1, 1, 3, 1)):
        pads = [(n // 2, n // 2) for n in window]
        x = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 1, 1, 1), pads)
    return x


def _sum_3x3_forward(x):
    return _sum_3x3(x), None


def _sum_3x3_backward(_, cotangent):
    # Who is whose neighbour is symmetric. XLA's own gradient of such a sum is slow on CPU.
    return (_sum_3x3(cotangent),)


_sum_3x3.defvjp(_sum_3x3_forward, _sum_3x3_backward)


@dataclass(frozen=True)
class GlobalAveragePool(Op):
    """The mean over the whole map: (n, h, w, c) -> (n, 1, 1, c).

    On the training size it is the original's 7x7 (8x8) average; on others it lets the classifier
    run all the same.
    """

    sees_all = True

    def output_size(self, size: tuple[Side, Side]) -> tuple[Side, Side]:
        return (1, 1) if min(size) > 0 else (0, 0)  # pyright: ignore[reportReturnType]

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        (x,) = inputs
        count = x.shape[1] * x.shape[2] if inside is None else inside.sum()
        # A sum of many is no longer exact in bfloat16.
        total = x.sum(axis=(1, 2), keepdims=True, dtype=jnp.float32)
        return (total / count).astype(x.dtype)


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """Krizhevsky et al. 2012: ``x / (1 + alpha / 5 * sum of x**2 over 5 channels) ** 0.75``."""

    alpha: float = 1e-4

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        (x,) = inputs
        return jnp.asarray(_normalize(x.astype(jnp.float32), self.alpha / 5), x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _normalize(x: Float[Array, "n h w c"], scale: float) -> Float[Array, "n h w c"]:
    return _normalize_forward(x, scale)[0]


def _normalize_forward(x, scale):
    # d ** -0.75 from square roots: a general power is the slowest thing in the network on CPU.
    inverse_root = jax.lax.rsqrt(1 + scale * _sum_5_channels(x * x))
    return x * (inverse_root * jnp.sqrt(inverse_root)), (x, inverse_root)


def _normalize_backward(scale, residuals, cotangent):
    # By hand, since a channel's own share and that of its neighbours need one sum together.
    x, inverse_root = residuals
    factor = inverse_root * jnp.sqrt(inverse_root)
    shared = _sum_5_channels(cotangent * x * factor * inverse_root**2)
    return (cotangent * factor - 1.5 * scale * x * shared,)


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _sum_5_channels(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    channels = x.shape[-1]
    padded = jnp.pad(x, [(0, 0), (0, 0), (0, 0), (2, 2)])
    return sum((padded[..., k : k + channels] for k in range(1, 5)), start=padded[..., :channels])


@dataclass(frozen=True)
class Concat(Op):
    """Branches side by side, along the channels."""

    def output_channels(self, *channels: int) -> int:
        return sum(channels)

    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        return jnp.concatenate(inputs, axis=-1)


@dataclass(frozen=True)
class Softmax(Op):
    def apply(self, *inputs: Array, weights: Weights | None = None, inside=None) -> Array:  # noqa: ARG002
        return jax.nn.softmax(inputs[0], axis=-1)
