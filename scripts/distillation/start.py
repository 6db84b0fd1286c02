"""The student that training starts with: least squares fit it to its teacher, layer by layer.

From the picture on, every convolution of the student is fitted to map the student's own input of
that layer to the teacher's output, so that each layer corrects the errors of those before it. A
layer narrower than the teacher's keeps the channels that predict the others best. Fitting the
output after the ReLU follows Zhang et al. 2015 (Accelerating Very Deep Convolutional Networks,
section 3.2); choosing channels and then fitting the layers behind them is He et al. 2017 (Channel
Pruning for Accelerating Very Deep Neural Networks).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from distillation.internals import (
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Graph,
    Node,
    Op,
    Relu,
    Weights,
    apply_op,
    student_input,
)
from distillation.model import DistillSpec, Teacher, Tree, forward_train, teacher_features

ROWS = 30_000  # positions that a layer is fitted on, at least
ROWS_PER_UNKNOWN = 30  # weights of one output channel
RIDGE = 1e-4  # times the mean square of a layer's input
RELU_ROUNDS = 4
BATCH = 64

_forward_train = jax.jit(forward_train, static_argnums=0)
_teacher_features = jax.jit(teacher_features, static_argnums=0)

Rows = Float[np.ndarray, "rows values"]


class Maps(NamedTuple):
    """A layer's activations for every picture, in both networks."""

    ours: np.ndarray
    theirs: np.ndarray


def approximate(spec: DistillSpec, teacher: Teacher, images: np.ndarray) -> dict[str, np.ndarray]:
    """Weights of the student, BatchNorm folded, in our layout; its layers are of unit size.

    Args:
        spec: both graphs; the student's has the teacher's nodes.
        teacher: whose weights are approximated.
        images: (n, h, w, 3), RGB, 0..255.
    """
    random = np.random.default_rng(0)
    units = _units(spec, teacher, images[:BATCH])
    fitted: dict[str, Weights] = {}
    x = np.asarray(student_input(jnp.asarray(images)))
    maps = {"data": Maps(x, x)}
    for node, dropped in _in_order(spec.student):
        before = [maps[name] for name in node.inputs]
        op = spec.teacher.nodes[node.name].op
        theirs = _applied(op, [x.theirs for x in before], teacher.weights.get(node.scope))
        if isinstance(node.op, Conv):
            targets = theirs / units[node.name]
            fitted[node.scope] = _fitted_convolution(node.op, before[0].ours, targets, random)
        elif isinstance(node.op, Dense):
            source = maps[_before_pooling(spec.student, node)]
            fitted[node.scope] = _fitted_dense(source, teacher.weights[node.scope])
        ours = _applied(node.op, [x.ours for x in before], fitted.get(node.scope))
        maps[node.name] = Maps(ours, theirs)
        for name in dropped:
            del maps[name]
    return {
        f"{scope}/{kind}": np.asarray(value)
        for scope, weights in fitted.items()
        for kind, value in weights._asdict().items()
    }


def fit_adapters(spec: DistillSpec, net: Tree, teacher: Teacher, images: np.ndarray) -> Tree:
    """Adapters that predict the teacher's activations best from those of the student."""
    random = np.random.default_rng(0)
    rows: dict[str, list[tuple[Rows, Rows]]] = {point: [] for point in spec.points}
    batches = range(0, len(images), BATCH)
    for first in batches:
        x = images[first : first + BATCH]
        ours, _ = _forward_train(spec, net, x)
        theirs = _teacher_features(spec, teacher, x, None)
        for point, kept in rows.items():
            a, b = _flat(np.asarray(ours[point])), _flat(np.asarray(theirs[point]))
            chosen = random.permutation(len(a))[: ROWS // len(batches)]
            kept.append((a[chosen], b[chosen]))
    adapters = {}
    for point, kept in rows.items():
        solution = least_squares(*(np.concatenate(part) for part in zip(*kept, strict=True)))
        adapters[point] = solution._asdict()
    return adapters


def choose_channels(rows: Rows, count: int) -> Int[np.ndarray, " count"]:
    """The channels that predict the others best linearly, chosen one after the other."""
    covariance = np.atleast_2d(np.cov(rows, rowvar=False, dtype=np.float64))
    chosen: list[int] = []
    floor = 1e-9 * np.trace(covariance) / len(covariance)
    for _ in range(count):
        variance = np.diag(covariance)
        explained = np.square(covariance).sum(0) / np.where(variance > floor, variance, np.inf)
        explained[chosen] = -1
        best = int(explained.argmax())
        chosen.append(best)
        if variance[best] > floor:
            column = covariance[:, best]
            covariance = covariance - np.outer(column, column) / variance[best]
    return np.sort(chosen)


def least_squares(x: Rows, y: Rows, *, relu: bool = False) -> Weights:
    """The affine map from rows of ``x`` to those of ``y``; with ``relu``, to those after a ReLU."""
    x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
    squares = (x.T @ x).astype(np.float64)
    ridge = np.full(len(squares), RIDGE * np.trace(squares[:-1, :-1]) / (len(squares) - 1) + 1e-9)
    ridge[-1] = 0
    factor = scipy.linalg.cho_factor(squares + np.diag(ridge))

    def solve(y: Rows) -> Rows:
        return scipy.linalg.cho_solve(factor, (x.T @ y).astype(np.float64)).astype(np.float32)

    solution = solve(y)
    for _ in range(RELU_ROUNDS if relu else 0):
        # Where the target is zero, any value below is as good.
        solution = solve(np.where(y > 0, y, np.minimum(x @ solution, 0)))
    return Weights(jnp.asarray(solution[:-1]), jnp.asarray(solution[-1]))


def _units(spec: DistillSpec, teacher: Teacher, images: np.ndarray) -> dict[str, float]:
    """The scale of each of the teacher's layers: student layers of unit scale train well.

    The branches of a block have one unit, so that each keeps its share of the block's energy.
    """
    graph = spec.teacher
    every_layer = dataclasses.replace(spec, points=dict.fromkeys(graph.nodes, 1.0))
    raw = teacher._replace(means={}, scales={})
    features = _teacher_features(every_layer, raw, images, None)
    units = {name: float(value.std()) for name, value in features.items()}
    for node in graph.nodes.values():
        if isinstance(node.op, Concat):
            for name in node.inputs:
                units[name] = units[node.name]
    for node in reversed(list(graph.nodes.values())):
        if isinstance(node.op, Relu):
            units[node.inputs[0]] = units[node.name]
    return units


def _in_order(graph: Graph) -> Iterator[tuple[Node, list[str]]]:
    """Every layer, and the maps that no layer needs after it."""
    nodes = [node for node in graph.nodes.values() if node.inputs]
    last = {name: node.name for node in nodes for name in node.inputs}
    for node in nodes:
        if isinstance(node.op, Dense):
            last[_before_pooling(graph, node)] = node.name
    for node in nodes:
        yield node, [name for name, user in last.items() if user == node.name]


def _before_pooling(graph: Graph, node: Node) -> str:
    """The map whose mean is the input of a dense layer: it has many positions for each picture."""
    while not isinstance(node.op, GlobalAveragePool):
        node = graph.nodes[node.inputs[0]]
    return node.inputs[0]


def _applied(op: Op, inputs: Sequence[np.ndarray], weights: Weights | None) -> np.ndarray:
    apply = jax.jit(lambda *x: apply_op(op, x, weights))
    batches = range(0, len(inputs[0]), BATCH)
    return np.concatenate([np.asarray(apply(*[x[i : i + BATCH] for x in inputs])) for i in batches])


def _fitted_convolution(
    op: Conv, x: np.ndarray, theirs: np.ndarray, random: np.random.Generator
) -> Weights:
    unknowns = x.shape[-1] * op.window[0] * op.window[1]
    count = int(np.prod(theirs.shape[:3]))
    rows = min(count, max(ROWS, ROWS_PER_UNKNOWN * unknowns))
    positions = np.unravel_index(random.choice(count, rows, replace=False), theirs.shape[:3])
    targets = theirs[positions]
    kept = choose_channels(np.maximum(targets, 0), op.features)
    solution = least_squares(_patches(op, x, positions), targets[:, kept], relu=True)
    return Weights(solution.kernel.reshape(*op.window, x.shape[-1], op.features), solution.bias)


def _patches(op: Conv, x: np.ndarray, positions: tuple[np.ndarray, ...]) -> Rows:
    """The convolution's input for these positions of its output, a row each."""
    x = np.pad(x, ((0, 0), *((pad, pad) for pad in op.padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, op.window, (1, 2))
    patches = windows[:, :: op.stride, :: op.stride][positions]
    return patches.transpose(0, 2, 3, 1).reshape(len(patches), -1)


def _fitted_dense(source: Maps, theirs: Weights) -> Weights:
    """The teacher's layer, applied to the teacher's map as predicted from the student's."""
    predicted = least_squares(_flat(source.ours), _flat(source.theirs))
    kernel = np.asarray(theirs.kernel)
    return Weights(predicted.kernel @ kernel, predicted.bias @ kernel + np.asarray(theirs.bias))


def _flat(x: np.ndarray) -> Rows:
    return x.reshape(-1, x.shape[-1])
