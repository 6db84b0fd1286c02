"""The student of ``train_mini.py``: its training form, what it is taught, and its folded form.

In training every convolution is followed by BatchNorm with the batch's own statistics; folded, it
is a plain convolution with bias, as the program runs it. After every block a 1x1 adapter predicts
the teacher's activations from the student's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxdream.models.googlenet import INCEPTION_WIDTHS
from jaxdream.models.graph import Graph, Node
from jaxdream.models.network import WeightArrays, evaluate
from jaxdream.models.ops import Conv, Weights, apply_op
from jaxdream.models.weights.registry import CAFFE, NOTEBOOK_2015, Preprocessing

Tree = Any
Pixels = UInt8[Array, "n h w 3"]  # RGB, 0..255
Activations = dict[str, Array]

# What is matched, and how much it counts: most where dreams are made.
POINTS = {
    "pool2/3x3_s2": 0.5,
    **{f"inception_{block}/output": 0.7 for block in INCEPTION_WIDTHS},
    "inception_3b/output": 1.5,
    "inception_4c/output": 1.5,
    "inception_4e/output": 1.0,
}
LOGITS = "loss3/classifier"
LOGITS_COUNT = 0.2
TEMPERATURE = 2.0
NORM_EPSILON = 1e-3
THINNED_FROM = 8  # rows of a map of which every second row and column is matched


@dataclass(frozen=True, eq=False)  # static data of compiled functions: compared by identity
class Lesson:
    """Who learns what from whom."""

    student: Graph
    teacher: Graph
    points: Mapping[str, float]  # layers of both that are matched, and how much each counts
    logits: str


def seen(images: Pixels, pixels: Preprocessing) -> Float[Array, "n h w 3"]:
    """What a Caffe network sees of pictures (RGB, 0..255)."""
    return images[..., ::-1].astype(jnp.float32) - jnp.asarray(pixels.mean, jnp.float32)


def thin(x: Array, phase: Array | None) -> Array:
    """One of the four quarters of a large map's positions; neighbours say much the same."""
    if phase is None or x.ndim != 4 or x.shape[1] < THINNED_FROM:
        return x
    n, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    x = jax.lax.dynamic_index_in_dim(x, phase // 2, 2, keepdims=False)
    return jax.lax.dynamic_index_in_dim(x, phase % 2, 3, keepdims=False)


class Teacher(NamedTuple):
    """The teacher's weights by scope, and what makes its activations of unit size."""

    weights: Mapping[str, Weights]
    means: Mapping[str, Array]  # by channel
    scales: Mapping[str, Array]  # one number for all channels: strong channels count for more


def teach(lesson: Lesson, teacher: Teacher, images: Pixels, phase: Array | None) -> Activations:
    """The teacher's activations at the points, of unit size, and its logits."""

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        return apply_op(node.op, inputs, teacher.weights.get(node.scope))

    x = seen(images, NOTEBOOK_2015)
    made = evaluate(lesson.teacher, x, (*lesson.points, lesson.logits), apply)
    for point, mean in teacher.means.items():
        made[point] = (thin(made[point], phase) - mean) * teacher.scales[point]
    return made


def introduce(lesson: Lesson, weights: Mapping[str, Weights], images: Pixels) -> Teacher:
    """The teacher, its scales measured on pictures."""
    made = teach(lesson, Teacher(weights, {}, {}), images, None)
    means = {point: made[point].mean((0, 1, 2)) for point in lesson.points}
    scales = {
        point: jax.lax.rsqrt(jnp.square(made[point] - mean).mean()) for point, mean in means.items()
    }
    return Teacher(weights, means, scales)


def random_params(lesson: Lesson, seed: int) -> Tree:
    """Random weights: unit columns for convolutions, whose scale BatchNorm makes irrelevant."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        values = random.normal(0, 1, shape) / np.sqrt(np.prod(shape[:-1]))
        return jnp.asarray(values, jnp.float32)

    net = {}
    for scope, shape in lesson.student.kernel_shapes.items():
        net[scope] = {"kernel": normal(*shape), "bias": jnp.zeros(shape[-1])}
        if len(shape) == 4:
            net[scope] |= {"kernel": unit_columns(net[scope]["kernel"])}
            net[scope] |= {"scale": jnp.ones(shape[-1])}
    adapters = {}
    for point in lesson.points:
        ours, theirs = lesson.student.channels[point], lesson.teacher.channels[point]
        adapters[point] = {"kernel": normal(ours, theirs), "bias": jnp.zeros(theirs)}
    return {"net": net, "adapters": adapters}


def unit_columns(kernel: Float[Array, "h w i o"]) -> Float[Array, "h w i o"]:
    """The kernel with every output channel's weights scaled to length one."""
    return kernel * jax.lax.rsqrt(jnp.square(kernel).sum((0, 1, 2)) + 1e-12)


def study(lesson: Lesson, net: Tree, images: Pixels) -> tuple[Activations, Tree]:
    """The student in training: activations at the points, logits; means and variances used."""
    statistics = {}

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        layer = net.get(node.scope)
        if layer is None or not isinstance(node.op, Conv):
            return apply_op(node.op, inputs, layer and Weights(layer["kernel"], layer["bias"]))
        y = apply_op(node.op, inputs, Weights(layer["kernel"], jnp.zeros(())))
        mean = y.mean((0, 1, 2))
        variance = jnp.square(y - mean).mean((0, 1, 2))
        statistics[node.scope] = {"mean": mean, "variance": variance}
        scale = layer["scale"] * jax.lax.rsqrt(variance + NORM_EPSILON)
        return y * scale + (layer["bias"] - mean * scale)

    names = (*lesson.points, lesson.logits)
    return evaluate(lesson.student, seen(images, CAFFE), names, apply), statistics


def perform(lesson: Lesson, folded: WeightArrays, images: Pixels) -> Activations:
    """The folded student: activations at the points and logits."""

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        if f"{node.scope}/kernel" not in folded:
            return apply_op(node.op, inputs)
        kernel, bias = (jnp.asarray(folded[f"{node.scope}/{kind}"]) for kind in ("kernel", "bias"))
        return apply_op(node.op, inputs, Weights(kernel, bias))

    return evaluate(lesson.student, seen(images, CAFFE), (*lesson.points, lesson.logits), apply)


def fold(net: Tree, statistics: Tree) -> dict[str, np.ndarray]:
    """BatchNorm with these statistics, folded into the convolutions; in our layout."""
    arrays = {}
    for scope, layer in net.items():
        kernel, bias = np.asarray(layer["kernel"]), np.asarray(layer["bias"])
        if scope in statistics:
            norm = jax.tree.map(np.asarray, statistics[scope])
            scale = np.asarray(layer["scale"]) / np.sqrt(norm["variance"] + NORM_EPSILON)
            kernel, bias = kernel * scale, bias - norm["mean"] * scale
        arrays[f"{scope}/kernel"], arrays[f"{scope}/bias"] = kernel, bias
    return arrays


def unfold(lesson: Lesson, folded: WeightArrays, images: Pixels) -> Tree:
    """The net whose folding gives these weights back, at its statistics on some pictures.

    So training can go on from an exported network.
    """
    net: dict[str, dict[str, Array]] = {}

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        if f"{node.scope}/kernel" not in folded:
            return apply_op(node.op, inputs)
        kernel, bias = (jnp.asarray(folded[f"{node.scope}/{kind}"]) for kind in ("kernel", "bias"))
        y = apply_op(node.op, inputs, Weights(kernel, jnp.zeros(())))
        net[node.scope] = {"kernel": kernel, "bias": bias}
        if isinstance(node.op, Conv):
            mean = y.mean((0, 1, 2))
            variance = jnp.square(y - mean).mean((0, 1, 2))
            length = jnp.sqrt(jnp.square(kernel).sum((0, 1, 2)))
            scale = jnp.sqrt(variance + NORM_EPSILON * jnp.square(length))
            net[node.scope] = {"kernel": unit_columns(kernel), "bias": bias + mean, "scale": scale}
        return y + bias

    evaluate(lesson.student, seen(images, CAFFE), (*lesson.points, lesson.logits), apply)
    return net


def unexplained(adapters: Tree, ours: Activations, theirs: Activations) -> Activations:
    """Share of the teacher's variance at every point that the adapted student does not explain."""
    shares = {}
    for point, adapter in adapters.items():
        target = theirs[point].astype(jnp.float32)
        error = ours[point] @ adapter["kernel"] + adapter["bias"] - target
        variance = jnp.square(target - target.mean((0, 1, 2))).sum()
        shares[point] = jnp.square(error).sum() / variance
    return shares


def divergence(ours: Float[Array, "n k"], theirs: Float[Array, "n k"]) -> Float[Array, ""]:
    """Kullback-Leibler divergence of the softened class probabilities (Hinton et al. 2015)."""
    target = jax.nn.log_softmax(theirs.astype(jnp.float32) / TEMPERATURE)
    error = target - jax.nn.log_softmax(ours / TEMPERATURE)
    return TEMPERATURE**2 * jnp.mean(jnp.sum(jnp.exp(target) * error, axis=-1))


def loss(lesson: Lesson, params: Tree, images: Pixels, theirs: Activations, phase: Array):
    """What training makes small; also its parts."""
    ours, _ = study(lesson, params["net"], images)
    ours = {name: thin(value, phase) for name, value in ours.items()}
    parts = unexplained(params["adapters"], ours, theirs)
    parts["divergence"] = divergence(ours[lesson.logits], theirs[lesson.logits])
    counts = {**lesson.points, "divergence": LOGITS_COUNT}
    return sum(count * parts[name] for name, count in counts.items()), parts
