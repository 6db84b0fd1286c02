import jax
import numpy as np
import pytest
from helpers import compilations

import jaxdream as jd
from jaxdream import JaxdreamError, iterate_zoom, plan_zoom, warp, zooming
from jaxdream.settings import EASINGS

KEY = jax.random.key(5)
QUICK = {"steps": 2, "octaves": 2, "jitter": 3}
MOVING = {"zoom": 0.1, "rotate": 3.0, "shift": (1, -0.5)}


def zoomed(tiny, picture, **settings):
    states = iterate_zoom(KEY, tiny, picture, **QUICK | settings)
    return [np.asarray(state.image) for state in states if state.is_finished]


def test_is_dream_and_warp_in_turn(tiny, picture):
    frames = zoomed(tiny, picture, frames=3, **jd.CLASSIC_ZOOM | MOVING)
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
    states = [s for s in iterate_zoom(KEY, tiny, picture, **QUICK | settings) if s.is_finished]
    whole = [np.asarray(state.image) for state in states]
    settings["contrast"] = np.asarray(states[2].contrast)
    rest = zoomed(tiny, whole[1], frames_done=2, **settings)
    np.testing.assert_array_equal(np.stack(rest), np.stack(whole[2:]))
    assert zoomed(tiny, whole[-1], frames_done=4, **settings) == []


@pytest.mark.parametrize("mask", [None, np.linspace(0, 1, 24 * 30, dtype=np.float32)])
def test_what_frames_gain_in_contrast_is_taken_back(tiny, picture, mask):
    mask = None if mask is None else mask.reshape(24, 30)
    still = {"zoom": 0.0, "damping": 0.5, "mask": mask}
    first, second = zoomed(tiny, picture, frames=2, **still, step_size=9.0)
    shares = np.ones((24, 30, 1)) if mask is None else mask[..., None]

    def mean(values):
        return (shares * values).sum((0, 1)) / shares.sum()

    # The damping of a frame that has gained, against the formula of the docstring.
    gained = 1.6 * (first - 128) + 140
    deviations = [np.sqrt(mean((x - mean(x)) ** 2)) for x in (first, gained)]
    wanted = mean(gained) + 0.5 * (mean(first) - mean(gained))
    wanted = wanted + np.sqrt(deviations[0] / deviations[1]) * (gained - mean(gained))
    contrast = zooming._contrast(first, mask)
    damped = zooming._damped(gained, contrast, 0.5, mask)
    np.testing.assert_allclose(damped, gained + shares * (wanted - gained), atol=1e-2)
    # In the loop it is what is dreamed next; one that has lost contrast does not get it back.
    expected = jd.dream(
        jax.random.fold_in(KEY, 1), tiny, zooming._damped(first, contrast, 0.5, mask),
        mask=mask, step_size=9.0, **QUICK,
    )  # fmt: skip
    np.testing.assert_allclose(second, expected, atol=1e-2)
    pale = zooming._damped(0.5 * first, contrast, 1.0, None)
    np.testing.assert_allclose(pale.std((0, 1)), 0.5 * first.std((0, 1)), rtol=1e-4)


def test_contrast_stays_over_many_frames(tiny, picture):
    pale = 128 + 0.1 * (picture - 128)

    def spread(damping):
        frames = zoomed(tiny, pale, frames=12, damping=damping, step_size=8.0, octaves=1)
        return frames[-1].std() / frames[0].std()

    assert spread(0.5) < 0.7 * spread(0.0)


def test_frames_and_seeds_differ_in_their_jitter(tiny, picture):
    still = {"zoom": 0.0, "steps": 1, "octaves": 1, "jitter": 9, "step_size": 30.0}
    first, second = zoomed(tiny, picture, frames=2, **still)
    # Without jitter of its own, the second frame would be dreamed as the first was.
    with_firsts_jitter = jd.dream(jax.random.fold_in(KEY, 0), tiny, first, **QUICK | {
        name: value for name, value in still.items() if name != "zoom"
    })  # fmt: skip
    assert np.abs(second - with_firsts_jitter).max() > 0.01
    *_, other = iterate_zoom(6, tiny, picture, frames=1, **QUICK | still)
    assert np.abs(first - other.image).max() > 0.01


def test_all_frames_run_the_same_programs(tiny):
    # A size of its own, so that nothing is compiled yet.
    image = np.random.default_rng(2).uniform(0, 255, (26, 33, 3)).astype(np.float32)
    states = iterate_zoom(KEY, tiny, image, frames=5, easing="in-out", **QUICK, **MOVING)
    with compilations() as names:
        while next(states).frame < 2:  # the second frame is the first that was warped
            pass
        assert names
        names.clear()
        assert sum(state.is_finished for state in states) == 3
        list(iterate_zoom(KEY, tiny, image, frames=2, zoom=0.02, classic_warp=True, **QUICK))
    assert names == []


def test_there_is_a_state_for_every_step(tiny, picture):
    states = list(iterate_zoom(KEY, tiny, picture, frames=2, scan=False, **QUICK))
    steps = [(s.frame, s.dream.octave, s.dream.step) for s in states]
    assert steps == [(n, o, s) for n in range(2) for o in range(2) for s in (1, 2)]
    assert [s.is_finished for s in states] == [False] * 3 + [True] + [False] * 3 + [True]
    assert states[3].done == 0.5
    assert states[-1].done == 1
    assert all(isinstance(leaf, jax.Array | np.ndarray) for leaf in jax.tree.leaves(states[0]))


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize("frames", [2, 3, 9])
def test_every_easing_comes_to_the_same_end(easing, frames):
    plan = plan_zoom(frames=frames, zoom=0.2, rotate=2.0, shift=(3, -1), easing=easing)
    assert len(plan) == frames - 1
    np.testing.assert_allclose(np.prod([1 - m.zoom for m in plan]), 0.8 ** (frames - 1))
    np.testing.assert_allclose(sum(m.rotate for m in plan), 2.0 * (frames - 1))
    np.testing.assert_allclose(np.sum([m.shift for m in plan], 0), np.multiply(frames - 1, (3, -1)))


def test_the_curves():
    turns = {
        name: [m.rotate for m in plan_zoom(frames=5, rotate=1.0, easing=name)] for name in EASINGS
    }
    assert turns["linear"] == [1, 1, 1, 1]
    assert turns["in"] == [0.25, 0.75, 1.25, 1.75]
    assert turns["out"] == [1.75, 1.25, 0.75, 0.25]
    assert turns["in-out"] == [0.625, 1.375, 1.375, 0.625]
    assert plan_zoom(frames=1) == ()
    assert plan_zoom(frames=7)[:2] == plan_zoom(frames=3), "a longer linear zoom begins the same"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"frames": 0}, "frames is a whole number from 1"),
        ({"frames": 10**9}, "frames is a whole number from 1 to 1,000,000"),
        ({"zoom": 1.0}, "zoom is a number from -0.99 to 0.99, not 1.0"),
        ({"rotate": float("nan")}, "rotate is a number from"),
        ({"shift": (float("inf"), 0.0)}, "shift is a number from"),
        ({"shift": (1.0,)}, "shift takes 2 numbers"),
        ({"easing": "inout"}, "did you mean in-out"),
        ({"easing": "cubic"}, "one of linear, in, out, in-out"),
        ({"frames_done": -1}, "frames_done must be at least 0"),
        ({"frames_done": 1}, "contrast is missing"),
        ({"damping": 2.0}, "damping is a number from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_said_at_once(tiny, picture, settings, says):
    with pytest.raises(JaxdreamError, match=says):
        iterate_zoom(KEY, tiny, picture, **settings)


def test_a_picture_too_small_is_refused_at_once(tiny):
    with pytest.raises(JaxdreamError, match="needs at least"):
        iterate_zoom(KEY, tiny, np.zeros((1, 1, 3), np.float32))


def test_zooming_out_is_steady(tiny, picture):
    frames = zoomed(tiny, picture, frames=3, zoom=-0.1)
    assert np.isfinite(frames).all()
    assert np.shape(frames) == (3, *picture.shape)


CURVES = [
    "zoom: 0 0.02, 1s 0.1 in",
    "rotate: 3*sin(t)",
    "shift_x: 0 1, 3 -1",
    "damping: 0 0, 2 0.5 hold",
    "step_size: 0 0.5, 100% 2.0 in-out",
    "strength: 0 1, 3 0.7",
    "objective: 0 first, 100% 0.5*second + l1(relu)",
]


def test_curves_move_the_frames():
    curves = ["zoom: 0 0.02, 1s 0.1", "shift_y: 2*f", "rotate: 0 0, 100% 4"]
    plan = plan_zoom(frames=5, shift=(4, 1), easing="in", curves=curves, fps=4)
    np.testing.assert_allclose([m.zoom for m in plan], [0.04, 0.06, 0.08, 0.1])
    assert [m.rotate for m in plan] == [1, 2, 3, 4]
    # What has no curve moves by its setting and the easing.
    assert [m.shift for m in plan] == [(1, 2), (3, 4), (5, 6), (7, 8)]


def test_curves_change_the_settings_of_each_frame(tiny, picture):
    curves = ["step_size: 1 + f", "strength: 0 1, 2 0.5", "zoom: 0.1*f"]
    frames = zoomed(tiny, picture, frames=3, damping=0.0, curves=curves)
    expected = picture
    for number, frame in enumerate(frames):
        if number > 0:
            expected = warp(expected, zoom=0.1 * number)
        changing = {"step_size": 1.0 + number, "strength": 1 - number / 4}
        key = jax.random.fold_in(KEY, number)
        expected = jd.dream(key, tiny, expected, **QUICK | changing)
        np.testing.assert_allclose(frame, expected, atol=1e-3)


def test_damping_that_begins_later(tiny, picture):
    still = {"frames": 4, "zoom": 0.0, "step_size": 9.0}
    none, all_along = (zoomed(tiny, picture, damping=d, **still) for d in (0.0, 0.5))
    late = zoomed(tiny, picture, curves=["damping: 0 0, 3 0.5 hold"], **still)
    np.testing.assert_array_equal(late[2], none[2])
    assert np.abs(late[3] - none[3]).max() > 0.1
    assert np.abs(late[2] - all_along[2]).max() > 0.1


def test_an_objective_fades_into_another(tiny, picture):
    still = {"frames": 3, "zoom": 0.0, "damping": 0.0, "step_size": 9.0}
    fading = zoomed(tiny, picture, curves=["objective: 0 first, 2 second:2"], **still)
    one = zoomed(tiny, picture, objective="first", **still)
    np.testing.assert_allclose(fading[0], one[0], atol=1e-2)
    assert np.abs(fading[1] - one[1]).max() > 1
    key = jax.random.fold_in(KEY, 2)
    last = jd.dream(key, tiny, fading[1], "second:2", step_size=9.0, **QUICK)
    np.testing.assert_allclose(fading[2], last, atol=1e-2)


def test_a_zoom_with_curves_goes_on_as_if_never_interrupted(tiny, picture):
    settings = {"frames": 4, "curves": CURVES, "fps": 4, "first_image": picture}
    states = [s for s in iterate_zoom(KEY, tiny, picture, **QUICK | settings) if s.is_finished]
    whole = [np.asarray(state.image) for state in states]
    contrast = np.asarray(states[2].contrast)
    rest = zoomed(tiny, whole[1], frames_done=2, contrast=contrast, **settings)
    np.testing.assert_array_equal(np.stack(rest), np.stack(whole[2:]))


@pytest.mark.slow
def test_curves_compile_nothing_between_frames(tiny):
    # A size of its own, so that nothing is compiled yet.
    image = np.random.default_rng(2).uniform(0, 255, (27, 35, 3)).astype(np.float32)
    states = iterate_zoom(KEY, tiny, image, frames=8, curves=CURVES, fps=4, **QUICK)
    with compilations() as names:
        while next(states).frame < 3:  # the third frame is the first that is damped
            pass
        assert names
        names.clear()
        assert sum(state.is_finished for state in states) >= 4
    assert names == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"curves": ["zom: 0.1"]}, "curve 'zom: 0.1': .* did you mean zoom"),
        ({"curves": ["zoom: 0 0.1, 4s 2"]}, "zoom is a number from -0.99 to 0.99, not 2.0"),
        ({"curves": ["zoom: t"]}, "at frame 25 zoom is a number"),
        ({"curves": ["zoom: 0 0, 50% 0, 9 0"]}, r"9 \(frame 9\) does not come after 50%"),
        ({"curves": ["steps: 3"]}, "nothing named 'steps' can have a curve: did you mean step_si"),
        ({"curves": ["objective: first"], "objective": "second"}, "also the objective 'second'"),
        ({"curves": ["objective: frist"]}, "frist"),
        ({"curves": ["damping: 0.5"], "damping": 0.0, "frames_done": 1}, "contrast is missing"),
        (
            {"curves": ["objective: first"], "damping": 0.0, "frames_done": 1},
            "first_image is missing",
        ),
        ({"fps": 0}, "fps is a number over 0"),
    ],
)
def test_curves_that_cannot_be_are_said_at_once(tiny, picture, options, says):
    with pytest.raises(JaxdreamError, match=says):
        iterate_zoom(KEY, tiny, picture, **options)
