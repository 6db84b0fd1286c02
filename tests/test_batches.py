"""Pictures of different sizes together: each as it would be alone."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream.batches import dream_together, plan_batches
from jaxdream.execution.shapes import Canvases
from jaxdream.objectives import custom, layer

SIZES = [(40, 61), (61, 40), (44, 60)]
OPTIONS = {"steps": 3, "octaves": 2, "jitter": 5, "step_size": 10.0}


def photographs(sizes=SIZES):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3)).astype(np.float32) for size in sizes]


def alone(tiny, images, **options):
    keys = [jax.random.fold_in(jax.random.key(3), i) for i in range(len(images))]
    return [jd.dream(k, tiny, i, **OPTIONS, **options) for k, i in zip(keys, images, strict=True)]


@pytest.mark.parametrize("scan", [True, False])
def test_each_picture_dreams_as_alone(tiny, scan):
    images = photographs()
    dreamed = jd.dream_batch(jax.random.key(3), tiny, images, most=3, scan=scan, **OPTIONS)
    for together, single in zip(dreamed, alone(tiny, images), strict=True):
        np.testing.assert_allclose(together, single, atol=0.02)


def test_objectives_and_optimizers_that_see_the_whole_picture_batch_equal_sizes(tiny):
    mean = custom("second")(lambda x: x.mean())
    sizes = [SIZES[0], SIZES[1], SIZES[0]]
    images = photographs(sizes)
    options = {"objective": mean, "optimizer": jd.named_optimizer("adam", step_size=2.0)}
    batches = plan_batches(sizes, model=tiny, octaves=2, most=3, **options)
    assert [batch.pictures for batch in batches] == [(0, 2), (1,)]
    dreamed = jd.dream_batch(jax.random.key(3), tiny, images, most=3, **OPTIONS, **options)
    for together, single in zip(dreamed, alone(tiny, images, **options), strict=True):
        # Adam divides by the gradient's size: where that is next to nothing, rounding decides.
        assert np.mean(np.abs(together - single) > 0.1) < 0.01


def test_a_slot_has_its_result_to_the_bit_whatever_is_in_the_others(tiny):
    images = photographs()
    (batch, *_) = plan_batches([(40, 61)] * 3, model=tiny, octaves=2, most=3)
    options = {name: value for name, value in OPTIONS.items() if name != "octaves"}
    keys = list(jax.random.split(jax.random.key(0), 3))
    batch = batch._replace(canvases=((64, 64), (80, 80)))
    all_three = dream_together(keys, tiny, images, batch, **options)
    last = dream_together(keys[2:], tiny, images[2:], batch, slots=[2], **options)
    np.testing.assert_array_equal(all_three[2], last[0])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(30, 400), st.integers(30, 400)), max_size=20),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_plans_hold_every_picture_once_and_hardly_an_idle_slot(tiny, sizes, most, multiple):
    batches = plan_batches(sizes, model=tiny, most=most, multiple=multiple)
    assert sorted(i for batch in batches for i in batch.pictures) == list(range(len(sizes)))
    for batch in batches:
        assert batch.slots % multiple == 0
        assert len(batch.pictures) <= batch.slots <= max(most, multiple)
        for shape in (sizes[i] for i in batch.pictures):
            assert np.all(np.array(shape) <= batch.canvases[-1])
    assert batches == plan_batches(sizes, model=tiny, most=most, multiple=multiple)


def test_few_pictures_at_once_where_there_is_little_memory(tiny):
    plans = [
        plan_batches([(400, 600)] * 8, model=tiny, memory=10**12, most=None),
        plan_batches([(400, 600)] * 8, model=tiny, memory=1, most=None),
    ]
    assert [{batch.slots for batch in batches} for batches in plans] == [{4}, {1}]


def test_bad_pictures_are_said_and_the_others_dreamed(tiny):
    images = photographs(SIZES[:2] * 2)
    images[1][:] = np.nan
    with pytest.raises(jd.JaxdreamError, match="the gradient of second"):
        jd.dream_batch(jax.random.key(0), tiny, images, steps=1, octaves=1)
    with pytest.raises(jd.JaxdreamError, match="1x40 pixels"):
        jd.dream_batch(jax.random.key(0), tiny, [images[0], np.zeros((40, 1, 3))])
    with pytest.raises(jd.JaxdreamError, match="2 keys for 4 pictures"):
        jd.dream_batch(jax.random.split(jax.random.key(0)), tiny, images)
    with pytest.raises(jd.JaxdreamError, match="needs a random key"):
        jd.dream_batch(None, tiny, images)
    assert jd.dream_batch(jax.random.key(0), tiny, []) == []
    keys = list(jax.random.split(jax.random.key(0), 4))
    (batch,) = plan_batches([(40, 61)] * 4, model=tiny, octaves=1)
    batch = batch._replace(canvases=((64, 64),))
    results = dream_together(keys, tiny, images, batch, objective=layer("second"), steps=1)
    assert [isinstance(result, jd.JaxdreamError) for result in results] == [0, 1, 0, 0]


def test_one_picture_at_a_time_shares_the_canvases(tiny):
    (batch,) = plan_batches([(40, 61)], model=tiny, octaves=2)
    assert batch.slots == 1
    assert batch.canvases == tuple(
        Canvases(batch.canvases).canvas(size).shape for size in jd.plan_octaves((40, 61), octaves=2)
    )


def test_plans_for_the_same_room_are_the_same_whatever_is_free_now(tiny, monkeypatch):
    monkeypatch.setattr("jaxdream.batches.available", pytest.fail)
    sizes = [(24, 30)] * 4
    assert [batch.slots for batch in plan_batches(sizes, model=tiny, room=0)] == [1] * 4
    assert [batch.slots for batch in plan_batches(sizes, model=tiny, room=10**9)] == [4]
