"""The student: its training form, what it is trained to match, and its folded form.

In training every convolution is followed by BatchNorm with the batch's own statistics; folded, it
is a plain convolution with bias, as jaxdream runs it. After every block a 1x1 adapter predicts the
teacher's activations from the student's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from distillation.internals import (
    INCEPTION_WIDTHS,
    Conv,
    Graph,
    Node,
    WeightArrays,
    Weights,
    apply_op,
    evaluate,
    student_input,
    teacher_input,
)

Tree = Any
Pixels = UInt8[Array, "n h w 3"]  # RGB, 0..255
Activations = dict[str, Array]

# The layers that are matched, and their weights in the loss: largest where dreams are made.
POINTS = {
    "pool2/3x3_s2": 0.5,
    **{f"inception_{block}/output": 0.7 for block in INCEPTION_WIDTHS},
    "inception_3b/output": 1.5,
    "inception_4c/output": 1.5,
    "inception_4e/output": 1.0,
}
LOGITS = "loss3/classifier"
LOGITS_WEIGHT = 0.2
TEMPERATURE = 2.0
NORM_EPSILON = 1e-3
SUBSAMPLED_FROM = 8  # rows of a map of which every second row and column is matched


@dataclass(frozen=True, eq=False)  # static data of compiled functions: compared by identity
class DistillSpec:
    """Both networks, and the layers that are matched."""

    student: Graph
    teacher: Graph
    points: Mapping[str, float]  # layers of both, with their weights in the loss
    logits: str


def subsample(x: Array, phase: Array | None) -> Array:
    """A quarter of a large map's positions, one of four: neighbours are much alike."""
    if phase is None or x.ndim != 4 or x.shape[1] < SUBSAMPLED_FROM:
        return x
    n, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    x = jax.lax.dynamic_index_in_dim(x, phase // 2, 2, keepdims=False)
    return jax.lax.dynamic_index_in_dim(x, phase % 2, 3, keepdims=False)


class Teacher(NamedTuple):
    """The teacher's weights by scope, and the normalisation of its activations by point."""

    weights: Mapping[str, Weights]
    means: Mapping[str, Array]  # of each channel
    scales: Mapping[str, Array]  # one for all channels, so that strong channels matter more


def teacher_features(
    spec: DistillSpec, teacher: Teacher, images: Pixels, phase: Array | None
) -> Activations:
    """The teacher's activations at the points, of unit size, and its logits."""

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        return apply_op(node.op, inputs, teacher.weights.get(node.scope))

    names = (*spec.points, spec.logits)
    features = evaluate(spec.teacher, teacher_input(images), names, apply)
    for point, mean in teacher.means.items():
        features[point] = (subsample(features[point], phase) - mean) * teacher.scales[point]
    return features


def measure_teacher(spec: DistillSpec, weights: Mapping[str, Weights], images: Pixels) -> Teacher:
    """The teacher, its normalisation measured on pictures."""
    features = teacher_features(spec, Teacher(weights, {}, {}), images, None)
    means = {point: features[point].mean((0, 1, 2)) for point in spec.points}
    scales = {
        point: jax.lax.rsqrt(jnp.square(features[point] - mean).mean())
        for point, mean in means.items()
    }
    return Teacher(weights, means, scales)


def random_params(spec: DistillSpec, seed: int) -> Tree:
    """Random weights: unit columns for convolutions, whose scale BatchNorm makes irrelevant."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        values = random.normal(0, 1, shape) / np.sqrt(np.prod(shape[:-1]))
        return jnp.asarray(values, jnp.float32)

    net = {}
    for scope, shape in spec.student.kernel_shapes.items():
        net[scope] = {"kernel": normal(*shape), "bias": jnp.zeros(shape[-1])}
        if len(shape) == 4:
            net[scope] |= {"kernel": unit_columns(net[scope]["kernel"])}
            net[scope] |= {"scale": jnp.ones(shape[-1])}
    adapters = {}
    for point in spec.points:
        ours, theirs = spec.student.channels[point], spec.teacher.channels[point]
        adapters[point] = {"kernel": normal(ours, theirs), "bias": jnp.zeros(theirs)}
    return {"net": net, "adapters": adapters}


def unit_columns(kernel: Float[Array, "h w i o"]) -> Float[Array, "h w i o"]:
    """The kernel with every output channel's weights scaled to length one."""
    return kernel * jax.lax.rsqrt(jnp.square(kernel).sum((0, 1, 2)) + 1e-12)


def forward_train(spec: DistillSpec, net: Tree, images: Pixels) -> tuple[Activations, Tree]:
    """The student in training: its activations at the points and logits, and batch statistics.

    The statistics are the means and variances of every convolution's output.
    """
    statistics = {}

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        layer = net.get(node.scope)
        if layer is None or not isinstance(node.op, Conv):
            weights = layer and Weights(layer["kernel"], layer["bias"])
            return apply_op(node.op, inputs, weights)
        y = apply_op(node.op, inputs, Weights(layer["kernel"], jnp.zeros(())))
        mean = y.mean((0, 1, 2))
        variance = jnp.square(y - mean).mean((0, 1, 2))
        statistics[node.scope] = {"mean": mean, "variance": variance}
        scale = layer["scale"] * jax.lax.rsqrt(variance + NORM_EPSILON)
        return y * scale + (layer["bias"] - mean * scale)

    names = (*spec.points, spec.logits)
    return evaluate(spec.student, student_input(images), names, apply), statistics


def forward_folded(spec: DistillSpec, folded: WeightArrays, images: Pixels) -> Activations:
    """The folded student: activations at the points and logits."""

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        if f"{node.scope}/kernel" not in folded:
            return apply_op(node.op, inputs)
        kernel, bias = (jnp.asarray(folded[f"{node.scope}/{kind}"]) for kind in ("kernel", "bias"))
        return apply_op(node.op, inputs, Weights(kernel, bias))

    return evaluate(spec.student, student_input(images), (*spec.points, spec.logits), apply)


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


def unfold(spec: DistillSpec, folded: WeightArrays, images: Pixels) -> Tree:
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

    evaluate(spec.student, student_input(images), (*spec.points, spec.logits), apply)
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


def loss(spec: DistillSpec, params: Tree, images: Pixels, targets: Activations, phase: Array):
    """The loss; also its terms."""
    ours, _ = forward_train(spec, params["net"], images)
    ours = {name: subsample(value, phase) for name, value in ours.items()}
    terms = unexplained(params["adapters"], ours, targets)
    terms["divergence"] = divergence(ours[spec.logits], targets[spec.logits])
    factors = {**spec.points, "divergence": LOGITS_WEIGHT}
    return sum(factor * terms[name] for name, factor in factors.items()), terms
