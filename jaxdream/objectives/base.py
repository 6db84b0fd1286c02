"""The contract of objectives, and their arithmetic.

``objective(activations)`` takes a mapping from layer name to the activations of *one* picture,
(h, w, c), (tokens, c) of tokens, or (classes,) of logits, and returns a scalar to be maximised;
``objective.layers`` names the layers it reads. An objective of another network or of the picture
itself finds these in ``PictureActivations``. Objectives add, subtract, multiply and negate::

    layer("inception_4c/output") + 0.5 * layer("inception_3b/output")

A *local* objective is a sum over spatial positions of a function that is 0 at zero activation, so
that padding with zeros and summing over tiles are exact. It may be divided by ``position_count``.
Any other objective is computed on the whole picture, in arrays of exactly its size, by a program
compiled for that size.

Objectives are pytrees: the weights, indices and features in them are arrays, of which ``jax.grad``
gives gradients and which change without a new compilation; layer names, counts and powers are
static. Batches are for ``vmap``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, Num

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.activations import (
    Activations,
    RegionActivations,
    whole_picture_activations,
)
from jaxdream.types import AnyArray, Size, pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.network import Network
    from jaxdream.models.regions import Region

ChannelMeans = Callable[["Network | None", str, bool], Float[Array, " c"]]
OtherNetwork = tuple["Network", tuple[str, ...]]  # and the layers that are read of it
LayersOf = tuple["LayerTable", tuple[str, ...]]
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

    @property
    def needs_batch(self) -> bool:
        """Whether it is of a picture among others, all made by one call of ``visualize``."""
        return False

    @property
    def other_networks(self) -> tuple[OtherNetwork, ...]:
        """The networks that it computes beside the dreamed one, and their layers."""
        return ()

    def layers_of(self, graph: "LayerTable") -> list[LayersOf]:
        """The layers that it reads of every network: of the dreamed one, ``graph``, and others."""
        return [(graph, self.layers), *((m.graph, layers) for m, layers in self.other_networks)]

    def minimum_size(self, graph: "LayerTable") -> int:
        """The smallest side, in pixels, of a picture on which all layers that it reads see."""
        return max(each.minimum_size(*layers) for each, layers in self.layers_of(graph))

    def fixed_size(self, graph: "LayerTable") -> Size | None:
        """Height and width of the only pictures that its networks take, if one takes no others."""
        fixed = (each.fixed_size for each, _ in self.layers_of(graph))
        return next((size for size in fixed if size is not None), None)

    def check_size(self, graph: "LayerTable", size: Size) -> None:
        """Make sure that its networks can compute a picture of this height and width.

        Raises:
            JaxdreamError: it is too small, or one of them takes another size only.
        """
        for each, layers in self.layers_of(graph):
            each.check_size(size, *layers)

    def nearest_size(self, graph: "LayerTable", size: Size) -> Size:
        """The size nearest to this one that its networks can compute."""
        for each, layers in self.layers_of(graph):
            size = each.nearest_size(size, *layers)
        return size

    def chosen(self, means: ChannelMeans) -> "Objective":
        """The objective for one picture.

        Args:
            means: gives the mean activations of a layer's channels, (channels,), in a network,
                None for the dreamed one; on the dream so far if its third argument is true, else
                on the picture before it is dreamed.
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
            return self(whole_picture_activations(model, image, self.layers, offset))
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

    @property
    def needs_batch(self) -> bool:
        return any(part.needs_batch for part in self.parts)

    @property
    def other_networks(self) -> tuple[OtherNetwork, ...]:
        return tuple(other for part in self.parts for other in part.other_networks)

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


def function_text(name: str, *arguments: str, **options: bool | float | int) -> str:
    """An objective's text: ``name(argument, option=2, option)``; without options that are off."""
    given = [key if value is True else f"{key}={number_text(value)}"
             for key, value in options.items() if value]  # fmt: skip
    return f"{name}({', '.join([*arguments, *given])})"


def number_text(value: AnyArray | float) -> str:
    """A number of an objective as text; "?" for several, or under a transformation."""
    if isinstance(value, Tracer) or np.ndim(value) > 0:
        return "?"
    if np.asarray(value).dtype.kind == "i":
        return str(int(value))
    return str(np.float32(value)).removesuffix(".0")


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
