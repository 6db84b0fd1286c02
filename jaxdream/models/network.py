"""The Flax module: a graph, its weights, and the one interpreter that runs it.

The module holds only arrays and static data and is a pytree, so that it is passed as an argument
into ``jax.jit``, ``jax.grad`` and ``jax.vmap``. Build it with ``jaxdream.load_model``.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.graph import Graph, LayerInfo, Node
from jaxdream.models.ops import Weights, apply_mask, apply_op
from jaxdream.models.precision import propagate_scaled, resolve_precision
from jaxdream.models.regions import Region, RegionMasks
from jaxdream.models.weights.registry import Preprocessing
from jaxdream.settings import Precision, PrecisionOption
from jaxdream.types import AnyArray

# Arrays by weight name: "inception_3a/1x1/kernel" (height, width, in, out) and ".../bias" (out,).
WeightArrays = Mapping[str, AnyArray]


def evaluate(
    graph: Graph,
    x: Float[Array, "n h w 3"],
    layers: Sequence[str],
    apply: Callable[[Node, Sequence[Array]], Array],
) -> dict[str, Array]:
    """Activations of ``layers``, by the names asked for; computes no further than they need.

    ``apply(node, inputs)`` computes one node.
    """
    values: dict[str, Array] = {}
    for node in graph.needed(layers):
        values[node.name] = apply(node, [values[i] for i in node.inputs]) if node.inputs else x
    return {name: values[graph.resolve(name)] for name in layers}


def evaluate_region(
    graph: Graph,
    x: Float[Array, "n h w 3"],
    layers: Sequence[str],
    apply: Callable[[Node, Sequence[Array], Array | None], Array],
    region: Region,
) -> dict[str, Array]:
    """``evaluate`` on the region of a picture that ``x`` holds; values not owned by it are zero.

    ``apply(node, inputs, valid)`` also gets the mask of the positions of the node's first input
    that are in the picture, or None where the node does not depend on it.
    """
    masks = RegionMasks(graph, region)
    nonnegative: dict[str, bool] = {}

    def apply_with_border(node: Node, inputs: Sequence[Array]) -> Array:
        before = [nonnegative[name] for name in node.inputs]
        nonnegative[node.name] = node.op.nonnegative(*before)
        masks.add(node)
        if not node.op.needs_border:  # its windows stay inside the map
            return apply(node, inputs, None)
        border = node.op.border_value(*before)
        valid = [masks.valid(name, x.shape) for name, x in zip(node.inputs, inputs, strict=True)]
        inputs = [apply_mask(x, mask, border) for mask, x in zip(valid, inputs, strict=True)]
        y = apply(node, inputs, valid[0])
        # An infinite border must not get into a sum.
        return y if border == 0 else apply_mask(y, masks.valid(node.name, y.shape), 0.0)

    for node in graph.nodes.values():
        if not node.inputs:
            masks.add(node)
            nonnegative[node.name] = node.op.nonnegative()
    activations = evaluate(graph, x, layers, apply_with_border)
    for name, activation in activations.items():
        owned = masks.owned(graph.resolve(name), activation.shape)
        activations[name] = apply_mask(activation, owned, 0.0)
    return activations


def activations_by(
    model: "Network",
    x: Float[AnyArray, "n h w 3"],
    layers: Sequence[str],
    apply: Callable[..., Array],
    region: Region | None = None,
) -> dict[str, Array]:
    """``model(x, layers=layers, region=region)`` with another way to compute a node.

    ``apply`` is called as ``model.apply`` is.
    """

    def compute(x: Array) -> tuple[Array, ...]:
        x = x.astype(model.precision)
        if region is None:
            activations = evaluate(model.graph, x, layers, apply)
        else:
            activations = evaluate_region(model.graph, x, layers, apply, region)
        return tuple(activations[name].astype(jnp.float32) for name in layers)

    x = jnp.asarray(x)
    found = propagate_scaled(compute, x) if model.precision == "float16" else compute(x)
    return dict(zip(layers, found, strict=True))


def _activations(
    model: "Network", x: Array, region: Region | None, *, layers: tuple[str, ...]
) -> dict[str, Array]:
    return activations_by(model, x, layers, model.apply, region)


# Where a network is called by itself: one program, and not one for each operation.
_compiled_activations = jax.jit(_activations, static_argnames=("layers",))


class Layer(nnx.Module):
    """Kernel and bias of one convolution or dense layer."""

    def __init__(self, kernel: Array, bias: Array) -> None:
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)


class Network(nnx.Module):
    """A pretrained network: ``model(x, layers=...)`` gives named activations.

    Attributes:
        name: the model's name in the registry.
        graph: its table of layers.
        preprocessing: how a picture becomes its input.
        default_layer: the layer dreamed when none is named.
        weights_sha256: hash of the weight values, which identifies them in a recipe.
        precision: "float32", or "bfloat16" or "float16" for weights and activations of half the
            size. Pictures, objectives and gradients of pictures are float32 in any. A float16
            network has no gradient with respect to its weights.
        params: kernels and biases, by the scope of their layer.
    """

    def __init__(
        self,
        name: str,
        graph: Graph,
        preprocessing: Preprocessing,
        default_layer: str,
        weights: WeightArrays,
        weights_sha256: str,
        *,
        precision: Precision = "float32",
    ) -> None:
        self.name = name
        self.graph = graph
        self.preprocessing = preprocessing
        self.default_layer = default_layer
        self.weights_sha256 = weights_sha256
        self.precision: Precision = precision
        self.params = nnx.Dict(
            {
                scope: Layer(
                    jnp.asarray(weights[f"{scope}/kernel"], precision),
                    jnp.asarray(weights[f"{scope}/bias"], precision),
                )
                for scope in graph.kernel_shapes
            }
        )

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
                tile of it; by default the whole picture, without padding.

        Returns:
            For each name asked for, (n, h, w, c); (n, classes) for logits and probabilities; in
            float32. With a region, values that it does not own are zero.

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

    def __repr__(self) -> str:
        count = sum(math.prod(s) + s[-1] for s in self.graph.kernel_shapes.values())
        return f"Network({self.name!r}, {count:,} parameters, {self.precision})"

    def apply(
        self,
        node: Node,
        inputs: Sequence[Array],
        valid: Bool[Array, "h w 1"] | None = None,
    ) -> Array:
        """One node of the table on its inputs, with this network's weights.

        In a padded array, ``valid`` is true at the positions of the first input that are in the
        picture.
        """
        layer = self.params.get(node.scope, None)
        weights = Weights(layer.kernel[...], layer.bias[...]) if layer else None
        return apply_op(node.op, inputs, weights, valid)

    def layers(self) -> list[LayerInfo]:
        """Every layer with its channels, stride and receptive field."""
        return self.graph.layer_infos()

    def merged(self, layers: Sequence[str]) -> "Network":
        """This network as it is computed for these layers: ``Graph.merged``."""
        graph, scopes = self.graph.merged(tuple(layers))
        weights = self._weights(graph.kernel_shapes.keys() - scopes)
        for merged, parts in scopes.items():
            for kind in Weights._fields:
                of_each = [getattr(self.params[scope], kind)[...] for scope in parts]
                weights[f"{merged}/{kind}"] = jnp.concatenate(of_each, axis=-1)
        return self._copy(graph, weights, self.precision)

    def _weights(self, scopes: Iterable[str]) -> dict[str, Array]:
        return {
            f"{scope}/{kind}": getattr(self.params[scope], kind)[...]
            for scope in scopes
            for kind in Weights._fields
        }

    def _copy(self, graph: Graph, weights: WeightArrays, precision: Precision) -> "Network":
        return Network(
            self.name, graph, self.preprocessing, self.default_layer, weights, self.weights_sha256,
            precision=precision,
        )  # fmt: skip

    def with_precision(self, precision: PrecisionOption) -> "Network":
        """This network with weights and activations of another precision.

        Raises:
            JaxdreamError: an unknown precision, or another than its own for a network that is not
                float32.
        """
        precision = resolve_precision(precision)
        if precision == self.precision:
            return self
        if self.precision != "float32":
            raise JaxdreamError(
                f"this {self.name} holds {self.precision} weights, whose other digits are gone: "
                f"load it again with precision='{precision}'"
            )
        return self._copy(self.graph, self._weights(self.params), precision)

    def preprocess(self, image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """The network's input for a picture (float32, RGB, 0..255)."""
        image = jnp.asarray(image)
        if self.preprocessing.order == "BGR":
            image = image[..., ::-1]
        mean = jnp.asarray(self.preprocessing.mean, jnp.float32)
        return (image - mean) / jnp.asarray(self.preprocessing.scale, jnp.float32)
