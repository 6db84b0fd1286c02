"""Objectives of pictures that change into one another: all that one ``visualize`` makes.

Each picture finds the others along the axis that is mapped over them. They begin from the same
noise and are transformed alike, so that what they have in common stays in its place.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import Activations
from jaxdream.objectives.base import ChannelMeans, Combined, Objective, function_text
from jaxdream.objectives.terms import OfLayer
from jaxdream.types import pytree

_FARTHEST = 4  # pictures from one to another that it is compared with, as in lucid
_DECAY = 2.0  # times less counts a picture that is one farther, as in lucid


def interpolate(first: Objective, second: Objective) -> Objective:
    """From one objective to another, over the pictures of one ``visualize``.

    Picture i of n maximises (1 - w) * first + w * second, where w = i / (n - 1)::

        visualize(0, model, [interpolate(channel("4c", 3), channel("4c", 7))] * 6)

    Source: ``channel_interpolate`` of ``lucid/optvis/objectives.py`` and of ``lucent``, for any
    objectives. For an objective that changes over a film, use a curve.
    """
    return Interpolation(first, second)


def alignment(layer: str) -> Objective:
    """How alike the pictures of one ``visualize`` are at each position of a layer; 0 is the most.

    Minus the sum, over pictures i and j = i + d with d from 1 to 4, of the mean of
    (x_i - x_j)² / 2**d, where x are the activations, (h, w, c); each pair counts with its first
    picture. Add it to an interpolation, so that what is alike is drawn in the same place.

    Source: ``alignment`` of ``lucid/optvis/objectives.py``, with its decay of 2.
    """
    return Alignment(layer)


@pytree
@dataclass(frozen=True)
class Interpolation(Combined):
    """The first objective in the first picture, the second in the last, and both between."""

    first: Objective
    second: Objective

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.first, self.second)

    @property
    def needs_batch(self) -> bool:
        return True

    def chosen(self, means: ChannelMeans) -> Objective:
        return Interpolation(self.first.chosen(means), self.second.chosen(means))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        axis = _axis(activations, self)
        share = jax.lax.axis_index(axis) / max(jax.lax.axis_size(axis) - 1, 1)
        return (1 - share) * self.first(activations) + share * self.second(activations)

    def __repr__(self) -> str:
        return function_text("interpolate", repr(self.first), repr(self.second))


@pytree
@dataclass(frozen=True)
class Alignment(OfLayer):
    """Minus the squared distance to the next pictures, which counts less the farther they are."""

    @property
    def needs_batch(self) -> bool:
        return True

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        axis = _axis(activations, self)
        x = activations[self.layer]
        pictures = jax.lax.all_gather(x, axis)
        index, count = jax.lax.axis_index(axis), len(pictures)
        total = jnp.zeros(())
        for distance in range(1, min(_FARTHEST, count - 1) + 1):
            other = pictures[jnp.minimum(index + distance, count - 1)]
            apart = jnp.mean(jnp.square(x - other)) / _DECAY**distance
            total += jnp.where(index + distance < count, apart, 0.0)
        return -total

    def __repr__(self) -> str:
        return function_text("alignment", self.layer)


def check_alone(objective: Objective) -> None:
    """Make sure that an objective can be that of a single picture.

    Raises:
        JaxdreamError: it is of several pictures that are made together.
    """
    if objective.needs_batch:
        raise _needs_batch(objective)


def _axis(activations: Activations, what: Objective) -> str:
    """The axis along which the other pictures are."""
    axis = getattr(activations, "axis", None)
    if axis is None:
        raise _needs_batch(what)
    return axis


def _needs_batch(what: Objective) -> JaxdreamError:
    return JaxdreamError(
        f"{what} is of several pictures that are made together: use it with `jaxdream visualize "
        "--count N`; for a film there are curves of the objective"
    )
