"""Convolutions and dense layers.

The gradient of the network's first convolution with respect to the picture makes three channels out
of many, a shape that XLA's CPU backend is slow at: 25 ms for GoogLeNet's 7x7 at 384x512 on two
cores. ``convolve`` has a gradient of its own for it: one convolution along the columns makes all
rows and phases of the stride at once, which are then added up and interleaved: 8.5 ms. On a TPU a
step moves a third of the bytes with it, since XLA's own keeps a padded copy of the picture. On
GPUs it is a convolution like any other, which takes fewer kernels (docs/accelerators.md).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.models.ops.base import WeightedOp, Weights
from jaxdream.models.precision import product_precision

_FEW_CHANNELS = 4  # a picture has at most so many


@dataclass(frozen=True)
class Conv(WeightedOp):
    """A convolution with bias and symmetric zero padding."""

    features: int
    window: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)

    def nonnegative(self, *_: bool) -> bool:
        return False

    def output_channels(self, *_: int) -> int:
        return self.features

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.window, channels, self.features)

    def apply(self, x: Array, weights: Weights) -> Array:
        if self.window == (1, 1) and self.stride == 1:
            # A plain matrix product: XLA's CPU backend runs it up to 3x faster than as a 1x1
            # convolution.
            return jnp.matmul(x, weights.kernel[0, 0], precision=product_precision()) + weights.bias
        return convolve(x, weights.kernel, self.stride, self.padding) + weights.bias


@dataclass(frozen=True)
class Dense(WeightedOp):
    """A fully connected layer on a 1x1 map: (n, 1, 1, c) -> (n, features)."""

    features: int

    def nonnegative(self, *_: bool) -> bool:
        return False

    def output_channels(self, *_: int) -> int:
        return self.features

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (channels, self.features)

    def apply(self, x: Array, weights: Weights) -> Array:
        return (
            jnp.matmul(x[:, 0, 0, :], weights.kernel, precision=product_precision()) + weights.bias
        )


def convolve(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "kh kw c o"],
    stride: int,
    padding: tuple[int, int],
) -> Float[Array, "n oh ow o"]:
    """The convolution with symmetric zero padding.

    It has first and second derivatives in reverse mode.
    """
    if stride > 1 and x.shape[-1] <= _FEW_CHANNELS:
        return _convolve_picture(x, kernel, stride, padding)
    return _convolve(x, kernel, stride, padding)


def _convolve(x: Array, kernel: Array, stride: int, padding: tuple[int, int]) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=[(pad, pad) for pad in padding],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=product_precision(),
    )


_convolve_picture = jax.custom_vjp(_convolve, nondiff_argnums=(2, 3))


def _forward(x, kernel, stride, padding):
    return _convolve_picture(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, residuals, cotangent):
    x, kernel = residuals
    forms = {"stride": stride, "padding": padding, "size": x.shape[1:3]}
    gradient = jax.lax.platform_dependent(
        cotangent, kernel,
        cuda=partial(transposed_gradient, **forms), rocm=partial(transposed_gradient, **forms),
        default=partial(gathered_gradient, **forms),
    )  # fmt: skip
    _, pull = jax.vjp(partial(_convolve, x, stride=stride, padding=padding), kernel)
    return gradient, *pull(cotangent)


def transposed_gradient(
    cotangent: Float[Array, "n oh ow o"],
    kernel: Float[Array, "kh kw c o"],
    *,
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
) -> Float[Array, "n h w c"]:
    """The gradient of ``convolve`` with respect to an input of this height and width, by XLA."""
    shape = (len(cotangent), *size, kernel.shape[2])
    forward = partial(_convolve, kernel=kernel, stride=stride, padding=padding)
    (gradient,) = jax.linear_transpose(forward, jax.ShapeDtypeStruct(shape, cotangent.dtype))(
        cotangent
    )
    return gradient


def gathered_gradient(
    cotangent: Float[Array, "n oh ow o"],
    kernel: Float[Array, "kh kw c o"],
    *,
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
) -> Float[Array, "n h w c"]:
    """The same as ``transposed_gradient``, as a convolution along the columns and additions."""
    gradient = _gather(cotangent, kernel, stride)
    ends = [pad + n for pad, n in zip(padding, size, strict=True)]
    # Rows and columns that no window covers.
    missing = [(0, max(0, end - n)) for end, n in zip(ends, gradient.shape[1:3], strict=True)]
    gradient = jnp.pad(gradient, [(0, 0), *missing, (0, 0)])
    return gradient[:, padding[0] : ends[0], padding[1] : ends[1]]


def _gather(cotangent: Array, kernel: Array, stride: int) -> Array:
    """The gradient with respect to the padded input, from its first row and column."""
    height, width, channels, features = kernel.shape
    # Kernel rows in groups of ``stride``: row ``group * stride + phase`` of window i lies on row
    # ``(i + group) * stride + phase`` of the input.
    rows, columns = -(-height // stride), -(-width // stride)
    kernel = jnp.pad(
        kernel, [(0, rows * stride - height), (0, columns * stride - width), (0, 0), (0, 0)]
    )
    kernel = kernel.reshape(rows, stride, columns, stride, channels, features)
    kernel = kernel.transpose(2, 5, 0, 1, 3, 4)[::-1]
    products = _convolve(
        cotangent, kernel.reshape(1, columns, features, -1), stride=1, padding=(0, columns - 1)
    )
    n, windows, across, _ = products.shape
    products = products.reshape(n, windows, across, rows, -1)
    total = sum(
        jnp.pad(products[:, :, :, row], [(0, 0), (row, rows - 1 - row), (0, 0), (0, 0)])
        for row in range(rows)
    )
    total = jnp.reshape(total, (n, windows + rows - 1, across, stride, stride, channels))
    total = total.transpose(0, 1, 3, 2, 4, 5)
    return total.reshape(n, (windows + rows - 1) * stride, across * stride, channels)


_convolve_picture.defvjp(_forward, _backward)
