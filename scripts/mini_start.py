"""Where ``train_mini.py`` starts: the student that approximates its teacher layer by layer.

From the picture on, every convolution of the student is fitted by least squares: from what the
student itself sees there to what the teacher answers, so that each layer makes good what those
before it lost. A layer narrower than the teacher's keeps the channels from which the others can
best be told. Fitting answers to what comes after the ReLU follows Zhang et al. 2015 (Accelerating
Very Deep Convolutional Networks, section 3.2); choosing channels and fitting the layers behind them
anew is He et al. 2017 (Channel Pruning for Accelerating Very Deep Neural Networks).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mini_model
import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from mini_model import Lesson, Teacher, Tree

from jaxdream.models.graph import Graph, Node
from jaxdream.models.ops import Concat, Conv, Dense, GlobalAveragePool, Op, Relu, Weights, apply_op
from jaxdream.models.weights.registry import CAFFE

ROWS = 30_000  # positions that a layer is fitted on, at least
ROWS_PER_UNKNOWN = 30  # weights of one output channel
RIDGE = 1e-4  # times the mean square of what a layer sees
RELU_ROUNDS = 4
BATCH = 64

Rows = Float[np.ndarray, "rows values"]


class Seen(NamedTuple):
    """A layer's map of every picture, in both networks."""

    ours: np.ndarray
    theirs: np.ndarray


def approximate(lesson: Lesson, teacher: Teacher, images: np.ndarray) -> dict[str, np.ndarray]:
    """Weights of the student, BatchNorm folded, in our layout; its layers are of unit size.

    Args:
        lesson: both graphs; the student's has the teacher's nodes.
        teacher: whose weights are approximated.
        images: (n, h, w, 3), RGB, 0..255.
    """
    random = np.random.default_rng(0)
    units = _units(lesson, teacher, images[:BATCH])
    learned: dict[str, Weights] = {}
    x = np.asarray(mini_model.seen(jnp.asarray(images), CAFFE))
    seen = {"data": Seen(x, x)}
    for node, dropped in _in_order(lesson.student):
        before = [seen[name] for name in node.inputs]
        op = lesson.teacher.nodes[node.name].op
        theirs = _applied(op, [x.theirs for x in before], teacher.weights.get(node.scope))
        if isinstance(node.op, Conv):
            answers = theirs / units[node.name]
            learned[node.scope] = _fitted_convolution(node.op, before[0].ours, answers, random)
        elif isinstance(node.op, Dense):
            source = seen[_before_pooling(lesson.student, node)]
            learned[node.scope] = _fitted_dense(source, teacher.weights[node.scope])
        ours = _applied(node.op, [x.ours for x in before], learned.get(node.scope))
        seen[node.name] = Seen(ours, theirs)
        for name in dropped:
            del seen[name]
    return {
        f"{scope}/{kind}": np.asarray(value)
        for scope, weights in learned.items()
        for kind, value in weights._asdict().items()
    }


def fit_adapters(lesson: Lesson, net: Tree, teacher: Teacher, images: np.ndarray) -> Tree:
    """Adapters that predict the teacher's activations best from those of the student."""
    random = np.random.default_rng(0)
    study = jax.jit(lambda x: mini_model.study(lesson, net, x)[0])
    teach = jax.jit(lambda x: mini_model.teach(lesson, teacher, x, None))
    rows: dict[str, list[tuple[Rows, Rows]]] = {point: [] for point in lesson.points}
    batches = range(0, len(images), BATCH)
    for first in batches:
        x = images[first : first + BATCH]
        ours, theirs = study(x), teach(x)
        for point, kept in rows.items():
            a, b = _flat(np.asarray(ours[point])), _flat(np.asarray(theirs[point]))
            some = random.permutation(len(a))[: ROWS // len(batches)]
            kept.append((a[some], b[some]))
    adapters = {}
    for point, kept in rows.items():
        solution = least_squares(*(np.concatenate(part) for part in zip(*kept, strict=True)))
        adapters[point] = solution._asdict()
    return adapters


def choose_channels(rows: Rows, count: int) -> Int[np.ndarray, " count"]:
    """The channels from which the others can best be told linearly, chosen one after the other."""
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
    """The affine map from rows of ``x`` to rows of ``y``; with ``relu``, to what is positive."""
    x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
    squares = (x.T @ x).astype(np.float64)
    ridge = np.full(len(squares), RIDGE * np.trace(squares[:-1, :-1]) / (len(squares) - 1) + 1e-9)
    ridge[-1] = 0
    factor = scipy.linalg.cho_factor(squares + np.diag(ridge))

    def solve(y: Rows) -> Rows:
        return scipy.linalg.cho_solve(factor, (x.T @ y).astype(np.float64)).astype(np.float32)

    solution = solve(y)
    for _ in range(RELU_ROUNDS if relu else 0):
        # Where the answer is zero, anything below is as good.
        solution = solve(np.where(y > 0, y, np.minimum(x @ solution, 0)))
    return Weights(jnp.asarray(solution[:-1]), jnp.asarray(solution[-1]))


def _units(lesson: Lesson, teacher: Teacher, images: np.ndarray) -> dict[str, float]:
    """What makes the teacher's layers of unit size, which suits training.

    The branches of a block have one unit, so that each keeps its share of the block's energy.
    """
    graph = lesson.teacher
    whole = dataclasses.replace(lesson, points=dict.fromkeys(graph.nodes, 1.0))
    raw = teacher._replace(means={}, scales={})
    made = jax.jit(lambda x: mini_model.teach(whole, raw, x, None))(images)
    units = {name: float(value.std()) for name, value in made.items()}
    for node in graph.nodes.values():
        if isinstance(node.op, Concat):
            for name in node.inputs:
                units[name] = units[node.name]
    for node in reversed(list(graph.nodes.values())):
        if isinstance(node.op, Relu):
            units[node.inputs[0]] = units[node.name]
    return units


def _in_order(graph: Graph) -> Iterator[tuple[Node, list[str]]]:
    """Every layer, and which maps nobody needs after it."""
    nodes = [node for node in graph.nodes.values() if node.inputs]
    last = {name: node.name for node in nodes for name in node.inputs}
    for node in nodes:
        if isinstance(node.op, Dense):
            last[_before_pooling(graph, node)] = node.name
    for node in nodes:
        yield node, [name for name, user in last.items() if user == node.name]


def _before_pooling(graph: Graph, node: Node) -> str:
    """The map whose mean a dense layer sees: it has more places than there are pictures."""
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
    places = np.unravel_index(random.choice(count, rows, replace=False), theirs.shape[:3])
    answers = theirs[places]
    kept = choose_channels(np.maximum(answers, 0), op.features)
    fitted = least_squares(_patches(op, x, places), answers[:, kept], relu=True)
    return Weights(fitted.kernel.reshape(*op.window, x.shape[-1], op.features), fitted.bias)


def _patches(op: Conv, x: np.ndarray, places: tuple[np.ndarray, ...]) -> Rows:
    """What the convolution sees at these places of its output, a row each."""
    x = np.pad(x, ((0, 0), *((pad, pad) for pad in op.padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, op.window, (1, 2))
    patches = windows[:, :: op.stride, :: op.stride][places]
    return patches.transpose(0, 2, 3, 1).reshape(len(patches), -1)


def _fitted_dense(source: Seen, theirs: Weights) -> Weights:
    """The teacher's layer on what the student's map tells of the teacher's."""
    told = least_squares(_flat(source.ours), _flat(source.theirs))
    kernel = np.asarray(theirs.kernel)
    return Weights(told.kernel @ kernel, told.bias @ kernel + np.asarray(theirs.bias))


def _flat(x: np.ndarray) -> Rows:
    return x.reshape(-1, x.shape[-1])
