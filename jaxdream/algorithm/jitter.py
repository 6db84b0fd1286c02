"""Jitter: the whole picture is rolled by a random offset before each step, and back after it."""

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray, OneKey


def roll(
    image: Float[AnyArray, "*n h w c"], offset: Integer[AnyArray, "2"]
) -> Float[Array, "*n h w c"]:
    """The picture rolled by ``offset`` = (ox, oy): ox pixels along the width, oy along the height.

    What leaves on one side comes back on the other. ``roll(x, -offset)`` is the inverse.
    """
    return jnp.roll(image, jnp.asarray(offset)[::-1], axis=(-3, -2))


def draw_offsets(key: OneKey, *, count: int, jitter: int | Array) -> Int[Array, "count 2"]:
    """Offsets (ox, oy) in pixels for ``count`` steps, uniform in -jitter..jitter, ends included.

    Raises:
        JaxdreamError: a jitter below 0.
    """
    if not isinstance(jitter, Tracer) and jitter < 0:
        raise JaxdreamError(f"jitter must be at least 0 pixels, not {jitter}")
    return jax.random.randint(key, (count, 2), -jitter, jitter + 1)
