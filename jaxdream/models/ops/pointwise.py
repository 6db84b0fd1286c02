"""Operations that treat every position alike and by itself, and the network's input."""

from dataclasses import dataclass

import jax
from jaxtyping import Array

from jaxdream.models.ops.base import PlainOp


@dataclass(frozen=True)
class Input(PlainOp):
    """The preprocessed picture: three channels."""

    def nonnegative(self, *_: bool) -> bool:
        return False

    def output_channels(self, *_: int) -> int:
        return 3


@dataclass(frozen=True)
class Relu(PlainOp):
    """``max(x, 0)``, with the gradient 0 where x is 0, as in Caffe."""

    def nonnegative(self, *_: bool) -> bool:
        return True

    def apply(self, *inputs: Array) -> Array:
        return _relu(inputs[0])


@jax.custom_vjp
def _relu(x: Array) -> Array:
    return jax.lax.max(x, jax.lax.full_like(x, 0))


def _relu_forward(x):
    return _relu(x), jax.lax.gt(x, jax.lax.full_like(x, 0))


def _relu_backward(positive, cotangent):
    # Written by hand: one byte a value is kept between the passes, not x.
    return (jax.lax.select(positive, cotangent, jax.lax.full_like(cotangent, 0)),)


_relu.defvjp(_relu_forward, _relu_backward)


@dataclass(frozen=True)
class Identity(PlainOp):
    """Another name for its input, such as dropout, which does nothing after training."""

    def apply(self, *inputs: Array) -> Array:
        return inputs[0]


@dataclass(frozen=True)
class Channels(PlainOp):
    """Some channels of its input, from ``start`` to before ``stop``."""

    start: int
    stop: int

    def output_channels(self, *_: int) -> int:
        return self.stop - self.start

    def apply(self, *inputs: Array) -> Array:
        return jax.lax.slice_in_dim(inputs[0], self.start, self.stop, axis=-1)


@dataclass(frozen=True)
class Concat(PlainOp):
    """The inputs one after the other, along the channels."""

    def output_channels(self, *channels: int) -> int:
        return sum(channels)

    def apply(self, *inputs: Array) -> Array:
        return jax.lax.concatenate(inputs, inputs[0].ndim - 1)


@dataclass(frozen=True)
class Add(PlainOp):
    """``x + scale * y``: the end of a residual block, whose inputs are ``x`` and the branch ``y``.

    ``scale`` is not negative.
    """

    scale: float = 1.0

    def apply(self, *inputs: Array) -> Array:
        x, y = inputs
        return x + y if self.scale == 1 else x + self.scale * y


@dataclass(frozen=True)
class Softmax(PlainOp):
    """Probabilities from logits, along the last axis."""

    def apply(self, *inputs: Array) -> Array:
        return jax.nn.softmax(inputs[0], axis=-1)
