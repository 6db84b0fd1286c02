"""The inner parts of jaxdream that the benchmark uses; the other modules use its public names.

From a network's graph: its layers for PyTorch, its number of operations, random weights, and its
layers one by one.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.algorithm.optimizers import StepRule
from jaxdream.execution.jit import Program
from jaxdream.execution.octave import Octave
from jaxdream.execution.shapes import PaddedLayout
from jaxdream.models.graph import Graph, Node
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.ops import Conv, Dense, Relu, Weights, apply_op
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.weights.check import expected_shapes, write_weights
from jaxdream.models.weights.local import load_file
from jaxdream.models.weights.registry import record_of
from jaxdream.objectives.text import as_objective


@dataclass(frozen=True)
class Subject:
    """A network to be measured, and the layer that it dreams."""

    name: str  # as the registry calls it
    graph: Graph
    preprocessing: Preprocessing
    layer: str
    weights: Mapping[str, np.ndarray]
    source: str  # where the weights come from

    def network(self) -> GraphNetwork:
        """jaxdream's network."""
        return GraphNetwork(
            self.name, self.graph, self.preprocessing, self.layer, self.weights, "benchmark"
        )

    def write_weights(self, path: Path) -> None:
        """Write the weights as a safetensors file that jaxdream reads."""
        write_weights(path, self.weights, model=self.name)


def load_subject(name: str, path: Path | None, layer: str | None) -> Subject:
    """A network of the registry, with the weights of a file or random ones.

    Raises:
        JaxdreamError: the file cannot be read or is of another network.
    """
    record = record_of(name)
    graph = record.build()
    if path is None:
        weights, source = random_weights(graph), "random"
    else:
        weights, source = load_file(name, path)[1].arrays, path.name
    return Subject(
        name, graph, record.preprocessing, layer or record.default_layer, weights, source
    )


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


def describe_layers(graph: Graph, layer: str) -> list[dict[str, Any]]:
    """The layers that ``layer`` needs, in order, as plain data (``pytorch.py`` has no JAX)."""
    return [
        {"name": node.name, "inputs": node.inputs, "scope": node.scope} | _op_fields(node)
        for node in graph.needed([layer])
    ]


def describe_subject(subject: Subject, folder: Path) -> dict[str, Any]:
    """A network as ``pytorch.py`` reads it in an environment without JAX; writes its weights."""
    weights = {name: np.asarray(array) for name, array in subject.weights.items()}
    path = (folder / "weights.npz").resolve()
    np.savez(path, **weights)  # pyright: ignore[reportArgumentType]
    preprocessing = subject.preprocessing
    return {
        "layers": describe_layers(subject.graph, subject.layer),
        "preprocessing": {
            "mean": np.broadcast_to(preprocessing.mean, 3).astype(float).tolist(),
            "scale": np.broadcast_to(preprocessing.scale, 3).astype(float).tolist(),
            "order": preprocessing.order,
        },
        "weights": str(path),
    }


def _op_fields(node: Node) -> dict[str, Any]:
    values = asdict(node.op) if fields(node.op) else {}  # type: ignore[arg-type]
    return {"op": type(node.op).__name__} | values


def layer_flops(graph: Graph, layer: str, size: tuple[int, int]) -> dict[str, int]:
    """Floating-point operations of the convolutions and dense layers of one forward pass.

    A multiplication and an addition count as two. Everything else (bias, ReLU, pooling,
    normalisation) is left out, as is customary; the gradient with respect to the picture costs the
    same again.
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


@dataclass(frozen=True)
class LayerUnit:
    """What is timed as one layer: a convolution together with its ReLU, or another layer alone."""

    nodes: tuple[Node, ...]
    input_shapes: tuple[tuple[int, int, int, int], ...]
    flops: int  # forward

    @property
    def name(self) -> str:
        return self.nodes[-1].name

    @property
    def node_names(self) -> list[str]:
        return [node.name for node in self.nodes]


def layer_units(subject: Subject, size: tuple[int, int]) -> list[LayerUnit]:
    """All layers that the subject's layer needs, with the shapes they have for pictures (h, w)."""
    graph = subject.graph
    nodes = graph.needed([subject.layer])
    sizes = graph.sizes(subject.layer, size)
    flops = layer_flops(graph, subject.layer, size)
    units = []
    for node in nodes:
        if not node.inputs or isinstance(node.op, Relu):
            continue
        relu = next((n for n in nodes if n.inputs == (node.name,) and isinstance(n.op, Relu)), None)
        unit = (node, relu) if relu and isinstance(node.op, Conv) else (node,)
        shapes = tuple((1, *sizes[name], graph.channels[name]) for name in node.inputs)
        units.append(LayerUnit(unit, shapes, flops.get(node.name, 0)))
    return units


def compile_unit(subject: Subject, unit: LayerUnit) -> tuple[Callable, Callable]:
    """Two functions, compiled as the steps of a dream are.

    ``forward(*inputs)`` gives the output, ``gradient(cotangent, output, *inputs)`` the gradients
    with respect to the inputs.
    """
    node, *following = unit.nodes
    weights = None
    if f"{node.scope}/kernel" in subject.weights:
        arrays = (subject.weights[f"{node.scope}/{field}"] for field in Weights._fields)
        weights = Weights(*map(jnp.asarray, arrays))

    def apply(weights, *inputs):
        y = apply_op(node.op, inputs, weights)
        for relu in following:
            y = apply_op(relu.op, [y])
        return y

    def gradient(weights, cotangent, output, *inputs):
        # In the network the output is there for the ReLU's gradient; in a layer alone, computing
        # it again would be charged to the gradient.
        if following:
            cotangent = jnp.where(output > 0, cotangent, 0)
            backward = jax.vjp(lambda *x: apply_op(node.op, x, weights), *inputs)[1]
        else:
            backward = jax.vjp(partial(apply, weights), *inputs)[1]
        return backward(cotangent)

    return partial(Program(apply), weights), partial(Program(gradient), weights)


def host_clock(subject: Subject) -> Callable[[], float]:
    """Seconds until the call of a compiled step returns, while the step is computed.

    The picture is small: what Python does does not depend on its size.
    """
    model, size = subject.network(), (96, 128)
    layout = PaddedLayout(size, (size,), one_size=True)
    objective = as_objective(subject.layer, model)
    compiled = Octave(model, objective, layout, np.asarray(1.5, np.float32), StepRule()).compile(1)
    state = compiled.octave.start([np.full((*size, 3), 128, np.float32)])
    offsets = np.zeros((1, 1, 2), np.int32)
    compiled.run(state, offsets)[0].image.block_until_ready()

    def clock() -> float:
        begun = time.perf_counter()
        image = compiled.run(state, offsets)[0].image
        seconds = time.perf_counter() - begun
        image.block_until_ready()
        return seconds

    return clock
