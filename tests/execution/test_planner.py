"""Where memory is scarce: the same dream in tiles, or one line that says why not."""

import math

import jax
import numpy as np
import pytest
from helpers import photograph

import jaxdream as jd
from jaxdream.execution import memory, planner
from jaxdream.execution.shapes import TiledLayout
from jaxdream.objectives import custom, guide, layer


@pytest.fixture
def scarce(monkeypatch):
    """Sets how many bytes there are for a program, whatever else is in memory."""
    monkeypatch.setattr(memory, "_RESIDENT", 0)
    monkeypatch.setattr(memory, "_FINISHING", 0)
    monkeypatch.setattr(planner, "compiler_bytes", lambda: 0)
    return lambda budget: monkeypatch.setattr(planner, "available", lambda *_: budget)


def is_tiled(state):
    return isinstance(state.layout, TiledLayout)


def test_a_tiled_dream_is_the_same(tiny, scarce):
    image = photograph(150, 260).astype(np.float32)
    image = np.stack([image, 255 - image])
    objective = layer("second") + 0.1 * guide(tiny, photograph(4, 4).astype(np.float32), "first")
    options = {"steps": 2, "octaves": 2, "jitter": 9, "step_size": 10.0}
    states = list(jd.iterate_dream(0, tiny, image, objective, **options))
    assert not is_tiled(states[-1])
    scarce(4_400_000)
    tiled = list(jd.iterate_dream(0, tiny, image, objective, **options))
    assert tiled[-1].layout.tiling.count((150, 260)) > 1
    for one, other in zip(states, tiled, strict=True):
        np.testing.assert_allclose(other.at_octave, one.at_octave, atol=0.02)
        np.testing.assert_allclose(other.info.value, one.info.value, rtol=1e-4)
        np.testing.assert_allclose(other.info.gradient_mean, one.info.gradient_mean, rtol=1e-4)


def test_any_optimizer_steps_with_a_tiled_gradient(tiny, scarce):
    image = photograph(150, 260).astype(np.float32)
    options = {"optimizer": "adam", "step_size": 5.0, "smooth": 1.0, "steps": 2, "octaves": 1}
    whole = jd.dream(0, tiny, image, **options)
    scarce(2_200_000)
    *_, state = jd.iterate_dream(0, tiny, image, **options)
    assert is_tiled(state)
    np.testing.assert_allclose(state.at_octave, whole, atol=0.02)


def test_a_channels_mean_is_that_of_the_whole_picture(tiny, scarce):
    image = photograph(150, 260).astype(np.float32)
    objective = jd.objectives.channel("second", 1)
    value, _ = jd.objective_and_gradient(tiny, objective, image)
    options = {"steps": 1, "octaves": 1, "jitter": 0}
    *_, padded = jd.iterate_dream(0, tiny, image, objective, **options)
    scarce(2_200_000)
    *_, tiled = jd.iterate_dream(0, tiny, image, objective, **options)
    assert is_tiled(tiled)
    for state in (padded, tiled):
        assert float(state.info.value) == pytest.approx(float(value), rel=1e-4)


def test_the_compiled_peak_decides(tiny, scarce, monkeypatch):
    """Where the estimate was too small, the octave is tiled once its program is known."""
    monkeypatch.setattr(memory, "bytes_per_pixel", lambda _: 1.0)
    monkeypatch.setattr(planner, "bytes_per_pixel", lambda _: 1.0)
    scarce(1_000_000)
    image = photograph(150, 160).astype(np.float32)
    *_, state = jd.iterate_dream(0, tiny, image, steps=1, octaves=1)
    assert is_tiled(state)


def test_a_dream_that_does_not_fit_is_refused_in_a_line(tiny, scarce):
    image = photograph(200, 300).astype(np.float32)
    with pytest.raises(jd.JaxdreamError, match=r"300x200 pixels takes at least .* allow more mem"):
        jd.dream(0, tiny, image, memory=1000)
    scarce(100_000)
    whole = custom("second")(lambda x: x.mean())
    with pytest.raises(jd.JaxdreamError, match="it depends on the whole picture at once"):
        jd.dream(0, tiny, image, whole)


def test_a_plan_is_what_is_done(tiny, scarce):
    scarce(2_200_000)
    plans = jd.plan_dream(tiny, (150, 260), octaves=3, steps=4)
    assert [octave.size for octave in plans] == [(76, 133), (107, 186), (150, 260)]
    assert [octave.tiles > 1 for octave in plans] == [False, False, True]
    longer = jd.plan_dream(tiny, (150, 260), octaves=3, steps=400)
    for octave, other in zip(plans, longer, strict=True):
        assert octave.peak > 12 * math.prod(octave.shape)
        assert octave.compile_seconds >= 0
        assert other.seconds > 5 * octave.seconds > 0
    image = photograph(150, 260).astype(np.float32)
    for state in jd.iterate_dream(0, tiny, image, octaves=3, steps=1):
        plan = plans[state.octave]
        assert state.layout.computed == (plan.shape, plan.tiles)


def test_the_default_device_of_the_caller_is_the_programs(tiny, picture):
    with jax.default_device(jax.devices()[0]):
        out = jd.dream(0, tiny, picture, steps=1, octaves=1)
    assert out.devices() == {jax.devices()[0]}
