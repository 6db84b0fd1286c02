"""Checkpoints: a run that is resumed ends bit for bit where an uninterrupted one does."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from distillation import model
from distillation.checkpoints import Checkpoints
from distillation.rounds import Rounds
from distillation.settings import TrainSettings
from distillation.steps import (
    TrainState,
    half_precision_targets,
    make_optimizer,
    start_state,
    train_step,
)
from distillation.train import state_shapes
from jaxdream import JaxdreamError

SETTINGS = TrainSettings(
    rate=0.012, sides=(24,), pixels=4 * 24**2, steps_per_round=4, warmup=2, steps=11
)


@pytest.fixture(scope="module")
def optimizer():
    return make_optimizer(SETTINGS)


def run(spec, optimizer, pictures, teacher, state: TrainState, until: int) -> TrainState:
    """Steps up to ``until``, with rounds of its own, as in a new process."""
    compute_targets = partial(half_precision_targets, teacher, spec=spec)
    rounds = Rounds(compute_targets, SETTINGS, pictures)
    for step in range(int(state.step), until):
        state, _ = train_step(state, *rounds.batch(step), spec=spec, optimizer=optimizer)
    return state


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(spec, optimizer, pictures, teacher, tmp_path):
    def start() -> TrainState:
        return start_state(model.random_params(spec, 3), optimizer)

    steps = partial(run, spec, optimizer, pictures, teacher)
    uninterrupted = steps(start(), 11)
    half = steps(start(), 6)
    with Checkpoints(tmp_path / "checkpoints", SETTINGS) as checkpoints:
        checkpoints.save(5, start())
        checkpoints.save(6, half)
    with Checkpoints(tmp_path / "checkpoints", SETTINGS) as checkpoints:
        loaded = checkpoints.load(state_shapes(spec, optimizer))
    assert not any(leaf.committed for leaf in jax.tree.leaves(loaded))  # else: compiled again
    resumed = steps(loaded, 11)
    assert int(resumed.step) == 11
    assert jax.tree.structure(resumed) == jax.tree.structure(uninterrupted)
    for a, b in zip(jax.tree.leaves(uninterrupted), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_a_new_run_has_no_checkpoint(spec, optimizer, tmp_path):
    with Checkpoints(tmp_path / "none", SETTINGS) as checkpoints:
        assert checkpoints.load(state_shapes(spec, optimizer)) is None


@pytest.fixture
def saved(spec, optimizer, tmp_path):
    with Checkpoints(tmp_path / "run", SETTINGS) as checkpoints:
        checkpoints.save(3, start_state(model.random_params(spec, 0), optimizer))
    return tmp_path / "run"


def test_a_checkpoint_of_another_run_is_refused(spec, optimizer, saved):
    other = dataclasses.replace(SETTINGS, seed=5)
    with (
        Checkpoints(saved, other) as checkpoints,
        pytest.raises(JaxdreamError, match=r"'seed': 2015.* give the same options"),
    ):
        checkpoints.load(state_shapes(spec, optimizer))


def test_a_checkpoint_of_another_network_is_refused(spec, optimizer, saved):
    shapes = state_shapes(dataclasses.replace(spec, student=spec.teacher), optimizer)
    with (
        Checkpoints(saved, SETTINGS) as checkpoints,
        pytest.raises(JaxdreamError, match="another network"),
    ):
        checkpoints.load(shapes)
