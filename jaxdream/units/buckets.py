"""Counts of numbers by their size, in buckets that grow with it: quantiles in constant memory.

Between 2**-20 and 2**20 every power of two has 32 buckets of equal width, so that a number is known
to 1/64 of itself; one bucket is for what is nearer to 0, and the two outermost are for all that is
further away. Counts of two sets of numbers are added to have those of both, exactly.

Source: the idea of a fixed relative error of C. Masson, J. Rim, H. Lee, "DDSketch", VLDB 2019; the
buckets are those of the bits of a float32, as in the HDR histogram of G. Tene.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Int64

RELATIVE_ERROR = 1 / 64  # of a quantile, at most, between 2**-20 and 2**20
_LOWEST, _HIGHEST = -20, 20  # powers of two
_DIGITS = 5  # binary, of the mantissa
_MANTISSA, _BIAS = 23, 127  # of a float32
_SIDE = (_HIGHEST - _LOWEST) << _DIGITS  # buckets of positive numbers
COUNT = 2 * _SIDE + 1


def bucket_of(values: Float[Array, "..."]) -> Int32[Array, "..."]:
    """The bucket of each number, from 0 for the most negative on."""
    bits = jax.lax.bitcast_convert_type(jnp.asarray(values, jnp.float32), jnp.int32)
    magnitude = (bits & 0x7FFFFFFF) >> (_MANTISSA - _DIGITS)
    above = magnitude - ((_BIAS + _LOWEST) << _DIGITS) + 1
    above = jnp.clip(above, 0, _SIDE)
    return _SIDE + jnp.where(bits < 0, -above, above)


def _middles() -> Float[np.ndarray, " n"]:
    """The middle of each bucket."""
    edges = np.ldexp(
        1 + np.arange(1 << _DIGITS) / (1 << _DIGITS), np.arange(_LOWEST, _HIGHEST)[:, None]
    ).ravel()
    widths = np.repeat(np.ldexp(1.0, np.arange(_LOWEST, _HIGHEST) - _DIGITS), 1 << _DIGITS)
    above = edges + widths / 2
    return np.concatenate([-above[::-1], [0.0], above])


def quantiles(
    counts: Int64[np.ndarray, "c n"], shares: Float[np.ndarray, " q"]
) -> Float[np.ndarray, "c q"]:
    """The numbers below or at which these shares of all numbers lie, of each channel.

    That is the smallest number that at least such a share does not exceed, to ``RELATIVE_ERROR`` of
    itself.
    """
    if not counts.size or not counts.sum():
        return np.full((len(counts), len(shares)), np.nan)
    below = counts.cumsum(axis=1)
    middles = _middles()
    ranks = np.maximum(np.ceil(shares * below[:, -1:] - 1e-9), 1)
    found = [np.searchsorted(row, wanted) for row, wanted in zip(below, ranks, strict=True)]
    return middles[np.stack(found)]
