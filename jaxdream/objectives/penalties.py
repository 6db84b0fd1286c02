"""Penalties: objectives to be subtracted. ``jaxdream.objectives`` makes those of a layer."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import Activations, picture_of
from jaxdream.objectives.base import Objective, function_text
from jaxdream.objectives.places import check_map
from jaxdream.objectives.terms import LocalSum, Summed
from jaxdream.types import STATIC, Size, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

BOUNDARY_WIDTH = 20  # pixels, as in lucid
_MOST_WIDTH = 10**6
_GREY_WEIGHT = 0.8  # of the distance to grey, beside that to the blurred picture, as in lucid


def boundary(width: int = BOUNDARY_WIDTH, *, mean: bool = False) -> Objective:
    """How much there is at the picture's boundary; subtract it for a picture that fades to grey.

    For the pixels x less than ``width`` from an edge, with levels from 0 to 1, the sum of
    (blur(x) - x)² + 0.8 (x - 0.5)², where the blur is over 5x5 pixels. It is of the picture itself,
    before jitter and transforms.

    Args:
        width: pixels.
        mean: the mean over these pixels, whose weight does not depend on the picture's size.

    Source: ``penalize_boundary_complexity`` of ``lucid/optvis/objectives.py`` (which is its
    negative).

    Raises:
        JaxdreamError: the width is not a whole number of at least 1.
    """
    if isinstance(width, bool) or not isinstance(width, int | np.integer):
        raise JaxdreamError(f"the boundary's width is a whole number of pixels, not {width!r}")
    if not 1 <= width <= _MOST_WIDTH:
        raise JaxdreamError(
            f"the boundary's width is from 1 to {_MOST_WIDTH:,} pixels, not {width}"
        )
    return Boundary(int(width), mean=mean)


@pytree
@dataclass(frozen=True)
class L1(LocalSum):
    """The sum of absolute values: subtracted, it makes a layer sparse."""

    def summands(self, activations: Activations) -> Float[Array, "..."]:
        return jnp.abs(activations[self.layer])

    def __repr__(self) -> str:
        return function_text("l1", self.layer, mean=self.mean)


@pytree
@dataclass(frozen=True)
class TotalVariation(Summed):
    """The sum of absolute differences between neighbours: subtracted, it makes a layer smooth."""

    def check(self, graph: "LayerTable") -> None:
        check_map(graph, self.layer, "total variation")

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = activations[self.layer]
        down, right = jnp.diff(x, axis=0), jnp.diff(x, axis=1)
        return self.averaged(jnp.sum(jnp.abs(down)) + jnp.sum(jnp.abs(right)), activations)

    def __repr__(self) -> str:
        return function_text("total_variation", self.layer, mean=self.mean)


@pytree
@dataclass(frozen=True)
class Boundary(Objective):
    """How far the picture's boundary is from smooth and from grey."""

    width: int = field(metadata=STATIC)
    mean: bool = field(default=False, kw_only=True, metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return ()

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = jnp.asarray(picture_of(activations, self)) / 255
        far = jnp.square(_blurred(x) - x) + _GREY_WEIGHT * jnp.square(x - 0.5)
        edge = _boundary_mask((x.shape[0], x.shape[1]), self.width)
        total = jnp.sum(jnp.where(edge[..., None], far, 0))
        return total / edge.sum() if self.mean else total

    def __repr__(self) -> str:
        return function_text("boundary", str(self.width), mean=self.mean)


def _boundary_mask(size: Size, width: int) -> Bool[np.ndarray, "h w"]:
    """The pixels that are less than ``width`` pixels from an edge."""
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) < width for n in size)
    return rows[:, None] | columns


def _blurred(x: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """The average over 5x5 pixels, of which the outer ones count half; no pixels beyond an edge."""

    def weighted(x: Array) -> Array:
        small, large = (
            jax.lax.reduce_window(x, 0.0, jax.lax.add, (side, side, 1), (1, 1, 1), "SAME")
            for side in (3, 5)
        )
        return (small + large) / 2

    return weighted(x) / weighted(jnp.ones_like(x[..., :1]))
