"""``scripts/train_mini.py`` on a network of two layers: it learns, and resumes exactly."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import mini_data
import mini_model
import numpy as np
import pytest
import train_mini
from mini_model import Lesson

from jaxdream.errors import JaxdreamError
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import Conv, Dense, GlobalAveragePool, Input, MaxPool, Relu, Weights


def two_layers(width: int) -> Graph:
    build = GraphBuilder()
    x = build.add("data", Input())
    x = build.add("relu", Relu(), build.add("first", Conv(width, (3, 3), 1, (1, 1)), x))
    x = build.add("pool", MaxPool((3, 3), 2, ceil=True), x)
    x = build.add("second", Conv(2 * width, (1, 1)), x)
    build.add("classes", Dense(7), build.add("mean", GlobalAveragePool(), x))
    return Graph(build.nodes)


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    blocks = random.integers(0, 255, (6, 20, 20, 3), dtype=np.uint8)
    large = np.kron(blocks, np.ones((1, 8, 8, 1), np.uint8))
    return mini_data.Pictures(large, large[:, :84, :84])


def options_of(folder: Path, **changes):
    options = train_mini.parse(["--shared", str(folder), "--state", str(folder)])
    settings = {"rate": 0.012, "adam_rate": 2e-3}
    settings |= {"sides": [24, 16], "pixels": 4 * 24**2, "round": 4, "warmup": 2, "steps": 11}
    vars(options).update(settings | changes)
    return options


@pytest.fixture(scope="module")
def lesson():
    return Lesson(two_layers(4), two_layers(8), {"pool": 1.0, "second": 1.0}, "classes")


@pytest.fixture(scope="module")
def teacher(lesson, data):
    random = np.random.default_rng(1)
    weights = {
        scope: Weights(jnp.asarray(random.normal(0, 0.2, shape), jnp.float32), jnp.zeros(shape[-1]))
        for scope, shape in lesson.teacher.kernel_shapes.items()
    }
    return mini_model.introduce(lesson, weights, data.large[:, :24, :24])


@pytest.fixture(scope="module")
def trainer(lesson, tmp_path_factory):
    options = options_of(tmp_path_factory.mktemp("options"))
    return train_mini.Trainer(lesson, train_mini.make_optimizer(options))


def start(trainer, seed: int):
    return trainer.start(mini_model.random_params(trainer.lesson, seed))


def run(trainer, options, data, teacher, state, until):
    """Steps up to ``until``; the rounds start anew, as they do in a new process."""
    rounds = train_mini.Rounds(partial(trainer.teach, teacher), options, data)
    losses = []
    for step in range(int(state.step), until):
        state, parts = trainer.step(state, *rounds.batch(step))
        losses.append(float(parts["pool"]))
    return state, losses


def test_resumed_run_equals_uninterrupted_one(trainer, data, teacher, tmp_path):
    options = options_of(tmp_path)
    whole, _ = run(trainer, options, data, teacher, start(trainer, 3), 11)
    half, _ = run(trainer, options, data, teacher, start(trainer, 3), 6)
    train_mini.save_checkpoint(half, tmp_path / "checkpoint.safetensors", options)
    half = train_mini.load_checkpoint(trainer, tmp_path / "checkpoint.safetensors", options)
    again, _ = run(trainer, options, data, teacher, half, 11)
    assert int(again.step) == 11
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoint_of_another_run_is_refused(trainer, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    train_mini.save_checkpoint(start(trainer, 0), path, options_of(tmp_path))
    with pytest.raises(JaxdreamError, match="same options"):
        train_mini.load_checkpoint(trainer, path, options_of(tmp_path, seed=5))


def test_it_learns(trainer, data, teacher, tmp_path):
    options = options_of(tmp_path)
    _, losses = run(trainer, options, data, teacher, start(trainer, 0), 60)
    assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])


def test_folded_network_is_the_trained_one(trainer, lesson, data):
    images = jnp.asarray(data.large[:4, :24, :24])
    net = start(trainer, 0).params["net"]
    trained, statistics = mini_model.study(lesson, net, images)
    folded = mini_model.perform(lesson, mini_model.fold(net, statistics), images)
    for name, value in trained.items():
        np.testing.assert_allclose(folded[name], value, rtol=1e-4, atol=1e-4)


def test_an_exported_network_can_be_trained_further(trainer, lesson, data):
    images = jnp.asarray(data.large[:4, :24, :24])
    net = jax.tree.map(lambda leaf: leaf + 0.1, start(trainer, 0).params["net"])
    expected, statistics = mini_model.study(lesson, net, images)
    folded = mini_model.fold(net, statistics)
    again = mini_model.unfold(lesson, folded, images)
    found, _ = mini_model.study(lesson, again, images)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3)
    assert jax.tree.structure(again) == jax.tree.structure(net)


def test_crops_follow_the_seed(data):
    def cut(seed: int) -> np.ndarray:
        return mini_data.crops(data, np.random.default_rng(seed), 5, 24)

    np.testing.assert_array_equal(cut(1), cut(1))
    assert (cut(1) != cut(2)).any()
