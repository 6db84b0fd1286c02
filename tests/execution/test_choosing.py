"""Objectives whose channels a picture chooses."""

from functools import partial

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.execution.choosing import channel_means, choose
from jaxdream.objectives import layer, strongest, weakest, without
from jaxdream.objectives.activations import activations_of

OPTIONS = {"steps": 2, "octaves": 1, "jitter": 3}


def test_the_means_are_those_of_the_picture_in_a_padded_array(tiny, picture):
    activations = activations_of(tiny, picture, ("second",))["second"]
    means = channel_means(tiny, picture, "second")
    np.testing.assert_allclose(means, activations.mean(axis=(0, 1)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("make", [strongest, weakest, without])
def test_channels_are_chosen_by_the_means(tiny, picture, make):
    means = np.asarray(channel_means(tiny, picture, "relu"))
    chosen, axes = choose(tiny, 0.5 * make("relu", 2) + layer("second"), [picture])
    weights = np.asarray(chosen.terms[0].objective.weights)
    by_mean = list(np.argsort(-means))
    wanted = {strongest: by_mean[:2], without: by_mean[2:]}.get(make)
    if wanted is None:
        wanted = [channel for channel in by_mean if means[channel] > 0][-2:]
    assert set(np.flatnonzero(weights)) == set(wanted)
    assert axes is None


def test_each_picture_of_a_batch_has_its_own(tiny):
    random = np.random.default_rng(5)
    images = random.uniform(0, 255, (2, 24, 30, 3)).astype(np.float32)
    images[1] *= (0.1, 0.1, 1.0)
    objective = strongest("first", 1)
    chosen, axes = choose(tiny, objective, list(images))
    assert axes == (0,)
    assert (chosen.weights[0] != chosen.weights[1]).any()
    batch = jd.dream(jax.random.key(0), tiny, images, objective, **OPTIONS)
    for number, image in enumerate(images):
        key = jax.random.fold_in(jax.random.key(0), number)
        alone = jd.dream(key, tiny, image, objective, **OPTIONS)
        np.testing.assert_allclose(batch[number], alone, atol=0.01)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("strongest(second, 0)", "a whole number of at least 1"),
        ("strongest(second, 6)", "second has 5: give at most 5"),
        ("without(second, 5)", "second has 5: give at most 4"),
        ("strongest(second)", "expected ','"),
    ],
)
def test_counts_that_a_layer_does_not_have_are_refused(tiny, picture, text, line):
    with pytest.raises(jd.JaxdreamError, match=line):
        jd.dream(0, tiny, picture, text, **OPTIONS)


def test_channels_are_chosen_again_in_every_octave_by_the_dream_so_far(tiny, picture):
    options = {"steps": 3, "octaves": 3, "jitter": 3, "step_size": 20.0}
    chosen = []
    original = jd.execution.choosing.choose

    def watched(model, objective, pictures, dreams=None):
        found = original(model, objective, pictures, dreams)
        chosen.append(np.asarray(found[0].terms[0].weights))
        means = channel_means(model, (dreams or pictures)[0], "second")
        assert set(np.flatnonzero(chosen[-1])) == set(np.argsort(-np.asarray(means))[:2])
        once = found[0].terms[1].objective.weights
        np.testing.assert_array_equal(
            once, original(model, objective, pictures)[0].terms[1].objective.weights
        )
        return found

    objective = strongest("second", 2, every_octave=True) - 0.5 * strongest("first", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxdream.deepdream.choose", watched)
        jd.dream(0, tiny, picture, objective, **options)
    assert len(chosen) == 3
    text = "strongest(second, 2, every_octave) - 0.5*strongest(first, 1)"
    assert repr(objective) == repr(jd.parse_objective(text, tiny)) == text


def test_a_batch_chooses_again_also_where_its_pictures_agree_for_a_while(tiny, picture):
    # Pictures that agree need the same program as those that do not.
    assert choose(tiny, strongest("second", 1), [picture, picture])[1] == (0,)
    images = np.stack([picture, picture])
    options = {"steps": 2, "octaves": 3, "jitter": 9, "step_size": 40.0}
    objective = strongest("second", 1, every_octave=True)
    batch = jd.dream(4, tiny, images, objective, **options)
    for number, image in enumerate(images):
        key = jax.random.fold_in(jax.random.key(4), number)
        alone = jd.dream(key, tiny, image, objective, **options)
        np.testing.assert_allclose(batch[number], alone, atol=0.05)


def test_a_batch_can_be_a_part_of_a_traced_program(tiny, picture):
    images = np.stack([picture, picture[::-1]])
    objective = strongest("second", 2)
    dream = partial(jd.dream, 4, tiny, objective=objective, **OPTIONS)
    np.testing.assert_allclose(jax.jit(dream)(images), dream(images), atol=0.05)
