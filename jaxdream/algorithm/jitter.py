"""Jitter: the whole picture is rolled by a random offset before each step, and back after it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Key, UInt32

from jaxdream.types import AnyArray


def roll(
    image: Float[AnyArray, "*n h w c"], offset: Integer[AnyArray, "2"]
) -> Float[Array, "*n h w c"]:
    """The picture rolled by ``offset`` = (ox, oy): ox pixels along the width, oy along the height.

    What leaves on one side comes back on the other. ``roll(x, -offset)`` is the inverse.
    """
    return jnp.roll(image, jnp.asarray(offset)[::-1], axis=(-3, -2))


def rolled_part(
    image: Float[AnyArray, "ch cw c"],
    offset: Integer[AnyArray, "2"],
    *,
    size: Integer[AnyArray, "2"],
    origin: Integer[AnyArray, "2"],
    shape: tuple[int, int],
) -> Float[AnyArray, "h w c"]:
    """A rectangle of a rolled picture that lies in the upper left corner of a larger array.

    Args:
        offset: (ox, oy), as of ``roll``.
        size: height and width of the picture, around which it is rolled.
        origin: row and column of the rolled picture at which the rectangle begins.
        shape: height and width of the rectangle. Beyond the picture's end it holds the picture's
            beginning. NumPy's array gives NumPy's.
    """
    xp = np if isinstance(image, np.ndarray) else jnp
    rows = (xp.arange(shape[0]) + origin[0] - offset[1]) % size[0]
    columns = (xp.arange(shape[1]) + origin[1] - offset[0]) % size[1]
    return xp.take(xp.take(image, rows, axis=0), columns, axis=1)


def draw_offsets(
    key: Key[Array, ""] | UInt32[Array, "2"], *, count: int, jitter: int
) -> Int[Array, "count 2"]:
    """Offsets (ox, oy) for ``count`` steps, uniform in ``[-jitter, jitter]``, ends included."""
    return jax.random.randint(key, (count, 2), -jitter, jitter + 1)


def random_roll(
    key: Key[Array, ""] | UInt32[Array, "2"], image: Float[AnyArray, "*n h w c"], *, jitter: int
) -> Float[Array, "*n h w c"]:
    """The picture (any range) rolled by an offset drawn with ``key``, at most ``jitter`` pixels."""
    return roll(image, draw_offsets(key, count=1, jitter=jitter)[0])
