"""Activations with their place in the picture: counted, and averaged over the areas of a mask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.types import EXACT, AnyArray

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.regions import Region

Activations = Mapping[str, Array]


class RegionActivations(dict[str, Array]):
    """Activations of a picture, of a padded one or of a tile, and where they are in it.

    Those that are not to be counted are zero.
    """

    def __init__(
        self,
        activations: Activations,
        graph: "LayerTable",
        region: "Region",
        offset: Integer[AnyArray, "2"] | None = None,
    ) -> None:
        super().__init__(activations)
        self.graph, self.region = graph, region
        self.offset = np.zeros(2, np.int32) if offset is None else offset  # of the jitter

    def position_count(self, layer: str) -> Array | int:
        """The number of positions that a layer has on the whole picture."""
        known = self.graph.position_count(layer, self.region.size)
        return _count(self[layer]) if known is None else known

    def pixel_shares(self, layer: str, axis: int, count: int) -> Float[Array, "n count"]:
        """How much of each position of a layer's side lies in each of ``count`` parts of the side.

        The side is that of the picture before jitter rolled it.
        """
        size, origin = self.region.size[axis], self.region.origin[axis]
        positions = self[layer].shape[axis]
        # Where the stride is not known they are taken to be spread evenly over the picture.
        stride = self.graph.stride(layer) or size / positions
        first = origin + stride * jnp.arange(positions)
        length = jnp.clip(size - first, 1, stride)  # the last position may end beyond the picture
        start = (first - self.offset[1 - axis]) % size
        edges = size / count * jnp.arange(count + 1)
        # What is beyond the end lies at the beginning.
        return _shares(start, length, edges) + _shares(start - size, length, edges)


def average_mask(
    activations: Activations, layer: str, mask: Float[AnyArray, "mh mw"]
) -> Float[Array, "h w"]:
    """A mask of the picture, averaged over the area of each position of a layer.

    Activations without a place are taken for those of a whole picture that is not rolled.
    """
    if isinstance(activations, RegionActivations):
        rows, columns = (activations.pixel_shares(layer, i, mask.shape[i]) for i in (0, 1))
    else:
        sides = zip(activations[layer].shape[:2], mask.shape, strict=True)
        rows, columns = (
            _shares(jnp.arange(n), jnp.ones(n), n / count * jnp.arange(count + 1))
            for n, count in sides
        )
    averaged = jnp.matmul(rows, jnp.asarray(mask), precision=EXACT)
    return jnp.matmul(averaged, columns.T, precision=EXACT)


def _shares(start: Array, length: Array, edges: Array) -> Float[Array, "n count"]:
    """How much of each stretch of a side lies between each two edges."""
    begin = jnp.maximum(start[:, None], edges[:-1])
    end = jnp.minimum((start + length)[:, None], edges[1:])
    return jnp.maximum(end - begin, 0) / length[:, None]


def position_count(activations: Activations, layer: str) -> Array | int:
    """The number of positions that a layer has on the whole picture; 1 for logits."""
    if isinstance(activations, RegionActivations):
        return activations.position_count(layer)
    return _count(activations[layer])


def _count(activation: Array) -> int:
    return int(np.prod(activation.shape[:-1]))
