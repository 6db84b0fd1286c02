"""Local response normalisation across channels."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.models.ops.base import PlainOp


@dataclass(frozen=True)
class LocalResponseNorm(PlainOp):
    """Krizhevsky et al. 2012: ``x / (1 + alpha / 5 * sum of x**2 over 5 channels) ** 0.75``."""

    alpha: float = 1e-4

    def apply(self, *inputs: Array) -> Array:
        (x,) = inputs
        return jnp.asarray(_normalize(x.astype(jnp.float32), self.alpha / 5), x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _normalize(x: Float[Array, "n h w c"], scale: float) -> Float[Array, "n h w c"]:
    return _normalize_forward(x, scale)[0]


def _normalize_forward(x, scale):
    # d ** -0.75 by square roots: a general power is the slowest operation of the network on CPU.
    inverse_root = jax.lax.rsqrt(1 + scale * _sum_5_channels(x * x))
    return x * (inverse_root * jnp.sqrt(inverse_root)), (x, inverse_root)


def _normalize_backward(scale, residuals, cotangent):
    # Written by hand: the terms of a channel itself and of its neighbours share one sum.
    x, inverse_root = residuals
    factor = inverse_root * jnp.sqrt(inverse_root)
    shared = _sum_5_channels(cotangent * x * factor * inverse_root**2)
    return (cotangent * factor - 1.5 * scale * x * shared,)


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _sum_5_channels(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    channels = x.shape[-1]
    padded = jnp.pad(x, [(0, 0), (0, 0), (0, 0), (2, 2)])
    return sum((padded[..., k : k + channels] for k in range(1, 5)), start=padded[..., :channels])
