"""Networks of one's own: of them only the names and the shapes of their layers are known.

``wrap`` makes them (``wrapping``).
"""

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.models.layer_table import LayerInfo, LayerTable
from jaxdream.models.network import Network
from jaxdream.models.precision import compute_in
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.regions import Region
from jaxdream.settings import Precision
from jaxdream.types import STATIC, AnyArray, Size, pytree

Arrays = tuple[AnyArray, ...]
# Activations by layer, (n, h, w, c), (n, tokens, c) or (n, c), of a network's arrays on pictures.
Compute = Callable[[Arrays, Array], Mapping[str, Array]]

DATA, OUTPUT, LOGITS = "data", "output", "logits"  # layers: the picture, the result, class scores
_SIZE = (224, 224)  # of the picture on which the shapes of a network for all sizes are found out
_BATCH = 2  # pictures: a network that mixes up the batch with something else is found out


class WrappedLayers(LayerTable):
    """The layers of a wrapped network, found out by tracing it once; nothing is computed.

    Tables are compared by identity: they are static data of compiled programs.

    Attributes:
        constants: arrays that the function has beside those it is given.
    """

    good_layers = ()

    def __init__(
        self,
        compute: Compute,
        arrays: Arrays,
        *,
        size: Size | None,
        layers: Sequence[str] | None,
        in_order: bool,
    ) -> None:
        """Find out the layers.

        Args:
            size: of the only pictures that it takes.
            layers: the names of those to have; by default all.
            in_order: whether it gives layers in their order; otherwise that in which they are
                computed is found out.

        Raises:
            JaxdreamError: it cannot be computed on a picture, has no such layers, or gives what
                are no activations.
        """
        self._compute = compute
        self._arrays = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays)
        self._minimum_sizes: dict[tuple[str, ...], int] = {}
        self.fixed_size, self.aliases = size, {}
        self._size = size or _SIZE
        names: list[str] = []

        def traced(arrays: Arrays, x: Array) -> list[Array]:
            found = self.compute(arrays, x)
            names[:] = found
            return list(found.values())

        x = jax.ShapeDtypeStruct((_BATCH, *self._size, 3), np.float32)
        program, results = jax.make_jaxpr(traced, return_shape=True)(self._arrays, x)
        shapes = {name: _shape(name, result) for name, result in zip(names, results, strict=True)}
        self.constants = tuple(program.consts)
        places, floats = _places(program.jaxpr)
        computed_at = dict(zip(names, places, strict=True))
        if not in_order:
            # What is the result of a module is that of its last part as well: that comes first.
            names.sort(
                key=lambda name: (
                    computed_at[name], name.split("/")[0] == OUTPUT, -name.count("/")
                )
            )  # fmt: skip
        self.shapes = {name: shapes[name] for name in names}
        self._floats = {name: floats[computed_at[name]] / _BATCH for name in names}
        if layers is not None:
            chosen = (DATA, *(self.resolve(name) for name in layers))
            self.shapes = {name: self.shapes[name] for name in dict.fromkeys(chosen)}
            self.__dict__.pop("channels", None)  # of all layers
        if len(self.shapes) == 1:
            raise JaxdreamError("the network has no layers whose activations could be seen")
        if LOGITS not in self.shapes and len(self.shapes.get(OUTPUT, ())) == 1:
            self.aliases = {LOGITS: OUTPUT}

    def compute(self, arrays: Arrays, x: Float[Array, "n h w 3"]) -> dict[str, Array]:
        """All activations, the picture itself included.

        Raises:
            JaxdreamError: the network fails on pictures of this size.
        """
        try:
            return {DATA: x, **self._compute(arrays, x)}
        except JaxdreamError:
            raise
        except Exception as error:
            line = f"{type(error).__name__}: {reason(error)}"
            hint = "" if self.fixed_size else "; if it takes one size only, wrap it with size="
            raise JaxdreamError(
                f"the network fails on pictures of {x.shape[2]}x{x.shape[1]} pixels (given as "
                f"(n, {x.shape[1]}, {x.shape[2]}, 3){hint}): {line}"
            ) from error

    @property
    def names(self) -> Iterable[str]:
        return self.shapes

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of every layer: its last axis."""
        return {name: shape[-1] for name, shape in self.shapes.items()}

    @property
    def default_layer(self) -> str:
        """The last layer with several positions, map or tokens; or the last of all."""
        return self._last_with_positions(list(self.shapes)[1:]) or list(self.shapes)[-1]

    def _last_with_positions(self, names: Sequence[str]) -> str | None:
        several = (name for name in reversed(names) if math.prod(self.shapes[name][:-1]) > 1)
        return next(several, None)

    def stride(self, name: str) -> None:
        del name

    def halo(self, *names: str) -> None:
        del names

    def has_place(self, name: str) -> bool:
        return len(self.shapes[self.resolve(name)]) == 3

    def token_count(self, name: str) -> int | None:
        shape = self.shapes[self.resolve(name)]
        return shape[0] if len(shape) == 2 else None

    def position_count(self, name: str, size: Integer[AnyArray, "2"]) -> None:
        del name, size

    def last_map(self, names: Iterable[str], size: Size) -> str:
        del size
        resolved = [self.resolve(name) for name in names]
        order = list(self.shapes)
        until = order[1 : max(map(order.index, resolved)) + 1]
        return self._last_with_positions(until) or resolved[0]

    def floats_per_pixel(self, names: Iterable[str]) -> float:
        floats = max((self._floats[self.resolve(name)] for name in names), default=0.0)
        return floats / math.prod(self._size)

    def layer_infos(self) -> list[LayerInfo]:
        return [
            LayerInfo(name, shape[-1], None, None, shape) for name, shape in self.shapes.items()
        ]

    def minimum_size(self, *names: str) -> int:
        """The smallest side on which the network can be traced and none of these is empty."""
        if self.fixed_size is not None:
            return min(self.fixed_size)
        key = tuple(sorted({self.resolve(name) for name in names}))
        if key not in self._minimum_sizes:
            powers = [1 << exponent for exponent in range(8)]  # most need few pixels
            most = next((side for side in powers if self._sees(key, side)), min(_SIZE))
            sides = range(most // 2 + 1, most)
            first = bisect.bisect_left(sides, True, key=lambda side: self._sees(key, side))
            self._minimum_sizes[key] = most // 2 + 1 + first
        return self._minimum_sizes[key]

    def _sees(self, names: Iterable[str], side: int) -> bool:
        x = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
        try:
            found = jax.eval_shape(self.compute, self._arrays, x)
        except JaxdreamError:
            return False
        return all(math.prod(found[name].shape) > 0 for name in names)


def _shape(name: str, result: jax.ShapeDtypeStruct) -> tuple[int, ...]:
    """The shape of a layer on one picture."""
    shape = result.shape
    if not is_activation(result, _BATCH):
        raise JaxdreamError(
            f"layer {name!r} is {result.dtype} of the shape {shape} for a batch of {_BATCH}: a "
            "layer is (n, h, w, c), (n, tokens, c) or (n, c), of floating-point numbers"
        )
    return shape[1:]


def is_activation(value: Any, batch: int) -> bool:
    """Whether this is what a layer gives for so many pictures."""
    return (
        isinstance(value, jax.Array | jax.ShapeDtypeStruct)
        and jnp.issubdtype(value.dtype, jnp.floating)
        and 2 <= len(value.shape) <= 4
        and value.shape[0] == batch
    )


def _places(program: Any) -> tuple[list[int], list[float]]:
    """Where in a program each of its results is computed, and how many numbers it has until then.

    The first place is before anything is computed.
    """
    place, floats = {}, [0.0]
    for number, equation in enumerate(program.eqns, start=1):
        place |= {id(variable): number for variable in equation.outvars}
        sizes = (math.prod(variable.aval.shape) for variable in equation.outvars)
        floats.append(floats[-1] + sum(sizes))
    return [place.get(id(variable), 0) for variable in program.outvars], floats


@pytree
@dataclass(frozen=True, eq=False)
class WrappedNetwork(Network):
    """A network of one's own, from ``wrap``."""

    arrays: Arrays
    graph: WrappedLayers = field(metadata=STATIC)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: str = field(metadata=STATIC)
    preprocessing: Preprocessing = field(metadata=STATIC)
    default_layer: str = field(metadata=STATIC)
    weights_sha256: str = field(metadata=STATIC)
    precision: Precision = field(default="float32", metadata=STATIC)

    takes_regions = False

    def activations(
        self, x: Float[Array, "n h w 3"], layers: Sequence[str], region: Region | None = None
    ) -> dict[str, Float[Array, "..."]]:
        if region is not None:
            raise JaxdreamError(f"{self.name} is wrapped, so it takes whole pictures only")
        if self.graph.fixed_size is not None:
            self.graph.check_size((x.shape[1], x.shape[2]))
        resolved = [self.graph.resolve(name) for name in layers]

        def compute(x: Array) -> tuple[Array, ...]:
            found = self.graph.compute(self.arrays, x)
            return tuple(found[name] for name in resolved)

        return dict(zip(layers, compute_in(self.precision, compute, x), strict=True))

    def with_name(self, name: str) -> "WrappedNetwork":
        return replace(self, name=name)

    def _cast(self, precision: Precision) -> "WrappedNetwork":
        if not any(array.dtype == jnp.float32 for array in self.arrays):
            raise JaxdreamError(
                f"{self.name} has no arrays that could be {precision}: give those of its function "
                "to wrap as variables="
            )
        arrays = (
            array.astype(precision) if array.dtype == jnp.float32 else array
            for array in self.arrays
        )
        return replace(self, arrays=tuple(arrays), precision=precision)

    def __repr__(self) -> str:
        count = sum(array.size for array in self.arrays)
        return f"Network({self.name!r}, {count:,} parameters, {self.precision})"
