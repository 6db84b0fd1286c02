"""The random keys of pictures, and the jitter of every step that is drawn with them."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Integer

from jaxdream.algorithm.jitter import draw_offsets
from jaxdream.errors import JaxdreamError
from jaxdream.images.seamless import wrapped_axes
from jaxdream.settings import SPHERE, DreamSettings
from jaxdream.types import AnyArray, AnyKeys, Size

_DRAWN = 64  # offsets are drawn in multiples of it

AnyKey = AnyKeys | None
Offsets = Integer[AnyArray, "*sets steps 2"] | None


def given_offsets(
    key: AnyKey,
    offsets: Offsets,
    batch: tuple[int, ...],
    sizes: Sequence[Size],
    settings: DreamSettings,
) -> Integer[AnyArray, "count n 2"]:
    """The jitter of every step and picture, drawn or given.

    Args:
        sizes: height and width of the pictures in each octave.
    """
    n, count = batch[0] if batch else 1, len(sizes) * settings.steps
    if offsets is None:
        keys = picture_keys(key, n) if batch else [single_key(key)]
        return drawn_offsets(keys, [[size] * n for size in sizes], settings)
    xp = jnp if isinstance(offsets, Tracer) else np
    offsets = xp.asarray(offsets, np.int32)
    if offsets.shape == (count, 2):
        return xp.broadcast_to(offsets[:, None], (count, n, 2))
    if not batch or offsets.shape != (n, count, 2):
        raise JaxdreamError(
            f"offsets have shape {offsets.shape}; this dream takes {(*batch, count, 2)}: "
            "(ox, oy) for every step of every octave"
        )
    return offsets.swapaxes(0, 1)


def drawn_offsets(
    keys: Sequence[Array] | Array, sizes: Sequence[Sequence[Size]], settings: DreamSettings
) -> Integer[AnyArray, "count n 2"]:
    """The jitter of every step for each picture, from its key.

    Along a side that the picture goes on around (``seamless``) an offset is anywhere on the side:
    so the border of the network's layers is in another place in every step. On a sphere an offset
    is a pair of any numbers, which stand for a rotation.

    Args:
        sizes: of each octave, height and width of each picture.
    """
    keys = jnp.stack(list(keys))
    count, wrap = settings.steps * len(sizes), wrapped_axes(settings.seamless)
    if settings.seamless == SPHERE:
        offsets = _draw_rotations(keys, count=count)
    else:
        # JAX's generator draws a number by its place alone, so that fewer are the first of more:
        # dreams of many lengths share a program.
        offsets = _draw(keys, settings.jitter, count=-(-count // _DRAWN) * _DRAWN)[:count]
        if any(wrap):
            sides = np.repeat(np.array(sizes), settings.steps, axis=0)[..., ::-1]  # (width, height)
            anywhere = jnp.floor(_draw_shares(keys, count=count) * sides).astype(jnp.int32)
            offsets = jnp.where(np.array(wrap[::-1]), anywhere, offsets)
    return offsets if isinstance(offsets, Tracer) else np.asarray(offsets)


@partial(jax.jit, static_argnames=("count",))
def _draw_rotations(keys: Array, *, count: int) -> Int[Array, "count n 2"]:
    def draw(key: Array) -> Array:
        return jax.random.randint(key, (count, 2), 1, np.iinfo(np.int32).max)

    return jnp.swapaxes(jax.vmap(draw)(keys), 0, 1)


@partial(jax.jit, static_argnames=("count",))
def _draw_shares(keys: Array, *, count: int) -> Float[Array, "count n 2"]:
    """Numbers of 0..1, not drawn with the random bits of the jitter."""

    def draw(key: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, 1), (count, 2))

    return jnp.swapaxes(jax.vmap(draw)(keys), 0, 1)


@partial(jax.jit, static_argnames=("count",))
def _draw(keys: Array, jitter: int | Array, *, count: int) -> Int[Array, "count n 2"]:
    draw = partial(draw_offsets, count=count, jitter=jitter)
    return jnp.swapaxes(jax.vmap(draw)(keys), 0, 1)


def single_key(key: AnyKey) -> Array:
    """The key of one picture.

    Raises:
        JaxdreamError: there is none, or there are several.
    """
    if key is None:
        raise JaxdreamError("key is missing: give a JAX random key, a whole number, or offsets")
    if isinstance(key, int):
        return jax.random.key(key)
    if not _is_single(key):
        raise JaxdreamError(f"key has {len(key)} keys, and there is one picture: give one key")
    return key


def picture_keys(key: AnyKey, n: int) -> Array:
    """A key for each of ``n`` pictures, from one key or from as many.

    Raises:
        JaxdreamError: there is no key, or another number of them.
    """
    if key is None or isinstance(key, int) or _is_single(key):
        return jax.vmap(jax.random.fold_in, (None, 0))(single_key(key), jnp.arange(n))
    if len(key) != n:
        raise JaxdreamError(f"key has {len(key)} keys for {n} pictures: give one key, or {n}")
    return key


def _is_single(key: Array) -> bool:
    return jnp.ndim(key) == (0 if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else 1)
