import logging

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream import JaxdreamError, iterate_zoom, plan_zoom, warp
from jaxdream.zooming import EASINGS

KEY = jax.random.key(5)
QUICK = {"steps": 2, "octaves": 2, "jitter": 3}
MOVING = {"zoom": 0.1, "rotate": 3.0, "shift": (1, -0.5)}


def zoomed(tiny, picture, **settings):
    return [np.asarray(frame) for frame in iterate_zoom(KEY, tiny, picture, **QUICK | settings)]


def test_is_dream_and_warp_in_turn(tiny, picture):
    frames = zoomed(tiny, picture, frames=3, **MOVING, classic_warp=True)
    expected = picture
    for number, frame in enumerate(frames):
        if number > 0:
            expected = warp(expected, **MOVING, classic=True)
        expected = jd.dream(jax.random.fold_in(KEY, number), tiny, expected, **QUICK)
        np.testing.assert_allclose(frame, expected, atol=1e-3)
    assert len(frames) == 3


@pytest.mark.parametrize("easing", EASINGS)
def test_going_on_from_the_last_frame_makes_the_same_frames(tiny, picture, easing):
    settings = {"frames": 4, "easing": easing, **MOVING}
    whole = zoomed(tiny, picture, **settings)
    first = iterate_zoom(KEY, tiny, picture, **QUICK, **settings)
    kept = [np.asarray(next(first)), np.asarray(next(first))]
    rest = zoomed(tiny, kept[-1], done=2, **settings)
    np.testing.assert_array_equal(np.stack(kept + rest), np.stack(whole))
    assert zoomed(tiny, whole[-1], done=4, **settings) == []


def test_frames_differ_in_their_jitter_and_seeds_differ(tiny, picture):
    still = zoomed(tiny, picture, frames=1)
    other = next(iterate_zoom(jax.random.key(6), tiny, picture, frames=1, **QUICK))
    assert np.abs(still[0] - other).max() > 0.01
    assert not np.array_equal(
        jax.random.key_data(jax.random.fold_in(KEY, 0)),
        jax.random.key_data(jax.random.fold_in(KEY, 1)),
    )


def test_all_frames_run_the_same_programs(tiny, caplog):
    # A size of its own, so that nothing is compiled yet.
    image = np.random.default_rng(2).uniform(0, 255, (26, 33, 3)).astype(np.float32)
    frames = iterate_zoom(KEY, tiny, image, frames=5, easing="in-out", **QUICK, **MOVING)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        next(frames)
        assert "Compiling" in caplog.text, "JAX no longer logs what it compiles"
        next(frames)  # the first that was warped
        caplog.clear()
        assert len(list(frames)) == 3
    assert "ompil" not in caplog.text
    # The same programs for another movement too.
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        list(iterate_zoom(KEY, tiny, image, frames=2, zoom=0.02, classic_warp=True, **QUICK))
    assert "ompil" not in caplog.text


def test_watch_sees_every_step(tiny, picture):
    seen = []
    watch = lambda number, state: seen.append((number, state.octave, state.step))  # noqa: E731
    zoomed(tiny, picture, frames=2, watch=watch, scan=False)
    assert seen == [(n, o, s) for n in range(2) for o in range(2) for s in (1, 2)]


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize("frames", [2, 3, 9])
def test_every_easing_comes_to_the_same_end(easing, frames):
    plan = plan_zoom(frames, zoom=0.2, rotate=2.0, shift=(3, -1), easing=easing)
    assert len(plan) == frames - 1
    np.testing.assert_allclose(np.prod([1 - m.zoom for m in plan]), 0.8 ** (frames - 1))
    np.testing.assert_allclose(sum(m.rotate for m in plan), 2.0 * (frames - 1))
    np.testing.assert_allclose(np.sum([m.shift for m in plan], 0), np.multiply(frames - 1, (3, -1)))


def test_the_curves():
    turns = {name: [m.rotate for m in plan_zoom(5, rotate=1.0, easing=name)] for name in EASINGS}
    assert turns["linear"] == [1, 1, 1, 1]
    assert turns["in"] == [0.25, 0.75, 1.25, 1.75]
    assert turns["out"] == [1.75, 1.25, 0.75, 0.25]
    assert turns["in-out"] == [0.625, 1.375, 1.375, 0.625]
    assert plan_zoom(1) == ()
    assert plan_zoom(7)[:2] == plan_zoom(3), "a longer linear zoom begins the same"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"frames": 0}, "frames must be at least 1"),
        ({"zoom": 1.0}, "over -1 and under 1"),
        ({"rotate": float("nan")}, "finite number of degrees"),
        ({"shift": (float("inf"), 0.0)}, "two finite numbers of pixels"),
        ({"easing": "inout"}, "did you mean in-out"),
        ({"easing": "cubic"}, "there are linear, in, out, in-out"),
        ({"done": -1}, "0 or more"),
    ],
)
def test_settings_out_of_range_are_said_at_once(tiny, picture, settings, says):
    with pytest.raises(JaxdreamError, match=says):
        iterate_zoom(KEY, tiny, picture, **settings)


def test_a_picture_too_small_is_said_before_anything_is_computed(tiny):
    frames = iterate_zoom(KEY, tiny, np.zeros((1, 1, 3), np.float32))
    with pytest.raises(JaxdreamError, match="needs at least"):
        next(frames)


def test_zooming_out_is_steady(tiny, picture):
    frames = zoomed(tiny, picture, frames=3, zoom=-0.1)
    assert np.isfinite(frames).all()
    assert np.shape(frames) == (3, *picture.shape)
