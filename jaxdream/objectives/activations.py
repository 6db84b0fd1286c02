"""Activations, with what an objective may look at beside them.

Their place in the picture, by which they are counted and averaged over the areas of a mask; the
picture itself; what other networks see in it; and the other pictures that are made with it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.models.regions import full_region
from jaxdream.types import EXACT, AnyArray

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.network import Network
    from jaxdream.models.regions import Region

Activations = Mapping[str, Array]
# What a network sees in the same picture: activations of the named layers.
SeenBy = Callable[["Network", tuple[str, ...]], "PictureActivations"]


class PictureActivations(dict[str, Array]):
    """Activations of one picture, and what else of it an objective may look at.

    Attributes:
        picture: the whole picture, RGB, 0..255, (h, w, 3), before it was rolled or transformed;
            None of a padded picture or a tile.
        seen_by: gives what another network sees where this one saw its activations; None as for
            ``picture``.
        axis: the name of the axis that is mapped over the pictures of one ``visualize``; None
            where a picture is dreamed on its own.
    """

    def __init__(
        self,
        activations: Activations,
        *,
        picture: Float[AnyArray, "h w 3"] | None = None,
        seen_by: SeenBy | None = None,
        axis: str | None = None,
    ) -> None:
        super().__init__(activations)
        self.picture, self.seen_by, self.axis = picture, seen_by, axis


class RegionActivations(PictureActivations):
    """Activations of a picture, of a padded one or of a tile, and where they are in it.

    Those that are not to be counted are zero.
    """

    def __init__(
        self,
        activations: Activations,
        graph: "LayerTable",
        region: "Region",
        offset: Integer[AnyArray, "2"] | None = None,
        *,
        picture: Float[AnyArray, "h w 3"] | None = None,
        seen_by: SeenBy | None = None,
    ) -> None:
        super().__init__(activations, picture=picture, seen_by=seen_by)
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


def activations_of(
    model: "Network", image: Float[AnyArray, "h w 3"], layers: tuple[str, ...]
) -> dict[str, Array]:
    """The activations of one picture (RGB, 0..255), by layer: (h, w, c), or (classes,).

    Raises:
        JaxdreamError: there is no such layer, or the picture is too small or has another shape.
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise JaxdreamError(f"a picture has the shape (height, width, 3), not {image.shape}")
    for layer in layers:
        model.graph.check_size((image.shape[0], image.shape[1]), layer)
    activations = model(model.preprocess(image)[None], layers=layers)
    return {name: activation[0] for name, activation in activations.items()}


def whole_picture_activations(
    model: "Network",
    image: Float[AnyArray, "h w 3"],
    layers: tuple[str, ...],
    offset: Integer[AnyArray, "2"] | None = None,
) -> RegionActivations:
    """What networks see in a whole picture (RGB, 0..255), and the picture itself.

    Args:
        offset: the jitter (ox, oy) by which the picture is rolled.

    Raises:
        JaxdreamError: as ``activations_of``.
    """
    region = full_region(np.array(image.shape[:2], np.int32))
    unrolled = image
    if offset is not None:
        unrolled = jnp.roll(jnp.asarray(image), -jnp.asarray(offset)[::-1], (0, 1))

    def seen_by(model: "Network", layers: tuple[str, ...]) -> RegionActivations:
        found = activations_of(model, image, layers)
        return RegionActivations(
            found, model.graph, region, offset, picture=unrolled, seen_by=seen_by
        )

    return seen_by(model, layers)


def picture_of(activations: Activations, what: object) -> Float[AnyArray, "h w 3"]:
    """The whole picture, RGB, 0..255, as it is before jitter and transforms.

    Args:
        what: the objective that looks at it, for an error.

    Raises:
        JaxdreamError: it is not known.
    """
    picture = getattr(activations, "picture", None)
    if picture is None:
        raise _unknown(what)
    return picture


def seen_by(
    model: "Network", layers: tuple[str, ...], activations: Activations, what: object
) -> PictureActivations:
    """What another network sees in the picture of these activations.

    Raises:
        JaxdreamError: as ``picture_of``.
    """
    look = getattr(activations, "seen_by", None)
    if look is None:
        raise _unknown(what)
    return look(model, layers)


def _unknown(what: object) -> JaxdreamError:
    return JaxdreamError(
        f"{what} looks at the picture itself, and not at activations alone: call its method "
        "value(model, image)"
    )


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
