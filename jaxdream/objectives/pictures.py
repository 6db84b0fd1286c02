"""Objectives of another picture: a guide, a reference that is exaggerated, a style.

``jaxdream.objectives`` makes the first two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.images.resample import resize
from jaxdream.objectives.activations import Activations, activations_of
from jaxdream.objectives.base import Objective, function_text
from jaxdream.objectives.directions import as_power, directed
from jaxdream.objectives.terms import LocalSum, Summed, check_features
from jaxdream.types import EXACT, STATIC, AnyArray, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.network import Network

# Dot products of a guided step held at once: 16 million floats are 64 MB.
_GUIDE_DOT_PRODUCTS = 1 << 24


def guide(
    model: "Network", image: Float[AnyArray, "h w 3"], layer: str, *, mean: bool = False
) -> Objective:
    """Dream what a guide picture shows (RGB, 0..255, its own size), as ``layer`` sees it.

    Args:
        mean: divided by the number of positions, so that the weight does not depend on the
            dreamed picture's size.

    Source: Google's notebook (``objective_guide``).

    Raises:
        JaxdreamError: at once: an unknown layer, or a picture of another shape or too small.
    """
    features = activations_of(model, image, (layer,))[layer]
    return Guide(layer, features.reshape(-1, features.shape[-1]), mean=mean)


def caricature(
    model: "Network",
    image: Float[AnyArray, "h w 3"],
    layer: str,
    *,
    power: float | int = 0,
    mean: bool = False,
) -> Objective:
    """Exaggerate what ``layer`` sees of a reference (RGB, 0..255), position by position.

    The reference is usually the picture itself. Its activations are resampled to the size of the
    octave; under jitter they stay where they are. The value is the dot product of both maps; with a
    power p, times max(0.1, cosine)**p of the angle between them, each as one long vector.

    Args:
        power: from 0 to 100; with more of it the whole has to resemble the reference.
        mean: as of ``guide``.

    Source: the dot-product objective of C. Olah and others' "The Building Blocks of
    Interpretability", Distill 2018; ``dot_compare`` of ``lucid/recipes/caricature.py``; with the
    cosine of both maps, ``dot_cossim`` of Horama's ``losses.py``.

    Raises:
        JaxdreamError: at once, as ``guide``, or the power is out of range.
    """
    features = activations_of(model, image, (layer,))[layer]
    return Caricature(layer, features, as_power(power), mean=mean)


def style(
    model: "Network",
    image: Float[AnyArray, "h w 3"],
    layers: str | Sequence[str] | None = None,
) -> Objective:
    """Take on the style of a picture (RGB, 0..255, its own size): which features occur together.

    Of each layer there is the Gram matrix G = x.T @ x / positions, (channels, channels), where x
    are the activations, (positions, channels). The value is minus the mean over layers of
    ||G - S||² / ||S||², where S is that of the style picture: 0 where both are the same. So every
    layer counts as much, and the weight depends neither on the size nor on the network.

    Args:
        layers: a layer or several; early ones have colours and brush strokes, later ones larger
            shapes. By default the network's good layers (``model.graph.good_layers``).

    Source: L. Gatys, A. Ecker, M. Bethge, "A Neural Algorithm of Artistic Style", 2015, whose
    squared distance is divided by constants of each layer instead; the Gram matrix is
    ``gram_style`` of ``lucid/optvis/style.py``.

    Raises:
        JaxdreamError: at once, as ``guide``; or no layer is given.
    """
    if layers is None:
        layers = model.graph.good_layers or (model.default_layer,)
    names = (layers,) if isinstance(layers, str) else tuple(dict.fromkeys(layers))
    if not names:
        raise JaxdreamError("style takes at least one layer")
    found = activations_of(model, image, names)
    return Style(names, tuple(gram(found[name]) for name in names))


@pytree
@dataclass(frozen=True)
class Guide(LocalSum):
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
        check_features(self.features, graph, self.layer, "guide")

    def __repr__(self) -> str:
        return function_text("guide", self.layer, mean=self.mean)


@pytree
@dataclass(frozen=True)
class Caricature(Summed):
    """The dot product with a reference's activations, position by position."""

    features: Float[Array, "... c"]
    power: float = field(default=0.0, metadata=STATIC)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        activation, reference = activations[self.layer], self.features
        if activation.ndim == 3:
            reference = jnp.asarray(resize(reference, (activation.shape[0], activation.shape[1])))
        elif activation.shape != reference.shape:
            raise JaxdreamError(
                f"{self.layer} is {activation.shape} on this picture and {reference.shape} on the "
                "reference: give a reference of the same size"
            )
        if self.power == 0:
            total = jnp.sum(activation * reference)
        else:
            total = directed(activation.reshape(-1), reference.reshape(-1), self.power)
        return self.averaged(total, activations)

    def check(self, graph: "LayerTable") -> None:
        check_features(self.features, graph, self.layer, "reference")

    def __repr__(self) -> str:
        return function_text("caricature", self.layer, power=self.power, mean=self.mean)


@pytree
@dataclass(frozen=True)
class Style(Objective):
    """How near the Gram matrices of some layers are to a picture's."""

    names: tuple[str, ...] = field(metadata=STATIC)
    grams: tuple[Float[Array, "... _c _c"], ...]  # of the style picture, for each layer

    @property
    def layers(self) -> tuple[str, ...]:
        return self.names

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        far = [
            jnp.sum(jnp.square(gram(activations[name]) - wanted)) / _square(wanted)
            for name, wanted in zip(self.names, self.grams, strict=True)
        ]
        return -jnp.mean(jnp.stack(far))

    def check(self, graph: "LayerTable") -> None:
        for name, wanted in zip(self.names, self.grams, strict=True):
            check_features(wanted, graph, name, "style")

    def __repr__(self) -> str:
        return function_text("style", *self.names)


def gram(activation: Float[Array, "*positions c"]) -> Float[Array, "c c"]:
    """How strongly each two channels occur together, on average over the positions."""
    x = activation.reshape(-1, activation.shape[-1])
    return jnp.matmul(x.T, x, precision=EXACT) / x.shape[0]


def _square(wanted: Float[Array, "c c"]) -> Float[Array, ""]:
    """The sum of squares of a style's matrix; 1 where the layer sees nothing of it."""
    total = jnp.sum(jnp.square(wanted))
    return jnp.where(total > 0, total, 1.0)


def _best_matches(x: Float[Array, "n c"], y: Float[Array, "m c"]) -> Float[Array, "n c"]:
    """For each row of ``x`` the row of ``y`` with the largest dot product, in bounded memory."""
    rows = max(1, _GUIDE_DOT_PRODUCTS // y.shape[0])
    if x.shape[0] <= rows:
        return y[jnp.argmax(jnp.matmul(x, y.T, precision=EXACT), axis=1)]

    def best_match(row: Array) -> Array:
        return jnp.argmax(jnp.matmul(y, row, precision=EXACT))

    best = jax.lax.map(best_match, x, batch_size=rows)
    return y[best]
