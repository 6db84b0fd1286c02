"""What the benchmark reads off a network's graph: its layers for PyTorch, its work, weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from jaxdream.models.graph import Graph, Node
from jaxdream.models.ops import Conv, Dense
from jaxdream.models.weights.check import expected_shapes
from jaxdream.models.weights.registry import Preprocessing


@dataclass(frozen=True)
class Subject:
    """A network to be measured, dreaming one layer."""

    name: str  # as the registry calls it
    graph: Graph
    pixels: Preprocessing
    layer: str
    weights: Mapping[str, np.ndarray]
    source: str  # where the weights come from


def description(graph: Graph, layer: str) -> list[dict[str, Any]]:
    """The layers that ``layer`` needs, in order, as plain data (``bench_torch`` imports no JAX)."""
    return [
        {"name": node.name, "inputs": node.inputs, "scope": node.scope} | _options(node)
        for node in graph.needed([layer])
    ]


def _options(node: Node) -> dict[str, Any]:
    values = asdict(node.op) if fields(node.op) else {}  # type: ignore[arg-type]
    return {"op": type(node.op).__name__} | values


def layer_flops(graph: Graph, layer: str, size: tuple[int, int]) -> dict[str, int]:
    """Floating-point operations of the convolutions and dense layers of one forward pass.

    A multiplication and an addition count as two. All else (bias, ReLU, pooling, normalisation)
    is left out, as is customary; the gradient with respect to the picture costs the same again.
    """
    sizes = graph.sizes(layer, size)
    flops = {}
    for node in graph.needed([layer]):
        if not isinstance(node.op, Conv | Dense):
            continue
        height, width = sizes[node.name]
        kernel = node.op.kernel_shape(graph.channels[node.inputs[0]])
        flops[node.name] = 2 * height * width * int(np.prod(kernel))
    return flops


def step_flops(graph: Graph, layer: str, size: tuple[int, int]) -> int:
    """Operations of one step: forward, and the gradient with respect to the picture."""
    return 2 * sum(layer_flops(graph, layer, size).values())


def random_weights(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that keep activations in range (He et al. 2015); the speed is that of real ones."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in expected_shapes(graph).items():
        if name.endswith("/kernel"):
            scale = np.sqrt(2 / np.prod(shape[:-1]))
            weights[name] = random.normal(0, scale, shape).astype(np.float32)
        else:
            weights[name] = np.zeros(shape, np.float32)
    return weights
