"""Tiles: the gradient of a large picture, computed piece by piece and summed, exactly.

A tile is a rectangle of the picture with a halo around it, as wide as the layers see. Tiles
overlap: a value is exact only where all that it depends on is in the tile. Each position of the
layers is owned by one tile.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.execution.jit import lower, program
from jaxdream.execution.sharding import Sharding
from jaxdream.models.network import Network
from jaxdream.models.regions import Region
from jaxdream.objectives import Objective
from jaxdream.types import AnyArray, Size

_GRID = 32  # pixels to which the sides of tiles are rounded up

Pullback = Callable[[Array], tuple[Array]]  # of ``jax.vjp``: a pytree of what it keeps


class Tiling(NamedTuple):
    """How pictures of one size are cut into tiles, all computed by one program."""

    shape: Size  # of a tile, with its halo
    halo_before: Size  # rows and columns of a tile before those it owns
    halo_after: Size  # and after them; multiples of the layers' strides, as what it owns is

    def regions(self, size: Size) -> list[Region]:
        """The tiles of a picture of this height and width."""
        rows, columns = (self._spans(size[axis], axis) for axis in (0, 1))
        return [
            Region(
                np.array(size, np.int32),
                *(np.array(pair, np.int32) for pair in zip(row, column, strict=True)),
            )
            for row in rows
            for column in columns
        ]

    def count(self, size: Size) -> int:
        """How many tiles a picture has."""
        return math.prod(len(self._spans(size[axis], axis)) for axis in (0, 1))

    def extent(self, size: Size) -> Size:
        """Height and width of the smallest array that holds all tiles of a picture."""
        height, width = (self._spans(size[axis], axis)[-1][0] + self.shape[axis] for axis in (0, 1))
        return height, width

    def _spans(self, side: int, axis: int) -> list[tuple[int, int, int]]:
        """(origin, owned start, owned stop) of the tiles along an axis."""
        length = self.shape[axis]
        before, after = self.halo_before[axis], self.halo_after[axis]
        if length >= side:
            return [(0, 0, side)]
        spans = [(0, 0, length - after)]
        while spans[-1][0] + length < side:
            start = spans[-1][2]
            origin = start - before
            spans.append((origin, start, origin + length - after))
        origin, start, _ = spans[-1]
        return [*spans[:-1], (origin, start, side)]


def can_tile(model: Network, objective: Objective) -> bool:
    """Whether the objective's gradient is a sum over tiles."""
    local = objective.local and model.takes_regions
    return local and model.graph.halo(*objective.layers) is not None


def possible_tilings(model: Network, objective: Objective, size: Size) -> Iterator[Tiling]:
    """Tilings of a picture of this height and width, from large tiles to small."""
    graph = model.graph
    halo = graph.halo(*objective.layers)
    assert halo is not None
    stride = math.lcm(*(graph.stride(name) or 1 for name in objective.layers))
    before, after = (
        (round_up(halo[0][end], stride), round_up(halo[1][end], stride)) for end in (0, 1)
    )

    def lengths(axis: int) -> list[int]:
        overlap, grid = before[axis] + after[axis], math.lcm(stride, _GRID)
        found: list[int] = []
        for count in itertools.count(1):
            length = round_up(-(-(size[axis] + (count - 1) * overlap) // count), grid)
            if found and length == found[-1]:
                continue
            if length <= overlap + stride:
                return found or [length]
            found.append(length)
            if length <= overlap + grid:
                return found
        return found

    for height in lengths(0):
        for width in lengths(1):
            yield Tiling((height, width), before, after)


@dataclass(frozen=True)
class TiledGradient:
    """The compiled programs that compute the gradient of pictures of one size, tile by tile."""

    model: Network
    objective: Objective
    tiling: Tiling
    size: Size
    sharding: Sharding | None
    forward: jax.stages.Compiled
    backward: jax.stages.Compiled

    def __call__(
        self, images: Float[np.ndarray, "n h w 3"], offsets: Integer[np.ndarray, "n 2"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n gh gw 3"]]:
        """The objective's value and gradient on the rolled pictures."""
        count, shape = len(images), self.tiling.shape
        value = np.zeros(count, np.float32)
        gradient = np.zeros((count, *self.tiling.extent(self.size), 3), np.float32)
        for region in self.tiling.regions(self.size):
            cut = partial(rolled_part, size=region.size, origin=region.origin, shape=shape)
            tile = np.stack([cut(*pair) for pair in zip(images, offsets, strict=True)])
            tile_value, tile_gradient = self._contribution(tile, region, offsets)
            rows, columns = (slice(o, o + n) for o, n in zip(region.origin, shape, strict=True))
            value += tile_value
            gradient[:, rows, columns, :] += tile_gradient
        return value, gradient

    def _contribution(
        self, tile: np.ndarray, region: Region, offsets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What a tile contributes to value and gradient; nothing else of it is kept."""
        given = tile, offsets
        tile, offsets = given if self.sharding is None else self.sharding.place(given)
        value, pullback = self.forward(self.model, self.objective, tile, region, offsets)
        return np.asarray(value), np.asarray(self.backward(pullback, value))


def lower_tiles(
    model: Network,
    objective: Objective,
    tiling: Tiling,
    size: Size,
    count: int,
    sharding: Sharding | None,
    objective_axes: tuple[int | None, ...] | None = None,
) -> tuple[jax.stages.Lowered, jax.stages.Lowered]:
    """The two programs of a tiled gradient for ``count`` pictures, traced: forward, backward."""
    tile = jax.ShapeDtypeStruct((count, *tiling.shape, 3), np.float32)
    given = tile, jax.ShapeDtypeStruct((count, 2), np.int32)
    tile, offsets = given if sharding is None else sharding.place(given)
    region = tiling.regions(size)[0]
    forward = lower(
        partial(
            _forward, model, objective, tile, region, offsets,
            objective_axes=objective_axes, sharding=sharding,
        )
    )  # fmt: skip
    value, pullback = _results(forward, sharding)
    return forward, lower(partial(_backward, pullback, value))


def _results(lowered: jax.stages.Lowered, sharding: Sharding | None):
    """Shapes of a program's results; XLA decides when it compiles on which devices they are."""
    if sharding is None:
        return lowered.out_info
    return jax.tree.map(
        lambda info, where: jax.ShapeDtypeStruct(info.shape, info.dtype, sharding=where),
        lowered.out_info,
        lowered.compile().output_shardings,
    )


# Two programs. In a single one XLA computes forward activations again inside the backward fusions,
# which is 25 % slower, and keeps what they are computed from, which is larger than they are.


def axes_of(objective: Objective, axes: tuple[int | None, ...] | None) -> Any:
    """The ``in_axes`` of an objective some of whose leaves have an axis of pictures, perhaps."""
    return None if axes is None else jax.tree.unflatten(jax.tree.structure(objective), axes)


@program(static_argnames=("objective_axes", "sharding"))
def _forward(
    model: Network,
    objective: Objective,
    tile: Float[Array, "n h w 3"],
    region: Region,
    offsets: Integer[Array, "n 2"],
    *,
    objective_axes: tuple[int | None, ...] | None = None,
    sharding: Sharding | None = None,
) -> tuple[Float[Array, " n"], Pullback]:
    """The tiles' values, and the pullback that gives their gradients."""
    model = model.merged(objective.layers)

    def value(tile: Array, offset: Array, objective: Objective) -> Array:
        tile = tile if sharding is None else sharding.split(tile)
        return objective.value(model, tile, region=region, offset=offset)

    values = each(value, len(tile), (0, 0, axes_of(objective, objective_axes)))
    return jax.vjp(lambda tile: values(tile, offsets, objective), tile)


@program()
def _backward(pullback: Pullback, value: Float[Array, " n"]) -> Float[Array, "n h w 3"]:
    """The gradient with respect to the tiles."""
    (gradient,) = pullback(jnp.ones_like(value))
    return gradient


def each(function: Callable, count: int, in_axes: Any = 0) -> Callable:
    """``jax.vmap`` for a batch of ``count``; one picture is computed as it is, without vmap.

    What vmap makes of gathers and masks is slower.
    """
    if count > 1:
        return jax.vmap(function, in_axes)

    def single(*arguments):
        axes = (in_axes,) * len(arguments) if isinstance(in_axes, int) else in_axes
        inner = [
            jax.tree.map(lambda leaf: leaf[0], argument) if axis == 0 else argument
            for argument, axis in zip(arguments, axes, strict=True)
        ]
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*inner))

    return single


def rolled_part(
    image: Float[AnyArray, "ch cw c"],
    offset: Integer[AnyArray, "2"],
    *,
    size: Integer[AnyArray, "2"],
    origin: Integer[AnyArray, "2"],
    shape: Size,
) -> Float[AnyArray, "h w c"]:
    """A rectangle of a rolled picture that lies in the upper left corner of a larger array.

    Args:
        offset: (ox, oy) in pixels, as of ``roll``.
        size: height and width of the picture, around which it is rolled.
        origin: row and column of the rolled picture at which the rectangle begins.
        shape: height and width of the rectangle. Beyond the picture's end it holds the picture's
            beginning. NumPy's array gives NumPy's.
    """
    xp = np if isinstance(image, np.ndarray) else jnp
    rows = (xp.arange(shape[0]) + origin[0] - offset[1]) % size[0]
    columns = (xp.arange(shape[1]) + origin[1] - offset[0]) % size[1]
    return xp.take(xp.take(image, rows, axis=0), columns, axis=1)


def round_up(number: int, grid: int) -> int:
    """The next multiple of ``grid`` that is not below ``number``."""
    return -(-number // grid) * grid
