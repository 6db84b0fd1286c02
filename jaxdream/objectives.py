"""What a dream makes grow: an objective maps a picture's activations to one number.

The contract: ``objective(activations)`` takes a mapping from layer name to the activations of
*one* picture, (h, w, c), or (classes,) for logits, and returns a scalar to be maximised;
``objective.layers`` names the layers it reads. Objectives add, scale and negate::

    layer("inception_4c/output") + 0.5 * layer("inception_3b/output")

They are pytrees: the weights and features in them are arrays that ``jax.grad`` can reach and that
change without a new compilation; the layer names are static. Batches are for ``vmap``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.arrays import AnyArray

if TYPE_CHECKING:
    from jaxdream.models.network import Network

Activations = Mapping[str, Array]
Scalar = int | float | Float[AnyArray, ""]

# Dot products of a guided step held at once: 16 million floats are 64 MB.
_GUIDE_DOT_PRODUCTS = 1 << 24


class Objective:
    """Base of all objectives: the arithmetic."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it reads, each once."""
        raise NotImplementedError

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        raise NotImplementedError

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    def __mul__(self, weight: Scalar) -> "Objective":
        if isinstance(weight, Objective):
            return NotImplemented
        return Scaled(jnp.asarray(weight, jnp.float32), self)

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return -1.0 * self

    def __sub__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return self + -other


_pytree = jax.tree_util.register_dataclass
_STATIC = {"static": True}


@_pytree
@dataclass(frozen=True)
class Layer(Objective):
    """Half the sum of squares of a layer: its gradient at the layer is the activation itself."""

    layer: str = field(metadata=_STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return 0.5 * jnp.sum(jnp.square(activations[self.layer]))

    def __repr__(self) -> str:
        return self.layer


@_pytree
@dataclass(frozen=True)
class Guide(Objective):
    """Each position of a layer grows towards the guide's position it resembles most.

    ``features`` are the guide's activations at the layer, (positions, c). The match is by dot
    product, first maximum, and is held fixed: no gradient flows through the choice.
    """

    layer: str = field(metadata=_STATIC)
    features: Float[Array, "m c"]

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        x = activations[self.layer].reshape(-1, self.features.shape[-1])
        return jnp.sum(x * _best_matches(jax.lax.stop_gradient(x), self.features))

    def __repr__(self) -> str:
        return f"guide({self.layer})"


@_pytree
@dataclass(frozen=True)
class Custom(Objective):
    """A function of the activations; the same function object does not compile anew."""

    function: Callable[[Activations], Array] = field(metadata=_STATIC)
    names: tuple[str, ...] = field(metadata=_STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.names

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.function(activations)

    def __repr__(self) -> str:
        return f"{self.function.__name__}({', '.join(self.names)})"


@_pytree
@dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a weight."""

    weight: Float[Array, ""]
    objective: Objective

    @property
    def layers(self) -> tuple[str, ...]:
        return self.objective.layers

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.weight * self.objective(activations)

    def __repr__(self) -> str:
        inner = f"({self.objective})" if isinstance(self.objective, Sum) else f"{self.objective}"
        # Under a transformation the weight has no value to show.
        weight = "?" if isinstance(self.weight, Tracer) else f"{float(self.weight):g}"
        return f"{weight}*{inner}"


@_pytree
@dataclass(frozen=True)
class Sum(Objective):
    """Several objectives added up."""

    terms: tuple[Objective, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in self.terms for name in term.layers))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return jnp.sum(jnp.stack([term(activations) for term in self.terms]))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))


def layer(name: str) -> Objective:
    """The objective of 2015: half the sum of squares of a layer's activations.

    Source: Google's notebook ``deepdream/dream.ipynb`` (``objective_L2``).
    """
    return Layer(name)


def guide(model: "Network", image: Float[AnyArray, "h w 3"], name: str) -> Objective:
    """Dream what a guide picture shows (RGB, 0..255, its own size), as layer ``name`` sees it.

    Source: Google's notebook (``objective_guide``).

    Raises:
        JaxdreamError: an unknown layer.
    """
    features = model(model.preprocess(image)[None], layers=(name,))[name]
    return Guide(layer=name, features=features.reshape(-1, features.shape[-1]))


def custom(
    function: Callable[[Activations], Float[Array, ""]], layers: tuple[str, ...]
) -> Objective:
    """An objective from a function of the activations of these layers."""
    return Custom(function, tuple(layers))


def _terms(objective: Objective) -> tuple[Objective, ...]:
    return objective.terms if isinstance(objective, Sum) else (objective,)


def _best_matches(x: Float[Array, "n c"], y: Float[Array, "m c"]) -> Float[Array, "n c"]:
    """For each row of ``x`` the row of ``y`` with the largest dot product, in bounded memory."""
    rows = max(1, _GUIDE_DOT_PRODUCTS // y.shape[0])
    if x.shape[0] <= rows:
        return y[jnp.argmax(x @ y.T, axis=1)]
    best = jax.lax.map(lambda row: jnp.argmax(y @ row), x, batch_size=rows)
    return y[best]
