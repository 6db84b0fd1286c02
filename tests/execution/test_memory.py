"""By parts: the same dream in less memory."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream.execution import memory
from jaxdream.execution.planner import octave_programs
from jaxdream.execution.shapes import Canvas, Parts
from jaxdream.objectives import custom, guide, layer


@pytest.fixture
def scarce(monkeypatch):
    """Sets how many bytes there are for a program, whatever else is in memory."""
    monkeypatch.setattr(memory, "_HELD", 0)
    monkeypatch.setattr(memory, "_FINISHING", 0)
    monkeypatch.setattr(planner, "compiling", lambda: 0)
    return lambda room: monkeypatch.setattr(planner, "available", lambda *_: room)


def photograph(height, width):
    return np.random.default_rng(height * width).uniform(0, 255, (height, width, 3))


@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_every_position_counts_in_one_part_that_has_all_it_sees(side, length, before, after):
    stride = 8
    length, before, after = length * stride, before * stride, after * stride
    assume(length > before + after)
    parts = Parts((length, length), (before, before), (after, after))
    regions = parts.regions((side, 1))
    counted = np.zeros(side, int)
    for region in regions:
        origin, first, stop = (
            int(value[0]) for value in (region.origin, region.owned_start, region.owned_stop)
        )
        counted[first:stop] += 1
        assert origin % stride == first % stride == 0
        assert origin <= max(first - before, 0)
        assert min(stop + after, side) <= origin + length
    assert (counted == 1).all()
    assert parts.extent((side, 1))[0] == int(regions[-1].origin[0]) + length >= min(side, length)


@pytest.mark.parametrize("batch", [False, True])
def test_a_dream_by_parts_is_the_same(tiny, scarce, batch):
    image = photograph(150, 260).astype(np.float32)
    image = np.stack([image, 255 - image]) if batch else image
    objective = layer("second") + 0.1 * guide(tiny, photograph(4, 4).astype(np.float32), "first")
    options = {"objective": objective, "steps": 2, "octaves": 2, "jitter": 9, "step_size": 10.0}
    states = list(jd.iterate_dream(jax.random.key(0), tiny, image, **options))
    assert states[-1].canvas.parts is None
    scarce(4_400_000 if batch else 2_200_000)
    by_parts = list(jd.iterate_dream(jax.random.key(0), tiny, image, **options))
    assert len(by_parts[-1].canvas.parts.regions((150, 260))) > 1
    for one, other in zip(states, by_parts, strict=True):
        np.testing.assert_allclose(other.image, one.image, atol=0.02)
        np.testing.assert_allclose(other.info.value, one.info.value, rtol=1e-4)
        np.testing.assert_allclose(other.info.gradient_mean, one.info.gradient_mean, rtol=1e-4)


def test_any_optimizer_steps_by_parts(tiny, scarce):
    image = photograph(150, 260).astype(np.float32)
    optimizer = jd.named_optimizer("adam", step_size=5.0, smooth=1.0)
    options = {"optimizer": optimizer, "steps": 2, "octaves": 1}
    whole = jd.dream(jax.random.key(0), tiny, image, **options)
    scarce(2_200_000)
    states = list(jd.iterate_dream(jax.random.key(0), tiny, image, **options))
    assert states[-1].canvas.parts is not None
    np.testing.assert_allclose(states[-1].image, whole, atol=0.02)


def test_googlenets_gradient_by_parts(shared, googlenet):
    """On photographs, within 1e-4 of its maximum; two layers with different strides.

    Where two values of a window are equal but for rounding, arrays of another size may let the
    other one win: that changes the gradient around one place, and is no error of the parts.
    """
    objective = layer("inception_3b/output") + layer("conv2/3x3")
    (octave,) = octave_programs(googlenet, objective, [(250, 330)])
    (top, bottom), (left, right) = googlenet.graph.halo(*objective.layers)
    assert (top, bottom) == (left, right) == (39, 51)
    canvas = Canvas((250, 330), (250, 330), parts=Parts((192, 224), (56, 56), (56, 56)))
    octave = dataclasses.replace(octave, canvas=canvas)
    at_once = jax.jit(jd.objective_and_gradient)
    clean = 0
    for name in ("city.jpg", "dog.jpg", "flowers.jpg"):
        photo = jd.read_image(shared / "photos" / name)[:250, :330]
        value, gradient = at_once(googlenet, objective, photo)
        loss, summed = octave._summed(photo, np.zeros(2, int))
        assert float(loss) == pytest.approx(float(value), rel=1e-5)
        error = np.abs(summed[:250, :330] - gradient).max(axis=-1) / np.abs(gradient).max()
        assert error.max() < 1e-2
        assert np.mean(error > 1e-4) < 0.005
        clean += error.max() < 1e-4
    assert clean


def test_the_compiled_peak_decides(tiny, scarce, monkeypatch):
    """Where the estimate was too small, the octave is cut once its program is known."""
    monkeypatch.setattr(memory, "_bytes_per_pixel", lambda _: 1.0)
    scarce(1_000_000)
    image = photograph(150, 160).astype(np.float32)
    states = list(jd.iterate_dream(jax.random.key(0), tiny, image, steps=1, octaves=1))
    assert states[-1].canvas.parts is not None


def test_what_does_not_fit_is_said(tiny, scarce):
    image = photograph(200, 300).astype(np.float32)
    with pytest.raises(jd.JaxdreamError, match=r"300x200 pixels takes at least .* allow more"):
        jd.dream(jax.random.key(0), tiny, image, memory=1000)
    scarce(100_000)
    whole = custom("second")(lambda x: x.mean())
    with pytest.raises(jd.JaxdreamError, match="looks at the whole picture at once"):
        jd.dream(jax.random.key(0), tiny, image, objective=whole)


def test_a_plan_is_what_is_done(tiny, scarce):
    scarce(2_200_000)
    plans = jd.plan_dream(tiny, (150, 260), octaves=3, steps=4)
    assert [octave.size for octave in plans] == [(76, 133), (107, 186), (150, 260)]
    assert [octave.parts > 1 for octave in plans] == [False, False, True]
    image = photograph(150, 260).astype(np.float32)
    for octave in plans:
        assert octave.seconds > 0
        assert octave.peak > 12 * math.prod(octave.shape)
    for state in jd.iterate_dream(jax.random.key(0), tiny, image, octaves=3, steps=1):
        shape, parts = state.canvas.computed
        assert (shape, parts) == (plans[state.octave].shape, plans[state.octave].parts)
