"""What every network is to the rest of jaxdream: named activations of pictures.

A network is a pytree of its arrays, and everything else of it is static, so that it is passed as an
argument into ``jax.jit``, ``jax.grad`` and ``jax.vmap``. There are two kinds: ``load_model`` gives
one whose graph is known (``graph_network``), ``wrap`` any other (``wrapped_network``).
"""

from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.layer_table import LayerInfo, LayerTable
from jaxdream.models.precision import resolve_precision
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.regions import Region
from jaxdream.settings import Precision, PrecisionOption
from jaxdream.types import AnyArray


class Network:
    """A trained network: ``model(x, layers=...)`` gives named activations.

    Attributes:
        name: of a model of the registry, or what a network was wrapped as.
        graph: its table of layers.
        preprocessing: how a picture becomes its input.
        default_layer: the layer dreamed when none is named.
        weights_sha256: hash of the weight values, which identifies them in a recipe.
        precision: "float32", or "bfloat16" or "float16" for weights and activations of half the
            size. Pictures, objectives and gradients of pictures are float32 in any. A float16
            network has no gradient with respect to its weights.
    """

    name: str
    graph: LayerTable
    preprocessing: Preprocessing
    default_layer: str
    weights_sha256: str
    precision: Precision
    # Whether it computes padded pictures and tiles exactly; else programs have the exact size.
    takes_regions: ClassVar[bool]

    def __call__(
        self,
        x: Float[AnyArray, "..."],
        *,
        layers: Sequence[str],
        region: Region | None = None,
    ) -> dict[str, Float[Array, "..."]]:
        """Activations of the named layers.

        Args:
            x: preprocessed pictures (``preprocess``), (n, h, w, 3), at least
                ``graph.minimum_size(layer)`` pixels a side.
            layers: names or aliases.
            region: the part of a picture that ``x`` holds, if ``x`` is larger than the picture or a
                tile of it, for networks with ``takes_regions``; by default the whole picture,
                without padding.

        Returns:
            For each name asked for, (n, h, w, c); (n, tokens, c) for tokens; (n, classes) for
            logits and other vectors; in float32. With a region, values that it does not own are
            zero.

        Raises:
            JaxdreamError: an unknown layer (the message names the nearest), or an ``x`` of another
                shape.
        """
        if x.ndim != 4 or x.shape[-1] != 3:
            raise JaxdreamError(
                f"x has the shape {x.shape}: give a batch of pictures, (n, height, width, 3)"
            )
        run = _activations if isinstance(x, Tracer) else _compiled_activations
        found = run(self, jnp.asarray(x), region, layers=tuple(layers))
        return {name: found[name] for name in layers}  # in this order

    def activations(
        self, x: Float[Array, "n h w 3"], layers: Sequence[str], region: Region | None = None
    ) -> dict[str, Float[Array, "..."]]:
        """What ``__call__`` gives, as a part of a program that is being traced."""
        raise NotImplementedError

    def preprocess(self, image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """The network's input for a picture (float32, RGB, 0..255)."""
        return self.preprocessing(image)

    def layers(self) -> list[LayerInfo]:
        """Every layer with its channels, stride and receptive field, or its shape."""
        return self.graph.layer_infos()

    def merged(self, layers: Sequence[str]) -> "Network":
        """This network as it is computed fastest for these layers."""
        del layers
        return self

    def with_name(self, name: str) -> "Network":
        """This network under another name."""
        raise NotImplementedError

    def with_precision(self, precision: PrecisionOption) -> "Network":
        """This network with weights and activations of another precision.

        Raises:
            JaxdreamError: an unknown precision, another than its own for a network that is not
                float32, or a wrapped function without arrays of its own.
        """
        precision = resolve_precision(precision)
        if precision == self.precision:
            return self
        if self.precision != "float32":
            raise JaxdreamError(
                f"this {self.name} holds {self.precision} weights, whose other digits are gone: "
                f"load it again with precision='{precision}'"
            )
        return self._cast(precision)

    def _cast(self, precision: Precision) -> "Network":
        raise NotImplementedError


def _activations(
    model: Network, x: Array, region: Region | None, *, layers: tuple[str, ...]
) -> dict[str, Array]:
    return model.activations(x, layers, region)


# Where a network is called by itself: one program, and not one for each operation.
_compiled_activations = jax.jit(_activations, static_argnames=("layers",))
