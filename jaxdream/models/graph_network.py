"""The networks that jaxdream knows: a graph, its weights, and the one interpreter that runs it.

The Flax module holds only arrays and static data and is a pytree. ``jaxdream.load_model`` builds
it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from jaxdream.models.graph import Graph, Node
from jaxdream.models.network import Network
from jaxdream.models.ops import SizedOp, Weights, apply_mask, apply_op
from jaxdream.models.precision import compute_in
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.regions import Region, RegionMasks
from jaxdream.settings import Precision
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
        if isinstance(node.op, SizedOp):
            return node.op.sized_apply(inputs[0], masks.size(node.inputs[0]))
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
    model: "GraphNetwork",
    x: Float[AnyArray, "n h w 3"],
    layers: Sequence[str],
    apply: Callable[..., Array],
    region: Region | None = None,
) -> dict[str, Array]:
    """``model(x, layers=layers, region=region)`` with another way to compute a node.

    ``apply`` is called as ``model.apply`` is.
    """

    def compute(x: Array) -> tuple[Array, ...]:
        if region is None:
            activations = evaluate(model.graph, x, layers, apply)
        else:
            activations = evaluate_region(model.graph, x, layers, apply, region)
        return tuple(activations[name] for name in layers)

    found = compute_in(model.precision, compute, jnp.asarray(x))
    return dict(zip(layers, found, strict=True))


class Layer(nnx.Module):
    """Kernel and bias of one convolution or dense layer."""

    def __init__(self, kernel: Array, bias: Array) -> None:
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(bias)


class GraphNetwork(nnx.Module, Network):
    """A network that is a graph, of which everything is known.

    Attributes:
        graph: its table of layers.
        params: kernels and biases, by the scope of their layer.
    """

    takes_regions = True

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
        self.graph: Graph = graph  # pyright: ignore[reportIncompatibleVariableOverride]
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

    def activations(
        self, x: Float[Array, "n h w 3"], layers: Sequence[str], region: Region | None = None
    ) -> dict[str, Float[Array, "..."]]:
        """What ``__call__`` gives, as a part of a program that is being traced."""
        return activations_by(self, x, layers, self.apply, region)

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

    def merged(self, layers: Sequence[str]) -> "GraphNetwork":
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

    def _copy(
        self, graph: Graph, weights: WeightArrays, precision: Precision, name: str | None = None
    ) -> "GraphNetwork":
        return GraphNetwork(
            name or self.name, graph, self.preprocessing, self.default_layer, weights,
            self.weights_sha256, precision=precision,
        )  # fmt: skip

    def _cast(self, precision: Precision) -> "GraphNetwork":
        return self._copy(self.graph, self._weights(self.params), precision)

    def with_name(self, name: str) -> "GraphNetwork":
        """This network under another name."""
        return self._copy(self.graph, self._weights(self.params), self.precision, name)
