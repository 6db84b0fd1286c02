"""``scripts/mini_start.py``: least squares find the teacher again, or what comes nearest to it."""

import jax
import jax.numpy as jnp
import mini_model
import mini_start
import numpy as np
import pytest
from mini_model import Lesson

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
    lesson = Lesson(graph, graph, {"output": 1.0}, "classes")
    return mini_model.introduce(lesson, weights, jnp.asarray(images))


def lesson_of(width: int) -> Lesson:
    return Lesson(network(width), network(8), {"output": 1.0}, "classes")


def test_a_student_as_wide_as_its_teacher_becomes_it(teacher, images):
    lesson = lesson_of(8)
    folded = mini_start.approximate(lesson, teacher, images)
    ours = mini_model.perform(lesson, folded, images)
    theirs = mini_model.teach(lesson, teacher._replace(means={}, scales={}), images, None)
    theirs["output"] /= theirs["output"].std()  # one unit for both branches
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, atol=0.05 * expected.std())


def test_a_narrower_student_explains_more_than_a_random_one(teacher, images):
    lesson = lesson_of(6)
    folded = mini_start.approximate(lesson, teacher, images)
    fitted = mini_model.unfold(lesson, folded, jnp.asarray(images))
    left = []
    for net in (fitted, mini_model.random_params(lesson, 0)["net"]):
        adapters = mini_start.fit_adapters(lesson, net, teacher, images)
        ours, _ = mini_model.study(lesson, net, jnp.asarray(images))
        theirs = mini_model.teach(lesson, teacher, jnp.asarray(images), None)
        left.append(float(mini_model.unexplained(adapters, ours, theirs)["output"]))
    assert left[0] < 0.5 * left[1]


def test_channels_that_repeat_others_are_not_chosen():
    rows = np.random.default_rng(0).normal(0, 1, (200, 5))
    rows[:, 3] = 2 * rows[:, 0] - rows[:, 1]
    chosen = mini_start.choose_channels(rows, 4)
    assert len(set(chosen)) == 4
    assert {2, 4} < set(chosen)  # nothing else tells them


def test_after_a_relu_only_what_is_positive_has_to_fit():
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (500, 3)).astype(np.float32)
    y = (x @ random.normal(0, 1, (3, 2)) + 0.3).astype(np.float32)
    bent = np.where(y < 0, 7 * y, y)  # no line fits both sides

    def error(weights: Weights) -> float:
        return float(
            jnp.square(jnp.maximum(x @ weights.kernel + weights.bias, 0) - y.clip(0)).mean()
        )

    plain, relu = (mini_start.least_squares(x, bent, relu=relu) for relu in (False, True))
    assert error(relu) < 0.5 * error(plain)
    assert jax.tree.map(jnp.shape, relu) == Weights((3, 2), (2,))
