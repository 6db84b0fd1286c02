"""The contract of objectives, and their arithmetic.

``objective(activations)`` takes a mapping from layer name to the activations of *one* picture,
(h, w, c), (tokens, c) of tokens, or (classes,) of logits, and returns a scalar to be maximised;
``objective.layers`` names the layers it reads. Objectives add, subtract, multiply and negate::

    layer("inception_4c/output") + 0.5 * layer("inception_3b/output")

A *local* objective is a sum over spatial positions of a function that is 0 at zero activation, so
that padding with zeros and summing over tiles are exact. It may be divided by ``position_count``.
Any other objective is computed on the whole picture, in arrays of exactly its size, by a program
compiled for that size.

Objectives are pytrees: the weights, indices and features in them are arrays, of which ``jax.grad``
gives gradients and which change without a new compilation; layer names are static. Batches are
for ``vmap``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, Num

from jaxdream.errors import JaxdreamError
from jaxdream.models.regions import full_region
from jaxdream.objectives.activations import Activations, RegionActivations
from jaxdream.types import AnyArray, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.network import Network
    from jaxdream.models.regions import Region

Axes = tuple[int | None, ...]  # of the leaves of an objective: 0 where each picture has its own
ChannelMeans = Callable[[str, bool], Float[Array, " c"]]
Scalar = int | float | np.integer | np.floating | Num[AnyArray, "..."]
_NUMBERS = (int, float, np.integer, np.floating, np.ndarray, jax.Array)


class Objective:
    """Base of all objectives: the arithmetic."""

    __array_ufunc__ = None  # NumPy's numbers leave the arithmetic to this class

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it reads, each once."""
        raise NotImplementedError

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        """The value for the activations of one picture, by layer: (h, w, c), or (classes,)."""
        raise NotImplementedError

    @property
    def local(self) -> bool:
        """Whether padding with zeros and summing over tiles are exact (see the module)."""
        return False

    @property
    def depends_on_picture(self) -> bool:
        """Whether a picture has to be seen before it is known what is maximised (``chosen``)."""
        return False

    @property
    def depends_on_octave(self) -> bool:
        """Whether it is chosen again before every octave."""
        return False

    def chosen(self, means: ChannelMeans) -> "Objective":
        """The objective for one picture.

        Args:
            means: gives the mean activations of a layer's channels, (channels,), on the dream so
                far if its second argument is true, else on the picture before it is dreamed.
        """
        del means
        return self

    def check(self, graph: "LayerTable") -> None:
        """Make sure that this network has what the objective reads.

        Raises:
            JaxdreamError: there is no such layer (names the nearest), or no such channel in it.
        """
        for name in self.layers:
            graph.resolve(name)

    def value(
        self,
        model: "Network",
        image: Float[AnyArray, "h w 3"],
        *,
        region: "Region | None" = None,
        offset: Integer[AnyArray, "2"] | None = None,
    ) -> Float[Array, ""]:
        """The value on a picture (RGB, 0..255, (h, w, 3)).

        Args:
            region: which part of a padded or tiled picture ``image`` holds, and which part of
                that counts; the objective must then be local. By default ``image`` is the whole
                picture.
            offset: the jitter (ox, oy) by which the picture is rolled, for masks of it.

        Raises:
            JaxdreamError: as ``check``; or the picture has another shape, or is too small.
        """
        if region is None:
            self.check(model.graph)
            activations = activations_of(model, image, self.layers)
            region = full_region(np.array(image.shape[:2], np.int32))
        else:
            batch = model(model.preprocess(image)[None], layers=self.layers, region=region)
            activations = {name: activation[0] for name, activation in batch.items()}
        return self(RegionActivations(activations, model.graph, region, offset))

    def __add__(self, other: "Objective | int") -> "Objective":
        if isinstance(other, int) and other == 0:  # where sum() begins
            return self
        if isinstance(other, _NUMBERS):
            raise JaxdreamError(
                "adding a number to an objective changes no picture: multiply by it instead"
            )
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    __radd__ = __add__

    def __sub__(self, other: "Objective") -> "Objective":
        return self + (-other if isinstance(other, Objective) else other)

    def __mul__(self, other: "Objective | Scalar") -> "Objective":
        if isinstance(other, Objective):
            # The weights come first, as in the text, so that it is read as the same leaves.
            (mine, first), (others, second) = _split(self), _split(other)
            return _scaled(_times(mine, others), Product((*_factors(first), *_factors(second))))
        if not isinstance(other, _NUMBERS):
            return NotImplemented
        weight, objective = _split(self)
        return _scaled(_times(weight, _weight(other)), objective)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Scalar) -> "Objective":
        if not isinstance(divisor, _NUMBERS):
            return NotImplemented
        if not isinstance(divisor, Tracer) and not np.all(divisor):
            raise JaxdreamError("an objective cannot be divided by 0")
        return self * (1 / divisor)

    def __neg__(self) -> "Objective":
        return self * -1.0


class Combined(Objective):
    """Base of those that are made of others."""

    @property
    def parts(self) -> tuple[Objective, ...]:
        """The objectives that it is made of."""
        raise NotImplementedError

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.layers))

    @property
    def depends_on_picture(self) -> bool:
        return any(part.depends_on_picture for part in self.parts)

    @property
    def depends_on_octave(self) -> bool:
        return any(part.depends_on_octave for part in self.parts)

    def check(self, graph: "LayerTable") -> None:
        for part in self.parts:
            part.check(graph)


@pytree
@dataclass(frozen=True)
class Scaled(Combined):
    """An objective, itself not scaled, times a weight."""

    weight: Float[Array, "..."]
    objective: Objective

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    @property
    def local(self) -> bool:
        return self.objective.local

    def chosen(self, means: ChannelMeans) -> Objective:
        return Scaled(self.weight, self.objective.chosen(means))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return self.weight * self.objective(activations)

    def __repr__(self) -> str:
        weight = number_text(self.weight)
        sign = "-" if weight == "-1" else f"{weight}*"
        return f"{sign}{_factor_text(self.objective)}"


@pytree
@dataclass(frozen=True)
class Product(Combined):
    """Objectives multiplied: it grows fastest where all do. No factor is a product or scaled."""

    factors: tuple[Objective, ...]

    @property
    def parts(self) -> tuple[Objective, ...]:
        return self.factors

    def chosen(self, means: ChannelMeans) -> Objective:
        return Product(tuple(factor.chosen(means) for factor in self.factors))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        value = self.factors[0](activations)
        for factor in self.factors[1:]:
            value = value * factor(activations)
        return value

    def __repr__(self) -> str:
        return "*".join(map(_factor_text, self.factors))


@pytree
@dataclass(frozen=True)
class Sum(Combined):
    """Objectives added up. No term is a sum."""

    terms: tuple[Objective, ...]

    @property
    def parts(self) -> tuple[Objective, ...]:
        return self.terms

    @property
    def local(self) -> bool:
        return all(term.local for term in self.terms)

    def chosen(self, means: ChannelMeans) -> Objective:
        return Sum(tuple(term.chosen(means) for term in self.terms))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        return jnp.sum(jnp.stack([term(activations) for term in self.terms]))

    def __repr__(self) -> str:
        text = repr(self.terms[0])
        for term in map(repr, self.terms[1:]):
            text += f" - {term.removeprefix('-')}" if term.startswith("-") else f" + {term}"
        return text


def stack_objectives(each: Sequence[Objective]) -> tuple[Objective, Axes | None]:
    """Objectives that differ in their numbers only as one, and which of its leaves are stacked.

    A leaf that all of them share is kept once. A single objective stays as it is.
    """
    if len(each) == 1:
        return each[0], None
    leaves, structures = zip(*map(jax.tree.flatten, each), strict=True)
    columns = list(zip(*leaves, strict=True))
    # Not by their values: other pictures must not need another program, and may be traced.
    axes = tuple(None if all(a is one[0] for a in one) else 0 for one in columns)
    stacked = [
        one[0] if axis is None else jnp.stack(one) for axis, one in zip(axes, columns, strict=True)
    ]
    return jax.tree.unflatten(structures[0], stacked), axes if 0 in axes else None


def activations_of(
    model: "Network", image: Float[AnyArray, "h w 3"], layers: tuple[str, ...]
) -> dict[str, Array]:
    """The activations of one picture (RGB, 0..255), by layer: (h, w, c), or (classes,).

    Raises:
        JaxdreamError: there is no such layer, or the picture is too small or has another shape.
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise JaxdreamError(f"a picture has the shape (height, width, 3), not {image.shape}")
    for layer in layers:
        model.graph.check_size((image.shape[0], image.shape[1]), layer)
    activations = model(model.preprocess(image)[None], layers=layers)
    return {name: activation[0] for name, activation in activations.items()}


def number_text(value: AnyArray | float) -> str:
    """A number of an objective as text; "?" for several, or under a transformation."""
    if isinstance(value, Tracer) or np.ndim(value) > 0:
        return "?"
    if np.asarray(value).dtype.kind == "i":
        return str(int(value))
    return str(np.float32(value)).removesuffix(".0")


def check_index(index: int | Array, count: int, layer: str, kind: str) -> None:
    """Make sure that indices into a layer exist, where their values are known.

    Raises:
        JaxdreamError: one is out of range.
    """
    if isinstance(index, Tracer):
        return
    values = np.atleast_1d(np.asarray(index))
    wrong = values[(values < 0) | (values >= count)]
    if len(wrong):
        raise JaxdreamError(f"{layer} has {kind} 0 to {count - 1}, not {wrong[0]}")


def _weight(number: Scalar) -> AnyArray:
    """A number as a weight in float32: checked, and still NumPy's, where it is known."""
    if isinstance(number, Tracer):
        return jnp.asarray(number, jnp.float32)
    with np.errstate(over="ignore"):
        weight = np.asarray(number, np.float32)
    if not np.isfinite(weight).all():
        raise JaxdreamError(f"a weight must be finite and within float32's range, not {number}")
    return weight


def _times(first: AnyArray | None, second: AnyArray | None) -> AnyArray | None:
    """The product of two weights, of which None is absent."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, Tracer) or isinstance(second, Tracer):
        return first * second
    # By NumPy, which also keeps the tiniest numbers.
    with np.errstate(over="ignore"):
        return _weight(np.asarray(first) * np.asarray(second))


def _scaled(weight: AnyArray | None, objective: Objective) -> Objective:
    return objective if weight is None else Scaled(jnp.asarray(weight), objective)


def _split(objective: Objective) -> tuple[AnyArray | None, Objective]:
    """The weight of an objective, if it has one, and the objective without it."""
    if isinstance(objective, Scaled):
        return objective.weight, objective.objective
    return None, objective


def _terms(objective: Objective) -> tuple[Objective, ...]:
    return objective.terms if isinstance(objective, Sum) else (objective,)


def _factors(objective: Objective) -> tuple[Objective, ...]:
    return objective.factors if isinstance(objective, Product) else (objective,)


def _factor_text(objective: Objective) -> str:
    return f"({objective})" if isinstance(objective, Sum) else f"{objective}"
