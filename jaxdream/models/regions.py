"""A picture on a canvas: how a network compiled for one size computes another, exactly.

A compiled program has arrays of fixed sizes, its canvas. A smaller picture lies in the canvas's
upper left corner; of a larger one, the canvas holds a rectangle. Where a layer looks beyond its
map, what lies outside the picture is zero (and never a maximum), so that the picture has the border
it would have in arrays of its own size. What of a layer counts can be limited further: to the part
that no other rectangle of the same picture counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Integer

from jaxdream.models.graph import Graph, Node
from jaxdream.models.ops import divided
from jaxdream.types import AnyArray


class Region(NamedTuple):
    """What a canvas holds of a picture: rows and columns in pixels, as data of the program.

    For a batch it is one for all, or one for each.
    """

    size: Integer[AnyArray, "*n 2"]  # height and width of the whole picture
    origin: Integer[AnyArray, "*n 2"]  # the canvas's first row and column, in the picture
    first: Integer[AnyArray, "*n 2"]  # the first row and column that count, in the picture
    stop: Integer[AnyArray, "*n 2"]  # the first ones that do not count any more


def full_region(size: Integer[AnyArray, "*n 2"]) -> Region:
    """The region of a canvas that holds a whole picture of this height and width."""
    zero = np.zeros(size.shape, np.int32)
    return Region(size, zero, zero, size)


class Layout:
    """Where the picture is in every map of a network that is computed on a region.

    The origin, and where counting begins and ends, are multiples of the stride of every layer.
    """

    def __init__(self, graph: Graph, region: Region) -> None:
        self.graph, self.region = graph, region
        self._sizes: dict[str, tuple[Array, Array] | None] = {}
        # By size of the map, as an object: layers of one size share a mask, which is traced once.
        self._inside: dict[tuple[int, int, tuple[int, ...]], Array] = {}

    def add(self, node: Node) -> None:
        """Note the size of a node's map, after those of its inputs."""
        if not node.inputs:
            self._sizes[node.name] = (self.region.size[0], self.region.size[1])
            return
        before = self._sizes[node.inputs[0]]
        self._sizes[node.name] = None
        if before is not None and not node.op.sees_all:
            self._sizes[node.name] = node.op.output_size(before)

    def inside(self, name: str, shape: Sequence[int]) -> Bool[Array, "h w 1"] | None:
        """Which positions of a layer's map are in the picture; None for what is no map any more."""
        size = self._sizes[name]
        if size is None:
            return None
        stride = self.graph.strides[name]
        key = id(size), stride, tuple(shape[-3:-1])
        if key not in self._inside:
            origin = divided(jnp.asarray(self.region.origin), stride)
            self._inside[key] = rectangle_mask(-origin, jnp.stack(size) - origin, shape)
        return self._inside[key]

    def counted(self, name: str, shape: Sequence[int]) -> Bool[Array, "h w 1"] | None:
        """Which positions of a layer's map count: all are in the picture."""
        size = self._sizes[name]
        if size is None:
            return None
        region, stride = self.region, self.graph.strides[name]
        end = jnp.stack(size)
        # To the map's very end where all counts: it may have more rows than strides fit.
        origin, first, stop = (
            divided(jnp.asarray(at), stride) for at in (region.origin, region.first, region.stop)
        )
        stop = jnp.where(region.stop < region.size, jnp.minimum(stop, end), end)
        return rectangle_mask(first - origin, stop - origin, shape)


def rectangle_mask(
    first: Integer[AnyArray, "2"], stop: Integer[AnyArray, "2"], shape: Sequence[int]
) -> Bool[Array, "h w 1"]:
    """Whether each position of an array (..., h, w, c) is in a rectangle of rows and columns."""
    height, width = shape[-3:-1]
    rows, columns = jnp.arange(height), jnp.arange(width)
    in_row = (rows >= first[0]) & (rows < stop[0])
    in_column = (columns >= first[1]) & (columns < stop[1])
    return (in_row[:, None] & in_column)[:, :, None]
