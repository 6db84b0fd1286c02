"""Which part of a picture a position of a layer sees."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.execution.jit import program
from jaxdream.models.network import Network
from jaxdream.types import AnyArray, Size

_NOISES = 4  # pictures on which the field of a network of one's own is measured

Side = tuple[
    float | int, int, int
]  # along one side: pixels a position, and (first, last) of position 0


def receptive_boxes(
    model: Network,
    layer: str,
    positions: Integer[np.ndarray, "..."],
    *,
    size: Size,
    shape: Sequence[int],
) -> Integer[np.ndarray, "... 4"]:
    """The receptive fields of positions of a layer, cut off where the picture ends.

    Of jaxdream's own networks they are known. Of a map of a wrapped network the field of the middle
    position is measured, as the part of the picture in which its gradient is not 0 on noise, and
    moved along with the position. Tokens, vectors and layers that see everything have the whole
    picture.

    Args:
        positions: indices into the layer's positions, row by row.
        size: height and width of the picture, in pixels.
        shape: of the layer on one such picture: (h, w, c), (tokens, c) or (c,).

    Returns:
        Of each position the first row and column, and the row and column after the last.
    """
    fields = _fields(model, layer, size, shape)
    if fields is None:
        return np.broadcast_to(np.array([0, 0, *size]), (*positions.shape, 4)).copy()
    places = np.divmod(positions, shape[1])
    starts, stops = [], []
    for place, (stride, first, last), length in zip(places, fields, size, strict=True):
        origin = np.round(place * stride).astype(np.int64)
        # Where a layer goes on after the picture's end, the last pixel is shown.
        starts.append(np.clip(origin + first, 0, length - 1))
        stops.append(np.clip(origin + last + 1, 1, length))
    return np.stack([*starts, *stops], axis=-1)


def _fields(
    model: Network, layer: str, size: Size, shape: Sequence[int]
) -> tuple[Side, Side] | None:
    if len(shape) != 3 or not model.graph.has_place(layer):
        return None
    halo, stride = model.graph.halo(layer), model.graph.stride(layer)
    if halo is None or stride is None:
        return _measured(model, layer, size, (shape[0], shape[1]))
    (above, below), (left, right) = halo
    return (stride, -above, below), (stride, -left, right)


def _measured(model: Network, layer: str, size: Size, layer_size: Size) -> tuple[Side, Side] | None:
    """The field of position 0, as if it were not cut off, from that of the middle position."""
    middle = (layer_size[0] // 2, layer_size[1] // 2)
    noise = 255 * jax.random.uniform(jax.random.key(0), (_NOISES, *size, 3))
    seen = np.asarray(_reached(model, noise, layer=layer, position=middle))
    if not seen.any():
        return None
    sides = []
    for axis in (0, 1):
        reached = np.flatnonzero(seen.any(axis=1 - axis))
        stride = size[axis] / layer_size[axis]
        origin = round(middle[axis] * stride)
        sides.append((stride, int(reached[0]) - origin, int(reached[-1]) - origin))
    return sides[0], sides[1]


@program(static_argnames=("layer", "position"))
def _reached(
    model: Network, pictures: Float[AnyArray, "n h w 3"], *, layer: str, position: tuple[int, int]
) -> Array:
    """Whether each pixel has a gradient at one position, on any of the pictures."""

    def at_position(x: Array) -> Array:
        values = model.activations(x, [layer])[layer]
        return values[:, position[0], position[1]]

    x = model.preprocess(jnp.asarray(pictures))
    values, pull_back = jax.vjp(at_position, x)
    # Random signs, so that channels do not cancel out.
    signs = jax.random.normal(jax.random.key(1), values.shape)
    gradient = partial(jnp.any, axis=(0, 3))(pull_back(signs)[0] != 0)
    return gradient
