"""Scenes that are dreamed side by side."""

import itertools
from functools import cache

import jax
import numpy as np
import pytest
from helpers import compilations
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_network import tiny_network

from jaxdream import JaxdreamError
from jaxdream.curves.times import Timeline
from jaxdream.settings import Compute, DreamSettings, VideoSettings
from jaxdream.video.clips import ClipFrame, Scene
from jaxdream.video.dreamer import Dreamer
from jaxdream.video.dreaming import plan_video

STILL = DreamSettings(steps=3, octaves=1, jitter=3, step_size=3.0)
SIZE = (20, 26)
LENGTHS = (4, 2, 3, 1)


def frame(scene, number):
    """A frame of a scene that moves to the left, uint8."""
    random = np.random.default_rng(scene)
    picture = random.integers(20, 236, (SIZE[0] // 4, 20, 3)).repeat(4, 0).repeat(4, 1)
    return picture[:, 2 * number : 2 * number + SIZE[1]].astype(np.uint8)


def to_the_left(first, second):
    """The flow of these scenes, between frames of which one is known to be the later."""
    moved = np.array_equal(first[:, 2:], second[:, :-2])
    return np.full((*SIZE, 2), (-2 if moved else 2, 0), np.float32)


def scenes(lengths=LENGTHS):
    """Scenes of so many frames, which are numbered one after the other."""
    begins = np.cumsum([0, *lengths])
    return [
        Scene([
            ClipFrame(int(begins[scene]) + i, frame(scene, i)) for i in range(length)
        ])
        for scene, length in enumerate(lengths)
    ]  # fmt: skip


def dreamer(objective=None, *, frame_steps=3, octaves=1, boil=False, curves=()) -> Dreamer:
    return plan_video(
        jax.random.key(1), tiny_network(), objective,
        video_settings=VideoSettings(frame_steps=frame_steps, boil=boil),
        settings=STILL.replace(octaves=octaves),
        compute=Compute(), timeline=Timeline(25, 10), curves=curves, flow=to_the_left,
    )  # fmt: skip


def by_number(states):
    return {state.number: state for state in states}


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for number, state in found.items():
        assert state.cut == expected[number].cut
        np.testing.assert_allclose(state.image, expected[number].image, atol=1e-2)


@cache
def boiling(_lanes) -> Dreamer:
    """A dreamer for so many lanes, which keeps their programs; jitter depends on the frame."""
    return dreamer(boil=True)


@cache
def expected():
    """What one lane gives."""
    return by_number(boiling(1).dream(scenes()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "octaves"),
    [
        ("strongest(second, 2) - 0.1*l1(relu)", 1),
        ("0.5*strongest(second, 2, every_octave)", 2),
    ],
)
def test_two_lanes_give_the_frames_of_one(objective, octaves):
    found, single = (
        by_number(dreamer(objective, octaves=octaves).dream(scenes(), lanes=lanes))
        for lanes in (2, 1)
    )
    assert_same(found, single)


@pytest.mark.slow
def test_more_lanes_than_scenes():
    found = by_number(boiling(2).dream(scenes()[:1], lanes=2))
    assert_same(found, {number: expected()[number] for number in range(4)})


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 2))
def test_scenes_may_come_in_any_order(order, lanes):
    given_scenes = scenes()
    states = list(boiling(lanes).dream([given_scenes[i] for i in order], lanes=lanes))
    assert_same(by_number(states), expected())
    begins = np.cumsum([0, *LENGTHS])
    for first, end in itertools.pairwise(begins):
        of_scene = [state.number for state in states if first <= state.number < end]
        assert of_scene == list(range(first, end))


@pytest.mark.slow
def test_lanes_give_the_frames_of_one_where_few_steps_are_due():
    found = by_number(dreamer(frame_steps=1).dream(scenes(), lanes=2))
    assert_same(found, by_number(dreamer(frame_steps=1).dream(scenes())))


def test_lanes_are_filled_in_turn():
    numbers = [state.number for state in boiling(2).dream(scenes(), lanes=2)]
    assert numbers[:4] == [0, 4, 1, 5]
    assert sorted(numbers) == list(range(10))


def test_scenes_go_on_from_what_was_carried():
    rest = [
        Scene(scene.frames[1:], expected()[scene.frames[0].number].carried) for scene in scenes()
    ]
    found = by_number(boiling(2).dream(rest, lanes=2))
    assert_same(found, {n: s for n, s in expected().items() if n not in (0, 4, 6, 9)})


@pytest.mark.slow
def test_curves_are_those_of_each_frames_time():
    curves = ["step_size: 1 + f", "objective: 0 first, 9 second:1", "strength: 1 - f/20"]
    found = by_number(dreamer(curves=curves).dream(scenes(), lanes=2))
    assert_same(found, by_number(dreamer(curves=curves).dream(scenes())))


def test_a_mask_that_is_0_everywhere_harms_no_other_lane():
    first, second, *_ = scenes()
    covered = [each._replace(mask=np.zeros(SIZE, np.float32)) for each in second.frames]
    shares = [each._replace(mask=np.ones(SIZE, np.float32)) for each in first.frames]
    found = by_number(boiling(2).dream([Scene(shares), Scene(covered)], lanes=2))
    assert_same({n: found[n] for n in range(4)}, {n: expected()[n] for n in range(4)})
    for each in second.frames:
        np.testing.assert_array_equal(found[each.number].image, each.pixels)


def test_lanes_compile_nothing_after_the_second_frame():
    states = dreamer("strongest(second, 2)", frame_steps=1).dream(scenes(), lanes=2)
    for _ in range(4):
        next(states)
    with compilations() as names:
        assert len(list(states)) == 6
    assert names == []


def test_no_scenes_are_no_states():
    assert list(dreamer().dream([], lanes=2)) == []
    assert list(dreamer().dream([Scene([]), Scene([])], lanes=1)) == []


def test_a_frame_of_another_size_in_another_scene_is_one_line():
    first, second = scenes((1, 1))
    (other,) = second.frames
    wrong = Scene([other._replace(pixels=other.pixels[:-2])])
    states = dreamer().dream([first, wrong])
    assert next(states).number == 0
    with pytest.raises(JaxdreamError, match="frame 1 is 26x18 pixels and those before 26x20"):
        next(states)
