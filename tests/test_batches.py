"""Pictures of different sizes together: each as it would be alone."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.batches import iterate_batch, plan_batches
from jaxdream.execution.memory import fits
from jaxdream.execution.octave import Octave
from jaxdream.execution.shapes import PaddedLayout, ShapeBuckets
from jaxdream.objectives import custom, layer

SIZES = [(40, 61), (61, 40), (44, 60)]
OPTIONS = {"steps": 3, "octaves": 2, "jitter": 5, "step_size": 10.0}


def photographs(sizes=SIZES):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3)).astype(np.float32) for size in sizes]


def together(keys, model, images, batch, *, slots=None, **options):
    """The dreams of a batch's pictures in the order of its slots, and their errors."""
    objective, settings = layer("second"), jd.DreamSettings(**options)
    *_, (state, errors) = iterate_batch(
        keys, model, images, batch, objective,
        settings=settings, compute=jd.Compute(), slots=slots,
    )  # fmt: skip
    return state.at_octave, errors


def alone(tiny, images, **options):
    keys = [jax.random.fold_in(jax.random.key(3), i) for i in range(len(images))]
    return [jd.dream(k, tiny, i, **OPTIONS, **options) for k, i in zip(keys, images, strict=True)]


@pytest.mark.parametrize("scan", [True, False])
def test_each_picture_dreams_as_alone(tiny, scan):
    images = photographs()
    dreamed = jd.dream_batch(jax.random.key(3), tiny, images, max_batch=3, scan=scan, **OPTIONS)
    for together, single in zip(dreamed, alone(tiny, images), strict=True):
        np.testing.assert_allclose(together, single, atol=0.02)


def test_objectives_and_optimizers_that_see_the_whole_picture_batch_equal_sizes(tiny):
    mean = custom("second")(lambda x: x.mean())
    sizes = [SIZES[0], SIZES[1], SIZES[0]]
    images = photographs(sizes)
    options = {"objective": mean, "optimizer": "adam"}
    batches = plan_batches(sizes, model=tiny, octaves=2, max_batch=3, **options)
    assert [batch.pictures for batch in batches] == [(0, 2), (1,)]
    dreamed = jd.dream_batch(jax.random.key(3), tiny, images, max_batch=3, **OPTIONS, **options)
    for together, single in zip(dreamed, alone(tiny, images, **options), strict=True):
        # Adam divides by the gradient's size: where that is next to nothing, rounding decides.
        assert np.mean(np.abs(together - single) > 0.1) < 0.01


def test_a_slot_has_its_result_to_the_bit_whatever_is_in_the_others(tiny):
    images = photographs()
    (batch, *_) = plan_batches([(40, 61)] * 3, model=tiny, octaves=2, max_batch=3)
    options = {name: value for name, value in OPTIONS.items() if name != "octaves"}
    keys = list(jax.random.split(jax.random.key(0), 3))
    batch = batch._replace(shapes=((64, 64), (80, 80)))
    all_three, _ = together(keys, tiny, images, batch, **options)
    last, _ = together(keys[2:], tiny, images[2:], batch, slots=[2], **options)
    np.testing.assert_array_equal(all_three[2], last[2])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(30, 400), st.integers(30, 400)), max_size=20),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_plans_hold_every_picture_once_in_few_slots(tiny, sizes, most, multiple):
    batches = plan_batches(sizes, model=tiny, max_batch=most, device_count=multiple)
    assert sorted(i for batch in batches for i in batch.pictures) == list(range(len(sizes)))
    for batch in batches:
        assert batch.slots % multiple == 0
        assert len(batch.pictures) <= batch.slots <= max(most, multiple)
        for shape in (sizes[i] for i in batch.pictures):
            assert np.all(np.array(shape) <= batch.shapes[-1])
    assert batches == plan_batches(sizes, model=tiny, max_batch=most, device_count=multiple)


def test_few_pictures_at_once_where_there_is_little_memory(tiny):
    plans = [
        plan_batches([(400, 600)] * 8, model=tiny, memory=10**12),
        plan_batches([(400, 600)] * 8, model=tiny, memory=1),
    ]
    assert [{batch.slots for batch in batches} for batches in plans] == [{4}, {1}]
    # As many as fit, where that is fewer than would be of use.
    (batch, *_) = plans[0]
    octave = Octave(tiny, layer("second"), PaddedLayout(batch.shapes[-1], ()), 1.0, StepRule())
    budget = next(b for b in range(0, 10**9, 10**6) if fits(octave, 2, b))
    few = plan_batches([(400, 600)] * 8, model=tiny, budget_bytes=budget)
    assert {batch.slots for batch in few} == {2}


def test_a_bad_picture_has_its_error_and_the_others_are_dreamed(tiny):
    images = photographs(SIZES[:2] * 2)
    keys = list(jax.random.split(jax.random.key(0), 4))
    with pytest.raises(jd.JaxdreamError, match="key has 2 keys for 4 pictures"):
        jd.dream_batch(jax.random.split(jax.random.key(0)), tiny, images)
    with pytest.raises(jd.JaxdreamError, match="key is missing"):
        jd.dream_batch(None, tiny, images)
    images[1][:] = np.nan
    with pytest.raises(jd.JaxdreamError, match="not finite"):
        jd.dream_batch(jax.random.key(0), tiny, images, steps=1, octaves=1)
    with pytest.raises(jd.JaxdreamError, match="1x40 pixels"):
        jd.dream_batch(jax.random.key(0), tiny, [images[0], np.zeros((40, 1, 3))])
    assert jd.dream_batch(jax.random.key(0), tiny, []) == []
    (batch,) = plan_batches([(40, 61)] * 4, model=tiny, octaves=1)
    _, errors = together(keys, tiny, images, batch._replace(shapes=((64, 64),)), steps=1, octaves=1)
    assert [error is not None for error in errors] == [False, True, False, False]
    assert "the gradient of second is" in errors[1]


def test_one_picture_at_a_time_shares_padded_shapes(tiny):
    (batch,) = plan_batches([(40, 61)], model=tiny, octaves=2)
    assert batch.slots == 1
    assert batch.shapes == tuple(
        ShapeBuckets(batch.shapes).padded(size) for size in jd.plan_octaves((40, 61), octaves=2)
    )


def test_plans_for_the_same_budget_are_the_same_whatever_is_free(tiny, monkeypatch):
    monkeypatch.setattr("jaxdream.batches.available", pytest.fail)
    sizes = [(24, 30)] * 4
    assert [batch.slots for batch in plan_batches(sizes, model=tiny, budget_bytes=0)] == [1] * 4
    assert [batch.slots for batch in plan_batches(sizes, model=tiny, budget_bytes=10**9)] == [4]
