"""Pictures in padded arrays, and tiles of pictures, computed exactly.

A compiled program has arrays of fixed shapes. A smaller picture lies in the upper left corner of
such an array; of a larger one, the array holds a tile. Where a layer's windows extend beyond its
map, values outside the picture are zero (and never a maximum), so that the picture has the border
it would have in an array of its own size. The values that a tile owns can be limited further, to
those that no other tile of the same picture owns, so that sums over tiles are sums over the
picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Integer

from jaxdream.models.graph import Graph, Node
from jaxdream.models.ops import floor_div
from jaxdream.types import AnyArray


class Region(NamedTuple):
    """The part of a picture that an array holds: rows and columns in pixels, as program data.

    In a batch there is one region for all pictures, or one for each.
    """

    size: Integer[AnyArray, "*n 2"]  # height and width of the whole picture
    origin: Integer[AnyArray, "*n 2"]  # the array's first row and column, in the picture
    owned_start: Integer[AnyArray, "*n 2"]  # first row and column that it owns, in the picture
    owned_stop: Integer[AnyArray, "*n 2"]  # the row and column after the last that it owns


def full_region(size: Integer[AnyArray, "*n 2"]) -> Region:
    """The region of an array that holds a whole picture of this height and width."""
    zero = np.zeros(size.shape, np.int32)
    return Region(size, zero, zero, size)


class RegionMasks:
    """Masks of the picture in every map of a network that is computed on a region.

    The region's origin, and where it begins and ends to own, are multiples of the stride of every
    layer.
    """

    def __init__(self, graph: Graph, region: Region) -> None:
        self.graph, self.region = graph, region
        self._sizes: dict[str, tuple[Array, Array] | None] = {}
        # The key holds the size's identity: layers of one size share a mask, which is traced once.
        self._valid: dict[tuple[int, int, tuple[int, ...]], Array] = {}

    def add(self, node: Node) -> None:
        """Record the size of a node's map; its inputs must have been added before."""
        if not node.inputs:
            self._sizes[node.name] = (self.region.size[0], self.region.size[1])
            return
        before = self._sizes[node.inputs[0]]
        self._sizes[node.name] = None
        if before is not None and not node.op.is_global:
            self._sizes[node.name] = node.op.output_size(before)

    def size(self, name: str) -> tuple[Array, Array]:
        """Height and width of a layer's map of the whole picture."""
        size = self._sizes[name]
        assert size is not None  # only global layers have none
        return size

    def valid(self, name: str, shape: Sequence[int]) -> Bool[Array, "h w 1"] | None:
        """The positions of a layer's map that are in the picture; None after a global layer."""
        size = self._sizes[name]
        if size is None:
            return None
        stride = self.graph.strides[name]
        key = id(size), stride, tuple(shape[-3:-1])
        if key not in self._valid:
            origin = floor_div(jnp.asarray(self.region.origin), stride)
            self._valid[key] = rectangle_mask(-origin, jnp.stack(size) - origin, shape)
        return self._valid[key]

    def owned(self, name: str, shape: Sequence[int]) -> Bool[Array, "h w 1"] | None:
        """The positions of a layer's map that the region owns; None after a global layer."""
        size = self._sizes[name]
        if size is None:
            return None
        region, stride = self.region, self.graph.strides[name]
        end = jnp.stack(size)
        origin, start, stop = (
            floor_div(jnp.asarray(pixels), stride)
            for pixels in (region.origin, region.owned_start, region.owned_stop)
        )
        # A region that ends with the picture owns the map to its very end: the map may have more
        # rows than strides fit into the picture.
        stop = jnp.where(region.owned_stop < region.size, jnp.minimum(stop, end), end)
        return rectangle_mask(start - origin, stop - origin, shape)


def rectangle_mask(
    start: Integer[AnyArray, "2"], stop: Integer[AnyArray, "2"], shape: Sequence[int]
) -> Bool[Array, "h w 1"]:
    """Whether each position of an array (..., h, w, c) is in a rectangle of rows and columns.

    Args:
        start: the rectangle's first row and column.
        stop: the row and column after its last.
        shape: of the array.
    """
    height, width = shape[-3:-1]
    rows, columns = jnp.arange(height), jnp.arange(width)
    in_row = (rows >= start[0]) & (rows < stop[0])
    in_column = (columns >= start[1]) & (columns < stop[1])
    return (in_row[:, None] & in_column)[:, :, None]
