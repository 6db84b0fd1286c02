"""The Flax module: a graph, its weights, and the one interpreter that runs it.

The module holds arrays and static data only and is a pytree, so it travels as an argument into
``jax.jit``, ``jax.grad`` and ``jax.vmap``. Build it with ``jaxdream.load_model``.
"""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from jaxdream.models.graph import Graph, Node
from jaxdream.models.ops import Weights, masked
from jaxdream.models.regions import Layout, Region
from jaxdream.models.weights.registry import PixelRange, Precision
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
    """``evaluate`` on the part of a picture that ``x`` holds; what does not count is zero.

    ``apply`` is also told which positions of the node's first input are in the picture.
    """
    layout = Layout(graph, region)
    nonnegative: dict[str, bool] = {}

    def apply_inside(node: Node, inputs: Sequence[Array]) -> Array:
        before = [nonnegative[name] for name in node.inputs]
        nonnegative[node.name] = node.op.nonnegative(*before)
        layout.add(node)
        if not node.op.looks_outside:
            return apply(node, inputs, None)
        # Only here does it matter what lies outside: the others' windows stay in the map.
        outside = node.op.outside(*before)
        inside = [layout.inside(name, x.shape) for name, x in zip(node.inputs, inputs, strict=True)]
        inputs = [only(where, x, outside) for where, x in zip(inside, inputs, strict=True)]
        y = apply(node, inputs, inside[0])
        # What is infinite must not get into a sum.
        return y if outside == 0 else only(layout.inside(node.name, y.shape), y, 0.0)

    for node in graph.nodes.values():
        if not node.inputs:
            layout.add(node)
            nonnegative[node.name] = node.op.nonnegative()
    activations = evaluate(graph, x, layers, apply_inside)
    for name, activation in activations.items():
        counted = layout.counted(graph.resolve(name), activation.shape)
        activations[name] = only(counted, activation, 0.0)
    return activations


def only(where: Bool[Array, "h w 1"] | None, x: Array, outside: float) -> Array:
    """A map where it is the picture's, and ``outside`` elsewhere."""
    return x if where is None else masked(x, where, outside)


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
        pixels: what it sees of a picture.
        default_layer: the layer dreamed when none is named.
        weights_sha256: hash of the weight values, which identifies them in a recipe.
        precision: "float32", or "bfloat16" for weights and activations of half the size. Pictures,
            objectives and gradients of pictures are float32 in either.
    """

    def __init__(
        self,
        name: str,
        graph: Graph,
        pixels: PixelRange,
        default_layer: str,
        weights: WeightArrays,
        weights_sha256: str,
        *,
        precision: Precision = "float32",
    ) -> None:
        self.name = name
        self.graph = graph
        self.pixels = pixels
        self.default_layer = default_layer
        self.weights_sha256 = weights_sha256
        self.precision = precision
        self.layers = nnx.Dict(
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
        x: Float[AnyArray, "n h w 3"],
        *,
        layers: Sequence[str],
        region: Region | None = None,
    ) -> dict[str, Float[Array, "..."]]:
        """Activations of the named layers.

        Args:
            x: preprocessed pictures (``preprocess``), NHWC, at least
                ``graph.minimum_size(layer)`` pixels a side.
            layers: names or aliases.
            region: what ``x`` holds of a picture, if it is larger than the picture or a part of
                it; by default all of it, exactly.

        Returns:
            For each name asked for, (n, h, w, c); (n, classes) for logits and probabilities; in
            float32. Of a region, what does not count is zero.

        Raises:
            JaxdreamError: an unknown layer; names the nearest.
        """
        x = jnp.asarray(x, self.precision)
        if region is None:
            activations = evaluate(self.graph, x, layers, self.apply)
        else:
            activations = evaluate_region(self.graph, x, layers, self.apply, region)
        return {name: value.astype(jnp.float32) for name, value in activations.items()}

    def apply(
        self,
        node: Node,
        inputs: Sequence[Array],
        inside: Bool[Array, "h w 1"] | None = None,
    ) -> Array:
        """One node of the table on its inputs, with this network's weights.

        On a canvas, ``inside`` tells which positions of the first input are in the picture.
        """
        layer = self.layers.get(node.scope, None)
        weights = Weights(layer.kernel[...], layer.bias[...]) if layer else None
        return node.op.apply(*inputs, weights=weights, inside=inside)

    def preprocess(self, image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """What the network sees of a picture (RGB, 0..255)."""
        image = jnp.asarray(image)
        if self.pixels.order == "BGR":
            image = image[..., ::-1]
        return (image - self._pixel_mean()) / self._pixel_scale()

    def deprocess(self, x: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """The inverse of ``preprocess``: a picture (RGB, 0..255, not clipped or rounded)."""
        image = jnp.asarray(x) * self._pixel_scale() + self._pixel_mean()
        return image[..., ::-1] if self.pixels.order == "BGR" else image

    def _pixel_mean(self) -> Array:
        return jnp.asarray(self.pixels.mean, jnp.float32)

    def _pixel_scale(self) -> Array:
        return jnp.asarray(self.pixels.scale, jnp.float32)
