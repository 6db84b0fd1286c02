"""The start of training: least squares find the teacher again, or its best approximation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distillation import model, start
from distillation.model import DistillSpec
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import (
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Input,
    MaxPool,
    Relu,
    Weights,
)


def network(width: int) -> Graph:
    build = GraphBuilder()
    x = build.add("data", Input())
    x = build.add("relu", Relu(), build.add("first", Conv(width, (3, 3), 2, (1, 1)), x))
    x = build.add("pool", MaxPool((3, 3), 2, ceil=True), x)
    one = build.add("one/relu", Relu(), build.add("one", Conv(width, (1, 1)), x))
    two = build.add("two/relu", Relu(), build.add("two", Conv(width, (5, 5), 1, (2, 2)), x))
    x = build.add("output", Concat(), one, two)
    build.add("classes", Dense(7), build.add("mean", GlobalAveragePool(), x))
    return Graph(build.nodes)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def teacher(images):
    graph, random = network(8), np.random.default_rng(1)
    weights = {
        scope: Weights(
            jnp.asarray(random.normal(0, 0.2, shape), jnp.float32),
            jnp.asarray(random.normal(0, 1, shape[-1]), jnp.float32),
        )
        for scope, shape in graph.kernel_shapes.items()
    }
    spec = DistillSpec(graph, graph, {"output": 1.0}, "classes")
    return model.measure_teacher(spec, weights, jnp.asarray(images))


def spec_of(width: int) -> DistillSpec:
    return DistillSpec(network(width), network(8), {"output": 1.0}, "classes")


@pytest.mark.slow
def test_a_student_as_wide_as_its_teacher_becomes_it(teacher, images):
    spec = spec_of(8)
    folded = start.approximate(spec, teacher, images)
    ours = model.forward_folded(spec, folded, images)
    theirs = model.teacher_features(spec, teacher._replace(means={}, scales={}), images, None)
    theirs["output"] /= theirs["output"].std()  # one unit for both branches
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, atol=0.05 * expected.std())


@pytest.mark.slow
def test_a_narrower_student_explains_more_than_a_random_one(teacher, images):
    spec = spec_of(6)
    folded = start.approximate(spec, teacher, images)
    fitted = model.unfold(spec, folded, jnp.asarray(images))
    left = []
    for net in (fitted, model.random_params(spec, 0)["net"]):
        adapters = start.fit_adapters(spec, net, teacher, images)
        ours, _ = model.forward_train(spec, net, jnp.asarray(images))
        theirs = model.teacher_features(spec, teacher, jnp.asarray(images), None)
        left.append(float(model.unexplained(adapters, ours, theirs)["output"]))
    assert left[0] < 0.5 * left[1]


def test_channels_that_others_predict_are_not_chosen():
    rows = np.random.default_rng(0).normal(0, 1, (200, 5))
    rows[:, 3] = 2 * rows[:, 0] - rows[:, 1]
    chosen = start.choose_channels(rows, 4)
    assert len(set(chosen)) == 4
    assert {2, 4} < set(chosen)  # nothing else predicts them


def test_after_a_relu_only_positive_values_have_to_fit():
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (500, 3)).astype(np.float32)
    y = (x @ random.normal(0, 1, (3, 2)) + 0.3).astype(np.float32)
    bent = np.where(y < 0, 7 * y, y)  # no line fits both sides

    def error(weights: Weights) -> float:
        return float(
            jnp.square(jnp.maximum(x @ weights.kernel + weights.bias, 0) - y.clip(0)).mean()
        )

    plain, relu = (start.least_squares(x, bent, relu=relu) for relu in (False, True))
    assert error(relu) < 0.5 * error(plain)
    assert jax.tree.map(jnp.shape, relu) == Weights((3, 2), (2,))
