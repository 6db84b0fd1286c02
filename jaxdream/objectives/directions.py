"""Objectives of directions: vectors in the space of a layer's channels.

A dot product alone grows as well by activations that are merely large. Times a power of the cosine
it favours those that point along the vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import Activations
from jaxdream.objectives.base import Objective, function_text
from jaxdream.objectives.places import (
    Index,
    Place,
    Share,
    as_place,
    at_place,
    check_place,
    place_text,
)
from jaxdream.objectives.terms import LocalSum, OfLayer, check_features
from jaxdream.types import EXACT, STATIC, AnyArray, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

_SHORTEST = 1e-4  # of the length of a vector, as in lucid: the gradient at 0 is finite
_LEAST_COSINE = 0.1  # as in lucid: what points away can still be turned
_MOST_POWER = 100.0


def direction(
    layer: str,
    vector: Float[AnyArray, " c"],
    *,
    power: float | int = 0,
    mean: bool = False,
) -> Objective:
    """The dot product of a layer's activations with a vector, (channels,), summed over positions.

    With a power p, each position's product is multiplied by max(0.1, cosine)**p, where the cosine
    is that of the angle between its activations and the vector.

    Args:
        power: from 0 to 100; by default the dot product alone. 1 to 4 make a picture of the vector
            rather than of whatever is strong.
        mean: the mean over positions, whose weight does not depend on the picture's size.

    Source: ``direction`` of ``lucid/optvis/objectives.py`` with its ``cossim_pow`` (a mean);
    ``dot_cossim`` of Horama's ``losses.py``.

    Raises:
        JaxdreamError: the power is out of range. ``check`` raises for a vector that is not finite
            or of another length.
    """
    return Direction(layer, jnp.asarray(vector, jnp.float32), as_power(power), mean=mean)


def direction_neuron(
    layer: str,
    vector: Float[AnyArray, " c"],
    *,
    position: tuple[Share, Share] | Sequence[Share] = (0.5, 0.5),
    token: Index | None = None,
    power: float | int = 0,
) -> Objective:
    """As ``direction``, at one place.

    Args:
        position: as of ``neuron``.
        token: as of ``neuron``.
        power: as of ``direction``.

    Source: ``direction_neuron`` of ``lucid/optvis/objectives.py`` and of ``lucent``, which takes
    the cosine alone.

    Raises:
        JaxdreamError: as ``direction``; or the position is outside 0..1.
    """
    vector = jnp.asarray(vector, jnp.float32)
    return DirectionNeuron(layer, vector, as_place(position, token), as_power(power))


def cosine(layer: str, vector: Float[AnyArray, " c"], *, mean: bool = False) -> Objective:
    """The cosine of the angle between a layer's activations and a vector, summed over positions.

    How strong the activations are does not matter.

    Args:
        mean: as of ``direction``.

    Source: ``direction_cossim`` of ``lucid/optvis/objectives.py`` (a mean).

    ``check`` raises JaxdreamError as that of ``direction``.
    """
    return Cosine(layer, jnp.asarray(vector, jnp.float32), mean=mean)


@pytree
@dataclass(frozen=True)
class Direction(LocalSum):
    """The dot product of every position's activations with one vector, times a cosine's power."""

    vector: Float[Array, "... c"]
    power: float = field(default=0.0, metadata=STATIC)

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return directed(activations[self.layer], self.vector, self.power)

    def check(self, graph: "LayerTable") -> None:
        check_features(self.vector, graph, self.layer, "direction")

    def __repr__(self) -> str:
        return function_text("direction", self.layer, power=self.power, mean=self.mean)


@pytree
@dataclass(frozen=True)
class DirectionNeuron(OfLayer):
    """The same at one place."""

    vector: Float[Array, "... c"]
    place: Place
    power: float = field(default=0.0, metadata=STATIC)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        there = at_place(activations[self.layer], self.place)
        return directed(there, self.vector, self.power)

    def check(self, graph: "LayerTable") -> None:
        check_features(self.vector, graph, self.layer, "direction")
        example = function_text("direction_neuron", '"FILE"', self.layer, "0")
        check_place(graph, self.layer, self.place, example=example)

    def __repr__(self) -> str:
        place = place_text(self.place)
        return function_text("direction_neuron", self.layer, *place, power=self.power)


@pytree
@dataclass(frozen=True)
class Cosine(LocalSum):
    """The cosine between every position's activations and one vector."""

    vector: Float[Array, "... c"]

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return _cosine(activations[self.layer], self.vector)

    def check(self, graph: "LayerTable") -> None:
        check_features(self.vector, graph, self.layer, "direction")

    def __repr__(self) -> str:
        return function_text("cosine", self.layer, mean=self.mean)


def directed(x: Float[Array, "*n c"], y: Float[Array, " c"], power: float) -> Float[Array, "*n"]:
    """The dot product of vectors with a vector, times ``max(0.1, cosine) ** power``."""
    product = _dot(x, y)
    if power == 0:
        return product
    return product * jnp.maximum(_cosine(x, y), _LEAST_COSINE) ** power


def _cosine(x: Float[Array, "*n c"], y: Float[Array, " c"]) -> Float[Array, "*n"]:
    """The cosine between vectors; 0, with a finite gradient, where one has no length."""
    return _dot(x, y) / (_length(x) * _length(y))


def _dot(x: Float[Array, "*n c"], y: Float[Array, " c"]) -> Float[Array, "*n"]:
    return jnp.matmul(x, y, precision=EXACT)


def _length(x: Float[Array, "*n c"]) -> Float[Array, "*n"]:
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=-1) + _SHORTEST**2)


def as_power(power: float | int) -> float:
    """A power of a cosine, checked.

    Raises:
        JaxdreamError: it is not a number from 0 to 100.
    """
    if isinstance(power, bool) or not isinstance(power, float | int):
        raise JaxdreamError(f"power is a number from 0 to {_MOST_POWER:g}, not {power!r}")
    if not 0 <= power <= _MOST_POWER:
        raise JaxdreamError(f"power is a number from 0 to {_MOST_POWER:g}, not {power}")
    return float(power)
