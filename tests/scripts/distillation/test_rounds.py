"""Rounds of training."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from distillation.rounds import Rounds, full_batch
from distillation.settings import TrainSettings

SETTINGS = TrainSettings(sides=(24, 16), pixels=4 * 24**2, steps_per_round=6, reuse=3)


def brightness(images, phase):
    return {"mean": images.astype(jnp.float32).mean((1, 2, 3)) + phase}


@pytest.fixture
def rounds(pictures):
    return Rounds(brightness, SETTINGS, pictures)


def test_every_crop_is_used_as_often_as_the_others_with_its_own_targets(rounds):
    used: dict[bytes, int] = {}
    for step in range(6):
        images, targets, phase = rounds.batch(step)
        assert images.shape == (rounds.batch_size(step), 24, 24, 3)
        np.testing.assert_allclose(targets["mean"], brightness(images, phase)["mean"], rtol=1e-5)
        for image in np.asarray(images):
            used[image.tobytes()] = used.get(image.tobytes(), 0) + 1
    assert set(used.values()) == {SETTINGS.reuse}


def test_rounds_take_turns_in_their_sides(rounds):
    assert [rounds.batch(step)[0].shape[1] for step in (0, 6, 12)] == [24, 16, 24]


def test_a_batch_does_not_depend_on_those_before_it_but_on_the_seed(rounds, pictures):
    rounds.batch(0)
    images = rounds.batch(7)[0]
    np.testing.assert_array_equal(images, Rounds(brightness, SETTINGS, pictures).batch(7)[0])
    other = Rounds(brightness, dataclasses.replace(SETTINGS, seed=1), pictures)
    assert (np.asarray(images) != np.asarray(other.batch(7)[0])).any()


def test_the_last_batch_is_filled_from_the_front():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    np.testing.assert_array_equal(full_batch(images, 3, 4).ravel(), [3, 4, 0, 1])
