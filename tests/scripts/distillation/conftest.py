"""A student and a teacher of two layers, and pictures of coloured blocks."""

import jax.numpy as jnp
import numpy as np
import pytest

from distillation import data, model
from distillation.internals import Conv, Dense, GlobalAveragePool, Graph, Relu, Weights
from distillation.model import DistillSpec
from jaxdream.models.graph import GraphBuilder
from jaxdream.models.ops import Input, MaxPool


def two_layers(width: int) -> Graph:
    build = GraphBuilder()
    x = build.add("data", Input())
    x = build.add("relu", Relu(), build.add("first", Conv(width, (3, 3), 1, (1, 1)), x))
    x = build.add("pool", MaxPool((3, 3), 2, ceil=True), x)
    x = build.add("second", Conv(2 * width, (1, 1)), x)
    build.add("classes", Dense(7), build.add("mean", GlobalAveragePool(), x))
    return Graph(build.nodes)


@pytest.fixture(scope="session")
def spec():
    return DistillSpec(two_layers(4), two_layers(8), {"pool": 1.0, "second": 1.0}, "classes")


@pytest.fixture(scope="session")
def pictures():
    random = np.random.default_rng(0)
    blocks = random.integers(0, 255, (6, 20, 20, 3), dtype=np.uint8)
    large = np.kron(blocks, np.ones((1, 8, 8, 1), np.uint8))
    return data.Pictures(large, large[:, :84, :84])


@pytest.fixture(scope="session")
def teacher(spec, pictures):
    random = np.random.default_rng(1)
    weights = {
        scope: Weights(jnp.asarray(random.normal(0, 0.2, shape), jnp.float32), jnp.zeros(shape[-1]))
        for scope, shape in spec.teacher.kernel_shapes.items()
    }
    return model.measure_teacher(spec, weights, pictures.large[:, :24, :24])
