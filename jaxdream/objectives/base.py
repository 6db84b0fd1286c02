"""The contract of objectives, and their arithmetic.

``objective(activations)`` takes a mapping from layer name to the activations of *one* picture,
(h, w, c), or (classes,) for logits, and returns a scalar to be maximised; ``objective.layers``
names the layers it reads. Objectives add, subtract, multiply and negate::

    layer("inception_4c/output") + 0.5 * layer("inception_3b/output")

A *local* objective is a sum over positions of what is zero where the activations are, so that it
can be computed with zeros around the picture, or part by part; any other one is computed
on the whole picture in arrays of its very size, a compiled program for each.

They are pytrees: the weights, indices and features in them are arrays that ``jax.grad`` can reach
and that change without a new compilation; the layer names are static. Batches are for ``vmap``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

if TYPE_CHECKING:
    from jaxdream.models.graph import Graph
    from jaxdream.models.network import Network
    from jaxdream.models.regions import Region

Activations = Mapping[str, Array]
Scalar = int | float | Float[AnyArray, "..."]

STATIC = {"static": True}  # marks a field as part of the program, not of the data
_Class = TypeVar("_Class", bound=type)


def pytree(cls: _Class) -> _Class:
    """Makes a dataclass a pytree: its fields are the children, but for those marked ``STATIC``.

    Unlike JAX's own registration this one does not call the constructor with what JAX puts in the
    place of arrays.
    """
    static = {field.name: bool(field.metadata.get("static")) for field in fields(cls)}
    children = tuple(name for name in static if not static[name])
    others = tuple(name for name in static if static[name])

    def flatten(node):
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(node, name)) for name in children]
        return keyed, tuple(getattr(node, name) for name in others)

    def unflatten(values, leaves):
        node = object.__new__(cls)
        node.__dict__.update(zip(others, values, strict=True))
        node.__dict__.update(zip(children, leaves, strict=True))
        return node

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls


class Objective:
    """Base of all objectives: the arithmetic."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it reads, each once."""
        raise NotImplementedError

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        raise NotImplementedError

    def value(
        self,
        model: "Network",
        image: Float[AnyArray, "h w 3"],
        *,
        region: "Region | None" = None,
    ) -> Float[Array, ""]:
        """The objective's value on a picture (RGB, 0..255).

        Args:
            region: which part of a padded or tiled picture ``image`` holds, and which part of
                that counts; the objective must then be local. By default ``image`` is the whole
                picture.

        Raises:
            JaxdreamError: an unknown layer.
        """
        activations = model(model.preprocess(image)[None], layers=self.layers, region=region)
        return self({name: activation[0] for name, activation in activations.items()})

    @property
    def local(self) -> bool:
        """Whether it is a sum over positions, each of them zero where the activations are."""
        return False

    def check(self, graph: "Graph") -> None:
        """Make sure that this network has what the objective reads.

        Raises:
            JaxdreamError: no such layer (names the nearest), or no such channel in it.
        """
        for name in self.layers:
            graph.resolve(name)

    def __add__(self, other: "Objective | int") -> "Objective":
        if isinstance(other, int) and other == 0:  # where sum() begins
            return self
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    __radd__ = __add__

    def __mul__(self, other: "Objective | Scalar") -> "Objective":
        if isinstance(other, Objective):
            return Product(self, other)
        if isinstance(other, str):
            return NotImplemented
        weight = jnp.asarray(other, jnp.float32)
        if isinstance(self, Scaled):
            return Scaled(self.weight * weight, self.objective)
        return Scaled(weight, self)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Scalar) -> "Objective":
        if isinstance(divisor, Objective | str):
            return NotImplemented
        return self * (1 / divisor)

    def __neg__(self) -> "Objective":
        return -1.0 * self

    def __sub__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return self + -other


@pytree
@dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a weight."""

    weight: Float[Array, "..."]
    objective: Objective

    @property
    def layers(self) -> tuple[str, ...]:
        return self.objective.layers

    @property
    def local(self) -> bool:
        return self.objective.local

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.weight * self.objective(activations)

    def check(self, graph: "Graph") -> None:
        self.objective.check(graph)

    def __repr__(self) -> str:
        weight = shown(self.weight)
        sign = "-" if weight == "-1" else f"{weight}*"
        return f"{sign}{_factor(self.objective)}"


@pytree
@dataclass(frozen=True)
class Product(Objective):
    """Two objectives multiplied: it grows fastest where both do."""

    first: Objective
    second: Objective

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.first.layers, *self.second.layers)))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.first(activations) * self.second(activations)

    def check(self, graph: "Graph") -> None:
        self.first.check(graph)
        self.second.check(graph)

    def __repr__(self) -> str:
        return f"{_factor(self.first)}*{_factor(self.second, last=True)}"


@pytree
@dataclass(frozen=True)
class Sum(Objective):
    """Several objectives added up."""

    terms: tuple[Objective, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in self.terms for name in term.layers))

    @property
    def local(self) -> bool:
        return all(term.local for term in self.terms)

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return jnp.sum(jnp.stack([term(activations) for term in self.terms]))

    def check(self, graph: "Graph") -> None:
        for term in self.terms:
            term.check(graph)

    def __repr__(self) -> str:
        text = repr(self.terms[0])
        for term in map(repr, self.terms[1:]):
            text += f" - {term.removeprefix('-')}" if term.startswith("-") else f" + {term}"
        return text


def shown(value: Array | np.ndarray | float) -> str:
    """A number of an objective as text; under a transformation it has no value to show."""
    if isinstance(value, Tracer) or np.ndim(value) > 0:
        return "?"
    return str(np.float32(value)).removesuffix(".0")


def check_index(index: int | Array, count: int, layer: str, what: str) -> None:
    """Make sure that indices into a layer exist, where their values are known.

    Raises:
        JaxdreamError: one is out of range.
    """
    if isinstance(index, Tracer):
        return
    values = np.atleast_1d(np.asarray(index))
    wrong = values[(values < 0) | (values >= count)]
    if len(wrong):
        raise JaxdreamError(f"{layer} has {what} 0 to {count - 1}, not {wrong[0]}")


def _terms(objective: Objective) -> tuple[Objective, ...]:
    return objective.terms if isinstance(objective, Sum) else (objective,)


def _factor(objective: Objective, *, last: bool = False) -> str:
    """Text of a factor, in parentheses where the reading would otherwise be another."""
    compound = (Sum, Scaled, Product) if last else (Sum,)
    return f"({objective})" if isinstance(objective, compound) else f"{objective}"
