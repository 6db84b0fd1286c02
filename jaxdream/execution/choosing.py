"""Objectives that depend on the picture: their channels are chosen before it is dreamed."""

from collections.abc import Sequence

import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.execution.jit import program
from jaxdream.execution.shapes import ExactLayout, PaddedLayout, ShapeBuckets
from jaxdream.images.pixels import size_of_longest
from jaxdream.images.resample import resize
from jaxdream.models.network import Network
from jaxdream.models.regions import Region
from jaxdream.objectives.base import Objective
from jaxdream.objectives.stacking import Axes, stack_objectives
from jaxdream.types import AnyArray

_LONGEST = 512  # pixels of a side: what a picture excites is seen at this size


def choose(
    model: Network,
    objective: Objective,
    pictures: Sequence[AnyArray],
    dreams: Sequence[AnyArray] | None = None,
) -> tuple[Objective, Axes | None]:
    """The objective for these pictures, and which of its leaves have an axis of pictures.

    Args:
        pictures: RGB, 0..255, (h, w, 3) each, before they are dreamed.
        dreams: as far as they have got, in the same form; by default nothing is dreamed yet.
    """
    if not objective.depends_on_picture:
        return objective, None

    def chosen(picture: AnyArray, dream: AnyArray) -> Objective:
        def means(network: Network | None, layer: str, dreamed: bool) -> Float[Array, " c"]:
            return channel_means(network or model, dream if dreamed else picture, layer)

        return objective.chosen(means)

    each = list(map(chosen, pictures, pictures if dreams is None else dreams))
    return stack_objectives(each)


def channel_means(model: Network, picture: AnyArray, layer: str) -> Float[Array, " c"]:
    """The mean activation of every channel of a layer on a picture (RGB, 0..255, (h, w, 3))."""
    if isinstance(picture, Tracer):
        return _means(model, picture[None], None, layer=layer)
    image, region = _small(model, picture, (layer,))
    return _means(model, image, region, layer=layer)


def layer_energies(
    model: Network, picture: AnyArray, layers: Sequence[str]
) -> dict[str, Float[Array, ""]]:
    """The mean squared activation of layers on a picture (RGB, 0..255, (h, w, 3)).

    Args:
        picture: is looked at with at most 512 pixels a side.
        layers: their own names.
    """
    image, region = _small(model, picture, layers)
    return _energies(model, image, region, layers=tuple(layers))


def _small(
    model: Network, picture: AnyArray, layers: Sequence[str]
) -> tuple[Float[Array, "1 h w 3"], Region | None]:
    """A picture at the size at which it is looked at, as the network takes it."""
    height, width, _ = picture.shape
    size = height, width
    if max(size) > _LONGEST:
        size = size_of_longest(_LONGEST, height, width)
    size = model.graph.nearest_size(size, *layers)
    layout = ExactLayout(size, (size,))
    if model.takes_regions:
        layout = PaddedLayout(ShapeBuckets().padded(size), (size,), one_size=True)
    return layout.put([resize(np.asarray(picture), size)]), layout.region()


@program(static_argnames=("layers",))
def _energies(
    model: Network,
    image: Float[Array, "1 h w 3"],
    region: Region | None,
    *,
    layers: tuple[str, ...],
) -> dict[str, Float[Array, ""]]:
    found = model(model.preprocess(image), layers=layers, region=region)

    def energy(name: str) -> Float[Array, ""]:
        values = found[name][0].reshape(-1, found[name].shape[-1]).astype(np.float32)
        known = None if region is None else model.graph.position_count(name, region.size)
        count = len(values) if known is None else known
        return (values**2).sum() / (count * values.shape[-1])

    return {name: energy(name) for name in layers}


@program(static_argnames=("layer",))
def _means(
    model: Network, image: Float[Array, "1 h w 3"], region: Region | None, *, layer: str
) -> Float[Array, " c"]:
    found = model(model.preprocess(image), layers=(layer,), region=region)[layer][0]
    values = found.reshape(-1, found.shape[-1])
    known = None if region is None else model.graph.position_count(layer, region.size)
    return values.sum(axis=0) / (len(values) if known is None else known)
