"""Objectives of a part of the picture: ``mask("sky.png")*inception_4c/output``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import Activations, average_mask
from jaxdream.objectives.base import (
    ChannelMeans,
    Combined,
    Objective,
    Scalar,
    Scaled,
    Sum,
)
from jaxdream.objectives.terms import Local
from jaxdream.types import AnyArray, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable


_ONE = 1.0


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask of the picture, which an objective is multiplied by; by itself it is none."""

    __array_ufunc__ = None  # NumPy's numbers leave the arithmetic to this class

    shares: Float[AnyArray, "h w"]  # 0..1, or times a weight
    weight: Scalar = _ONE

    @overload
    def __mul__(self, other: Objective) -> Objective: ...

    @overload
    def __mul__(self, other: "Mask | Scalar") -> "Mask": ...

    def __mul__(self, other: "Objective | Mask | Scalar") -> "Objective | Mask":
        if isinstance(other, Mask):
            raise JaxdreamError("a mask cannot be multiplied by a mask: make one picture of both")
        if not isinstance(other, Objective):
            return Mask(self.shares, self.weight * other)
        masked = _masked(jnp.asarray(self.shares, jnp.float32), other)
        return masked if self.weight is _ONE else self.weight * masked

    __rmul__ = __mul__

    def __neg__(self) -> "Mask":
        return Mask(self.shares, -self.weight)


@pytree
@dataclass(frozen=True)
class Masked(Combined):
    """A sum over the positions of a layer, of which each counts as much as the mask says there.

    The mask is of the picture, whatever its size, and averaged over the area of each position.
    """

    mask: Float[Array, "... h w"]
    objective: Local

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    @property
    def local(self) -> bool:
        return True

    def chosen(self, means: ChannelMeans) -> Objective:
        return Masked(self.mask, self.objective.chosen(means))  # pyright: ignore[reportArgumentType]

    def check(self, graph: "LayerTable") -> None:
        super().check(graph)
        if not graph.has_place(self.objective.layer):
            raise JaxdreamError(
                f"{self.objective.layer} has no positions that a mask could choose from: mask an "
                "earlier layer"
            )

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        weights = average_mask(activations, self.objective.layer, self.mask)
        return self.objective(activations, weights)

    def __repr__(self) -> str:
        return f"mask()*{self.objective}"


def _masked(shares: Float[Array, "h w"], objective: Objective) -> Objective:
    if isinstance(objective, Sum):
        return Sum(tuple(_masked(shares, term) for term in objective.terms))
    if isinstance(objective, Scaled):
        return Scaled(objective.weight, _masked(shares, objective.objective))
    if not isinstance(objective, Local):
        raise JaxdreamError(
            f"{objective} is not a sum over positions, so a mask cannot choose some: mask a layer, "
            "a channel, a direction or a guide"
        )
    return Masked(shares, objective)
