"""Training steps on a network of two layers: the loss falls."""

from functools import partial

import numpy as np
import pytest

from distillation import model
from distillation.rounds import Rounds
from distillation.settings import TrainSettings
from distillation.steps import (
    half_precision_targets,
    learning_rate,
    make_optimizer,
    start_state,
    train_step,
)

SETTINGS = TrainSettings(
    rate=0.012, adam_rate=2e-3, sides=(24, 16), pixels=4 * 24**2, steps_per_round=4, warmup=2
)


@pytest.mark.slow
def test_the_loss_falls(spec, pictures, teacher):
    optimizer = make_optimizer(SETTINGS)
    state = start_state(model.random_params(spec, 0), optimizer)
    compute_targets = partial(half_precision_targets, teacher, spec=spec)
    rounds = Rounds(compute_targets, SETTINGS, pictures)
    losses = []
    for step in range(60):
        state, terms = train_step(state, *rounds.batch(step), spec=spec, optimizer=optimizer)
        losses.append(float(terms["pool"]))
    assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])


def test_the_learning_rate_warms_up_and_falls_to_zero():
    settings = TrainSettings(warmup=10, decay_from=50, steps=90)
    rates = [float(learning_rate(settings, 0.5)(step)) for step in (0, 5, 10, 49, 70, 90)]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.5, 0.25, 0])
