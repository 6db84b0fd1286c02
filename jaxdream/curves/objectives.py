"""An objective that fades from one to another over the frames of a film."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.curves.curve import Curve
from jaxdream.curves.times import Moment
from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import size_of_longest
from jaxdream.images.resample import resize
from jaxdream.models.network import Network
from jaxdream.objectives.activations import activations_of
from jaxdream.objectives.base import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.morphs import check_alone
from jaxdream.objectives.text import parse_objective
from jaxdream.types import AnyArray

_LONGEST = 256  # pixels of a side: gradients are compared at this size


@dataclass(frozen=True)
class CrossFade:
    """The objectives of a curve, and how strong each is on its own."""

    curve: Curve
    terms: tuple[Objective, ...]  # of each of the curve's texts
    means: Float[np.ndarray, " n"]  # of each, its mean |gradient| on a picture

    def with_weights(self, weights: Sequence[float] | Float[AnyArray, " n"]) -> Objective:
        """The sum of the terms, each times its weight and divided by its mean |gradient|.

        The weights are leaves of the result: whatever they are, it has the same structure.
        """
        balanced = np.asarray(weights, np.float64) / self.means
        weighted = zip(self.terms, balanced.astype(np.float32), strict=True)
        return reduce(add, (weight * term for term, weight in weighted))

    def at(self, moment: Moment) -> Objective:
        """The objective at a moment.

        Raises:
            JaxdreamError: as ``Curve.weights_at``.
        """
        return self.with_weights(self.curve.weights_at(moment))


def cross_fade(
    curve: Curve,
    model: Network,
    picture: Float[AnyArray, "h w 3"],
    *,
    files: ObjectiveFiles | None = None,
) -> CrossFade:
    """The objectives of a curve, balanced on a picture.

    The energies of layers differ by orders of magnitude, so in a sum as it is, one objective would
    hide the other until almost the end of the way.

    Args:
        curve: of the objective.
        picture: RGB, 0..255; the same one where a film is resumed.
        files: as of ``parse_objective``.

    Raises:
        JaxdreamError: as ``parse_objective`` for a text of the curve, and as ``balance``.
    """
    try:
        terms = tuple(parse_objective(text, model, files=files) for text in curve.texts)
        for term in terms:
            check_alone(term)
        # A single one has nothing to be balanced with.
        means = balance(model, terms, picture) if len(terms) > 1 else np.ones(1, np.float32)
    except JaxdreamError as error:
        raise curve.error(str(error)) from None
    return CrossFade(curve, terms, means)


def balance(
    model: Network, objectives: Sequence[Objective], picture: Float[AnyArray, "h w 3"]
) -> Float[np.ndarray, " n"]:
    """The mean |gradient| of each objective on a picture (RGB, 0..255).

    The picture's longer side is made 256 pixels if it is longer, or as small as all layers allow.

    Raises:
        JaxdreamError: the gradient of one is 0 or not finite (names it), or as
            ``Objective.check``.
    """
    for objective in objectives:
        objective.check(model.graph)
    height, width, _ = picture.shape
    if max(height, width) > _LONGEST:
        height, width = size_of_longest(_LONGEST, height, width)
    size = height, width
    for each in objectives:
        size = each.nearest_size(model.graph, size)
    seen = jnp.asarray(resize(np.asarray(picture, np.float32), size))
    means = [_mean_gradient(model, _chosen(model, each, seen), seen) for each in objectives]
    found = np.array(means, np.float32)
    for objective, mean in zip(objectives, found, strict=True):
        with np.errstate(divide="ignore"):
            # Its reciprocal is what the objective is multiplied by.
            usable = np.isfinite(mean) and np.isfinite(1 / mean)
        if not usable:
            kind = "0" if np.isfinite(mean) else "not finite"
            raise JaxdreamError(
                f"the gradient of {objective!r} is {kind} on this picture, so that it cannot be "
                "balanced with the others: give another objective or picture"
            )
    return found


def _chosen(model: Network, objective: Objective, picture: Float[Array, "h w 3"]) -> Objective:
    """The objective with its channels chosen, where those depend on the picture."""
    if not objective.depends_on_picture:
        return objective

    def means(network: Network | None, layer: str, dreamed: bool) -> Float[Array, " c"]:
        del dreamed  # nothing is, yet
        found = activations_of(network or model, picture, (layer,))[layer]
        return found.reshape(-1, found.shape[-1]).mean(axis=0)

    return objective.chosen(means)


@jax.jit
def _mean_gradient(
    model: Network, objective: Objective, picture: Float[Array, "h w 3"]
) -> Float[Array, ""]:
    gradient = jax.grad(lambda image: objective.value(model, image))(picture)
    return jnp.mean(jnp.abs(gradient))
