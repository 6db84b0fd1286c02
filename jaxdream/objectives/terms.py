"""Objectives of layers, channels, neurons and classes, and what is common to those of a layer.

``jaxdream.objectives`` makes them. Others are in ``directions``, ``pictures``, ``penalties``,
``morphs`` and ``networks``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import Activations, position_count
from jaxdream.objectives.base import (
    ChannelMeans,
    Objective,
    function_text,
    number_text,
)
from jaxdream.objectives.places import Place, at_place, check_index, check_place, place_text
from jaxdream.types import STATIC, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

Rank = Literal["strongest", "weakest", "without"]
# Options in the text of an objective.
EVERY_OCTAVE = "every_octave"
MEAN = "mean"


@dataclass(frozen=True)
class OfLayer(Objective):
    """Base of the objectives that read one layer."""

    layer: str = field(metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)


@dataclass(frozen=True)
class Summed(OfLayer):
    """Base of those whose sum can be divided by the number of the layer's positions."""

    mean: bool = field(default=False, kw_only=True, metadata=STATIC)

    def averaged(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        """The sum, or its mean over the positions."""
        return total / position_count(activations, self.layer) if self.mean else total


class Local(OfLayer):
    """Base of those that are a sum over the layer's positions."""

    @property
    def local(self) -> bool:
        return True

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        """What each position adds to the sum, (h, w, ...), before ``scaled``."""
        raise NotImplementedError

    def scaled(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        """The value that the sum of the summands gives."""
        del activations
        return total

    def __call__(
        self, activations: Activations, weights: Float[Array, "h w"] | None = None
    ) -> Float[Array, ""]:
        each = self.summands(activations)
        if weights is not None:
            each = each * weights.reshape(*weights.shape, *(1,) * (each.ndim - 2))
        return self.scaled(jnp.sum(each), activations)


class LocalSum(Local, Summed):
    """Base of those that are a sum over the layer's positions, or its mean."""

    def scaled(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        return self.averaged(total, activations)


class _Energy(LocalSum):
    """Base of those that are half a sum of squares."""

    def scaled(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        return self.averaged(0.5 * total, activations)


@pytree
@dataclass(frozen=True)
class Layer(_Energy):
    """Half the sum of squares of a layer: its gradient at the layer is the activation itself."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.square(activations[self.layer])

    def __repr__(self) -> str:
        return function_text("layer", self.layer, mean=True) if self.mean else self.layer


@dataclass(frozen=True)
class _OfChannel(OfLayer):
    """Base of those that read one channel of a layer."""

    index: Integer[Array, "..."]

    def check(self, graph: "LayerTable") -> None:
        count = graph.channels[graph.resolve(self.layer)]
        check_index(self.index, count, self.layer, "channels")


@pytree
@dataclass(frozen=True)
class Channel(_OfChannel, Local):
    """The mean activation of one channel, over all positions."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return activations[self.layer][..., self.index]

    def scaled(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        return total / position_count(activations, self.layer)

    def __repr__(self) -> str:
        return f"channel({self.layer}, {number_text(self.index)})"


@pytree
@dataclass(frozen=True)
class ChannelEnergy(_OfChannel, _Energy):
    """Half the sum of squares of one channel."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.square(activations[self.layer][..., self.index])

    def __repr__(self) -> str:
        index = number_text(self.index)
        if self.mean:
            return function_text("channel_energy", self.layer, index, mean=True)
        return f"{self.layer}:{index}"


@pytree
@dataclass(frozen=True)
class Channels(_Energy):
    """Half the sum of squares of some channels of a layer: those that have the weight 1."""

    weights: Float[Array, "... c"]

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.square(activations[self.layer]) * self.weights

    def __repr__(self) -> str:
        return f"channels({self.layer})"


@pytree
@dataclass(frozen=True)
class Ranked(_Energy):
    """The energy of channels that are chosen by how much a picture excites them, on average.

    By itself it chooses them by the activations that it is given, of a whole picture.
    """

    kind: Rank = field(metadata=STATIC)
    count: int = field(metadata=STATIC)
    every_octave: bool = field(metadata=STATIC)  # or once, before the picture is dreamed

    @property
    def depends_on_picture(self) -> bool:
        return True

    @property
    def depends_on_octave(self) -> bool:
        return self.every_octave

    def chosen(self, means: ChannelMeans) -> Channels:
        weights = self._weights(means(None, self.layer, self.every_octave))
        return Channels(self.layer, weights, mean=self.mean)

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        def means(network: object, layer: str, dreamed: bool) -> Array:
            del network, dreamed
            found = jax.lax.stop_gradient(activations[layer])
            return found.reshape(-1, found.shape[-1]).mean(axis=0)

        return self.chosen(means).summands(activations)

    def check(self, graph: "LayerTable") -> None:
        there = graph.channels[graph.resolve(self.layer)]
        most = there - 1 if self.kind == "without" else there
        if self.count > most:
            raise JaxdreamError(
                f"{self} takes {self.count} channels, and {self.layer} has {there}: give at most "
                f"{most}"
            )

    def _weights(self, means: Float[Array, " c"]) -> Float[Array, " c"]:
        # A channel that is silent everywhere has no gradient: it is no use as one of the weakest.
        values = jnp.where(means > 0, -means, -jnp.inf) if self.kind == "weakest" else means
        _, best = jax.lax.top_k(values, self.count)
        weights = jnp.zeros(means.shape, jnp.float32).at[best].set(1.0)
        return 1 - weights if self.kind == "without" else weights

    def __repr__(self) -> str:
        options = {EVERY_OCTAVE: self.every_octave, MEAN: self.mean}
        return function_text(self.kind, self.layer, str(self.count), **options)


@pytree
@dataclass(frozen=True)
class Neuron(_OfChannel):
    """The activation of one channel at one place."""

    place: Place

    def check(self, graph: "LayerTable") -> None:
        super().check(graph)
        example = function_text("neuron", self.layer, number_text(self.index), "0")
        check_place(graph, self.layer, self.place, example=example)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return at_place(activations[self.layer], self.place)[self.index]

    def __repr__(self) -> str:
        index, place = number_text(self.index), place_text(self.place)
        return function_text("neuron", self.layer, index, *place)


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

    def check(self, graph: "LayerTable") -> None:
        try:
            count = graph.channels[graph.resolve("logits")]
        except JaxdreamError:
            raise JaxdreamError(
                "this network has no classifier, so it has no classes: use another one, such as "
                "googlenet"
            ) from None
        check_index(self.index, count, "the classifier", "classes")

    def __repr__(self) -> str:
        return f"logit({number_text(self.index)})"


@pytree
@dataclass(frozen=True)
class Custom(Objective):
    """A function of activations; the same function object is compiled once."""

    function: Callable[..., Array] = field(metadata=STATIC)
    names: tuple[str, ...] = field(metadata=STATIC)
    takes_mapping: bool = field(metadata=STATIC)  # or the array of its one layer

    @property
    def layers(self) -> tuple[str, ...]:
        return self.names

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        if not self.takes_mapping:
            value = self.function(activations[self.names[0]])
        else:
            value = self.function({name: activations[name] for name in self.names})
        if jnp.shape(value) != ():
            raise JaxdreamError(
                f"{self._name} must return one number, not an array of shape {jnp.shape(value)}"
            )
        return jnp.asarray(value)

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(self.names)})"


def check_features(features: Array, graph: "LayerTable", layer: str, kind: str) -> None:
    """Make sure that an array has a number for each of a layer's channels, on its last axis.

    Raises:
        JaxdreamError: there is no such layer, it has another number of channels, or a number is
            not finite.
    """
    count = graph.channels[graph.resolve(layer)]
    if features.shape[-1] != count:
        raise JaxdreamError(
            f"{layer} has {count} channels, but the {kind} has {features.shape[-1]} numbers for "
            f"each position: give {count}"
        )
    if not isinstance(features, Tracer) and not np.isfinite(features).all():
        raise JaxdreamError(f"the {kind} for {layer} has values that are not finite")
