"""The objectives that are not made of others, as classes; ``jaxdream.objectives`` makes them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.images.resample import resize
from jaxdream.objectives.activations import Activations, position_count
from jaxdream.objectives.base import (
    ChannelMeans,
    Objective,
    check_index,
    number_text,
)
from jaxdream.types import EXACT, STATIC, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

Rank = Literal["strongest", "weakest", "without"]
EVERY_OCTAVE = "every_octave"  # in the text of an objective

# Dot products of a guided step held at once: 16 million floats are 64 MB.
_GUIDE_DOT_PRODUCTS = 1 << 24


@dataclass(frozen=True)
class _OfLayer(Objective):
    """Base of the objectives that read one layer."""

    layer: str = field(metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)


class Local(_OfLayer):
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


class _Energy(Local):
    """Base of those that are half a sum of squares."""

    def scaled(self, total: Float[Array, ""], activations: Activations) -> Float[Array, ""]:
        del activations
        return 0.5 * total


@pytree
@dataclass(frozen=True)
class Layer(_Energy):
    """Half the sum of squares of a layer: its gradient at the layer is the activation itself."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.square(activations[self.layer])

    def __repr__(self) -> str:
        return self.layer


@dataclass(frozen=True)
class _OfChannel(_OfLayer):
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
        return f"{self.layer}:{number_text(self.index)}"


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
        return Channels(self.layer, self._weights(means(self.layer, self.every_octave)))

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        def means(layer: str, dreamed: bool) -> Array:
            del dreamed
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
        often = f", {EVERY_OCTAVE}" if self.every_octave else ""
        return f"{self.kind}({self.layer}, {self.count}{often})"


@pytree
@dataclass(frozen=True)
class Neuron(_OfChannel):
    """The activation of one channel at one position."""

    position: Float[Array, "... 2"]  # (x, y), as shares of the layer's width and height

    def check(self, graph: "LayerTable") -> None:
        super().check(graph)
        if graph.token_count(self.layer) is not None:
            index = number_text(self.index)
            raise JaxdreamError(
                f"{self.layer} is a sequence of tokens, without width and height: give the number "
                f"of one, as in neuron({self.layer}, {index}, 0)"
            )

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        activation = _map_of(activations, self.layer, "a neuron's position")
        size = jnp.array([activation.shape[1], activation.shape[0]])
        x, y = jnp.clip(jnp.floor(self.position * size).astype(jnp.int32), 0, size - 1)
        return activation[y, x, self.index]

    def __repr__(self) -> str:
        x, y = (number_text(self.position[..., i]) for i in (0, 1))
        return f"neuron({self.layer}, {number_text(self.index)}, {x}, {y})"


@pytree
@dataclass(frozen=True)
class Token(_OfChannel):
    """The activation of one channel of one token of a sequence."""

    token: Integer[Array, "..."]

    def check(self, graph: "LayerTable") -> None:
        super().check(graph)
        count = graph.token_count(self.layer)
        if count is None:
            raise JaxdreamError(f"{self.layer} is no sequence of tokens: give a position as (x, y)")
        if graph.fixed_size is not None:  # in others the number of tokens is the picture's
            check_index(self.token, count, self.layer, "tokens")

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        # Beyond the end there is nothing, and not the last token.
        return activations[self.layer].at[self.token, self.index].get(mode="fill", fill_value=0)

    def __repr__(self) -> str:
        return f"neuron({self.layer}, {number_text(self.index)}, {number_text(self.token)})"


@pytree
@dataclass(frozen=True)
class Direction(Local):
    """The dot product of every position's activations with one vector, summed up."""

    vector: Float[Array, "... c"]

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.matmul(activations[self.layer], self.vector, precision=EXACT)

    def check(self, graph: "LayerTable") -> None:
        _check_features(self.vector, graph, self.layer, "direction")

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
class Guide(Local):
    """Each position of a layer grows towards the guide's position it resembles most.

    ``features`` are the guide's activations at the layer, (positions, c). The match is by dot
    product, the first of the largest, and is held fixed: no gradient flows through the choice.
    """

    features: Float[Array, "... m c"]

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        x = activations[self.layer].reshape(-1, self.features.shape[-1])
        each = x * _best_matches(jax.lax.stop_gradient(x), self.features)
        return each.reshape(activations[self.layer].shape)

    def check(self, graph: "LayerTable") -> None:
        _check_features(self.features, graph, self.layer, "guide")

    def __repr__(self) -> str:
        return f"guide({self.layer})"


@pytree
@dataclass(frozen=True)
class Caricature(_OfLayer):
    """The dot product with a reference's activations, position by position."""

    features: Float[Array, "... c"]

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        activation, features = activations[self.layer], self.features
        if activation.ndim == 3:
            features = resize(features, (activation.shape[0], activation.shape[1]))
        elif activation.shape != features.shape:
            raise JaxdreamError(
                f"{self.layer} is {activation.shape} on this picture and {features.shape} on the "
                "reference: give a reference of the same size"
            )
        return jnp.sum(activation * features)

    def check(self, graph: "LayerTable") -> None:
        _check_features(self.features, graph, self.layer, "reference")

    def __repr__(self) -> str:
        return f"caricature({self.layer})"


@pytree
@dataclass(frozen=True)
class L1(Local):
    """The sum of absolute values: subtracted, it makes a layer sparse."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.abs(activations[self.layer])

    def __repr__(self) -> str:
        return f"l1({self.layer})"


@pytree
@dataclass(frozen=True)
class TotalVariation(_OfLayer):
    """The sum of absolute differences between neighbours: subtracted, it makes a layer smooth."""

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = _map_of(activations, self.layer, "total variation")
        down, right = jnp.diff(x, axis=0), jnp.diff(x, axis=1)
        return jnp.sum(jnp.abs(down)) + jnp.sum(jnp.abs(right))

    def __repr__(self) -> str:
        return f"total_variation({self.layer})"


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


def _map_of(activations: Activations, layer: str, what: str) -> Float[Array, "h w c"]:
    activation = activations[layer]
    if activation.ndim != 3:
        raise JaxdreamError(
            f"{layer} has no width and height, which {what} needs: take a layer that is a map"
        )
    return activation


def _check_features(features: Array, graph: "LayerTable", layer: str, kind: str) -> None:
    count = graph.channels[graph.resolve(layer)]
    if features.shape[-1] != count:
        raise JaxdreamError(
            f"{layer} has {count} channels, but the {kind} has {features.shape[-1]} numbers for "
            f"each position: give {count}"
        )
    if not isinstance(features, Tracer) and not np.isfinite(features).all():
        raise JaxdreamError(f"the {kind} for {layer} has values that are not finite")


def _best_matches(x: Float[Array, "n c"], y: Float[Array, "m c"]) -> Float[Array, "n c"]:
    """For each row of ``x`` the row of ``y`` with the largest dot product, in bounded memory."""
    rows = max(1, _GUIDE_DOT_PRODUCTS // y.shape[0])
    if x.shape[0] <= rows:
        return y[jnp.argmax(jnp.matmul(x, y.T, precision=EXACT), axis=1)]

    def best_match(row: Array) -> Array:
        return jnp.argmax(jnp.matmul(y, row, precision=EXACT))

    best = jax.lax.map(best_match, x, batch_size=rows)
    return y[best]
