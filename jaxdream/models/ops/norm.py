"""Local response normalisation across channels."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.models.ops.base import PlainOp


@dataclass(frozen=True)
class LocalResponseNorm(PlainOp):
    """Krizhevsky et al. 2012: ``x / (bias + scale * sum of x**2 over neighbours) ** power``.

    By default it is that of Caffe's GoogLeNet. (Caffe's alpha is ``scale`` times ``channels``.)
    """

    channels: int = 5  # that are summed: those around a channel, and itself
    scale: float = 1e-4 / 5
    power: float = 0.75  # or 0.5
    bias: float = 1.0

    def apply(self, *inputs: Array) -> Array:
        (x,) = inputs
        return jnp.asarray(_normalize(x.astype(jnp.float32), self), x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _normalize(x: Float[Array, "n h w c"], norm: LocalResponseNorm) -> Float[Array, "n h w c"]:
    return _normalize_forward(x, norm)[0]


def _normalize_forward(x, norm):
    total = _sum_neighbours(x * x, norm.channels)
    inverse_root = jax.lax.rsqrt(norm.bias + norm.scale * total)
    return x * _factor(inverse_root, norm), (x, inverse_root)


def _normalize_backward(norm, residuals, cotangent):
    # Written by hand: the terms of a channel itself and of its neighbours share one sum.
    x, inverse_root = residuals
    factor = _factor(inverse_root, norm)
    shared = _sum_neighbours(cotangent * x * factor * inverse_root**2, norm.channels)
    return (cotangent * factor - 2 * norm.power * norm.scale * x * shared,)


def _factor(inverse_root: Array, norm: LocalResponseNorm) -> Array:
    # By square roots: a general power is the slowest operation of the network on CPU.
    return inverse_root if norm.power == 0.5 else inverse_root * jnp.sqrt(inverse_root)


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _sum_neighbours(x: Float[Array, "n h w c"], count: int) -> Float[Array, "n h w c"]:
    channels = x.shape[-1]
    padded = jnp.pad(x, [(0, 0), (0, 0), (0, 0), (count // 2, count // 2)])
    taps = (padded[..., k : k + channels] for k in range(1, count))
    return sum(taps, start=padded[..., :channels])
