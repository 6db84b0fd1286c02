"""What a dream makes grow: the objectives, as small pytrees that compose (see ``objective``).

Two kinds of measure. *Energies*, half a sum of squares as in 2015, of a layer or of one of its
channels; a layer's energy is the sum of its channels'. *Dot products*, linear in the activations:
a neuron, a direction, a class's logit, a guide, a reference. Penalties are subtracted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.images.resample import resize
from jaxdream.objectives.base import (
    STATIC,
    Activations,
    Objective,
    Product,
    Scaled,
    Sum,
    check_index,
    pytree,
    shown,
)
from jaxdream.types import EXACT, AnyArray

if TYPE_CHECKING:
    from jaxdream.models.graph import Graph
    from jaxdream.models.network import Network

__all__ = [
    "Activations",
    "Objective",
    "Product",
    "Scaled",
    "Sum",
    "caricature",
    "channel",
    "custom",
    "direction",
    "guide",
    "l1",
    "layer",
    "logit",
    "neuron",
    "total_variation",
]

Index = int | Integer[AnyArray, "..."]

# Dot products of a guided step held at once: 16 million floats are 64 MB.
_GUIDE_DOT_PRODUCTS = 1 << 24


@dataclass(frozen=True)
class _OfLayer(Objective):
    """Base of the objectives that read one layer."""

    layer: str = field(metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)


class _Local(_OfLayer):
    """Base of those that are a sum over the layer's positions."""

    @property
    def local(self) -> bool:
        return True


@pytree
@dataclass(frozen=True)
class Layer(_Local):
    """Half the sum of squares of a layer: its gradient at the layer is the activation itself."""

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return 0.5 * jnp.sum(jnp.square(activations[self.layer]))

    def __repr__(self) -> str:
        return self.layer


@dataclass(frozen=True)
class _OfChannel(_OfLayer):
    """Base of those that read one channel of it."""

    index: Integer[Array, "..."]

    def check(self, graph: "Graph") -> None:
        count = graph.channels[graph.resolve(self.layer)]
        check_index(self.index, count, self.layer, "channels")


@pytree
@dataclass(frozen=True)
class Channel(_OfChannel, _Local):
    """Half the sum of squares of one channel."""

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return 0.5 * jnp.sum(jnp.square(activations[self.layer][..., self.index]))

    def __repr__(self) -> str:
        return f"{self.layer}:{shown(self.index)}"


@pytree
@dataclass(frozen=True)
class Neuron(_OfChannel):
    """The activation of one channel at one place."""

    position: Float[Array, "... 2"]  # (x, y), as shares of the layer's width and height

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        activation = activations[self.layer]
        size = jnp.array([activation.shape[1], activation.shape[0]])
        x, y = jnp.clip(jnp.floor(self.position * size).astype(jnp.int32), 0, size - 1)
        return activation[y, x, self.index]

    def __repr__(self) -> str:
        x, y = (shown(self.position[..., i]) for i in (0, 1))
        return f"neuron({self.layer}, {shown(self.index)}, {x}, {y})"


@pytree
@dataclass(frozen=True)
class Direction(_Local):
    """The dot product of every position's activations with one vector, summed up."""

    vector: Float[Array, "... c"]

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return jnp.sum(jnp.matmul(activations[self.layer], self.vector, precision=EXACT))

    def check(self, graph: "Graph") -> None:
        _check_features(self.vector, graph, self.layer, "a direction")

    def __repr__(self) -> str:
        return f"direction({self.layer})"


@pytree
@dataclass(frozen=True)
class Logit(Objective):
    """The score of a class before the softmax."""

    index: Integer[Array, "..."]

    @property
    def layers(self) -> tuple[str, ...]:
        return ("logits",)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return activations["logits"][self.index]

    def check(self, graph: "Graph") -> None:
        try:
            count = graph.channels[graph.resolve("logits")]
        except JaxdreamError:
            raise JaxdreamError(
                "this network has no classifier, so it knows no classes: use another, such as "
                "googlenet"
            ) from None
        check_index(self.index, count, "the classifier", "classes")

    def __repr__(self) -> str:
        return f"logit({shown(self.index)})"


@pytree
@dataclass(frozen=True)
class Guide(_Local):
    """Each position of a layer grows towards the guide's position it resembles most.

    ``features`` are the guide's activations at the layer, (positions, c). The match is by dot
    product, first maximum, and is held fixed: no gradient flows through the choice.
    """

    features: Float[Array, "... m c"]

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = activations[self.layer].reshape(-1, self.features.shape[-1])
        return jnp.sum(x * _best_matches(jax.lax.stop_gradient(x), self.features))

    def check(self, graph: "Graph") -> None:
        _check_features(self.features, graph, self.layer, "a guide")

    def __repr__(self) -> str:
        return f"guide({self.layer})"


@pytree
@dataclass(frozen=True)
class Caricature(_OfLayer):
    """The dot product with a reference's activations, place by place."""

    features: Float[Array, "... fh fw c"]

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        activation = activations[self.layer]
        return jnp.sum(
            activation * resize(self.features, (activation.shape[0], activation.shape[1]))
        )

    def check(self, graph: "Graph") -> None:
        _check_features(self.features, graph, self.layer, "a reference")

    def __repr__(self) -> str:
        return f"caricature({self.layer})"


@pytree
@dataclass(frozen=True)
class L1(_Local):
    """The sum of absolute values: subtracted, it makes a layer sparse."""

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return jnp.sum(jnp.abs(activations[self.layer]))

    def __repr__(self) -> str:
        return f"l1({self.layer})"


@pytree
@dataclass(frozen=True)
class TotalVariation(_OfLayer):
    """The sum of absolute differences between neighbours: subtracted, it makes smooth."""

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = activations[self.layer]
        down, right = jnp.diff(x, axis=0), jnp.diff(x, axis=1)
        return jnp.sum(jnp.abs(down)) + jnp.sum(jnp.abs(right))

    def __repr__(self) -> str:
        return f"total_variation({self.layer})"


@pytree
@dataclass(frozen=True)
class Custom(Objective):
    """A function of the activations; the same function object does not compile anew."""

    function: Callable[[Activations], Array] = field(metadata=STATIC)
    names: tuple[str, ...] = field(metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.names

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.function(activations)

    def __repr__(self) -> str:
        return f"{self.function.__name__}({', '.join(self.names)})"


def layer(name: str) -> Objective:
    """The objective of 2015: half the sum of squares of a layer's activations.

    Source: Google's notebook ``deepdream/dream.ipynb`` (``objective_L2``).
    """
    return Layer(name)


def channel(name: str, index: Index) -> Objective:
    """Half the sum of squares of channel ``index`` of a layer: its share of the layer's energy."""
    return Channel(name, jnp.asarray(index, jnp.int32))


def neuron(name: str, index: Index, *, position: tuple[float, float] = (0.5, 0.5)) -> Objective:
    """The activation of channel ``index`` of a layer at one place.

    Args:
        position: (x, y) as shares, 0..1, of the layer's width and height, since a dream has many
            sizes; the middle by default.
    """
    return Neuron(name, jnp.asarray(index, jnp.int32), jnp.asarray(position, jnp.float32))


def direction(name: str, vector: Float[AnyArray, " c"]) -> Objective:
    """The dot product of a layer's activations with a vector, (channels,), summed over places."""
    return Direction(name, jnp.asarray(vector, jnp.float32))


def logit(index: Index) -> Objective:
    """The score of class ``index`` before the softmax, of a network that has a classifier."""
    return Logit(jnp.asarray(index, jnp.int32))


def guide(model: "Network", image: Float[AnyArray, "h w 3"], name: str) -> Objective:
    """Dream what a guide picture shows (RGB, 0..255, its own size), as layer ``name`` sees it.

    Source: Google's notebook (``objective_guide``).

    Raises:
        JaxdreamError: an unknown layer, or a picture too small for it.
    """
    features = _features(model, image, name)
    return Guide(name, features.reshape(-1, features.shape[-1]))


def caricature(model: "Network", image: Float[AnyArray, "h w 3"], name: str) -> Objective:
    """Exaggerate what layer ``name`` sees of a reference (RGB, 0..255), place by place.

    The reference is usually the picture itself. Its activations are resampled to the size of the
    octave; under jitter they stay where they are.

    Source: the dot-product objective of C. Olah and others' "The Building Blocks of
    Interpretability", Distill 2018, and of ``lucid``'s caricatures.

    Raises:
        JaxdreamError: an unknown layer, or a picture too small for it.
    """
    return Caricature(name, _features(model, image, name))


def l1(name: str) -> Objective:
    """The sum of a layer's absolute values; subtract it to keep a layer sparse."""
    return L1(name)


def total_variation(name: str = "data") -> Objective:
    """The sum of absolute differences of neighbours; subtract it to keep something smooth.

    By default of the picture itself, in the network's units (``preprocess``): levels of 255 for
    GoogLeNet.
    """
    return TotalVariation(name)


def custom(
    function: Callable[[Activations], Float[Array, ""]], layers: tuple[str, ...]
) -> Objective:
    """An objective from a function of the activations of these layers.

    The function is given a mapping from layer name to the activations of one picture, (h, w, c),
    and returns a scalar.
    """
    return Custom(function, tuple(layers))


def _features(model: "Network", image: Float[AnyArray, "h w 3"], name: str) -> Array:
    smallest = model.graph.minimum_size(name)
    if min(image.shape[:2]) < smallest:
        raise JaxdreamError(
            f"the picture is {image.shape[1]}x{image.shape[0]} pixels and {name} needs at least "
            f"{smallest}x{smallest}: use a larger one or an earlier layer"
        )
    return model(model.preprocess(image)[None], layers=(name,))[name][0]


def _check_features(features: Array, graph: "Graph", layer: str, what: str) -> None:
    count = graph.channels[graph.resolve(layer)]
    if features.shape[-1] != count:
        raise JaxdreamError(
            f"{layer} has {count} channels, so {what} for it has as many numbers, not "
            f"{features.shape[-1]}"
        )
    if not isinstance(features, Tracer) and not np.isfinite(features).all():
        raise JaxdreamError(f"{what} for {layer} has values that are not finite")


def _best_matches(x: Float[Array, "n c"], y: Float[Array, "m c"]) -> Float[Array, "n c"]:
    """For each row of ``x`` the row of ``y`` with the largest dot product, in bounded memory."""
    rows = max(1, _GUIDE_DOT_PRODUCTS // y.shape[0])
    if x.shape[0] <= rows:
        return y[jnp.argmax(jnp.matmul(x, y.T, precision=EXACT), axis=1)]

    def best_match(row: Array) -> Array:
        return jnp.argmax(jnp.matmul(y, row, precision=EXACT))

    best = jax.lax.map(best_match, x, batch_size=rows)
    return y[best]
