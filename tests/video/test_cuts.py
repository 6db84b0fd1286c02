"""Where scenes begin."""

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from jaxdream.settings import VideoSettings
from jaxdream.video.cuts import CutFinder, begins_scene

SIZE = (120, 160)


def view(name, x=0, y=0):
    """A part of a photograph, from these columns and rows on."""
    return getattr(skimage.data, name)()[100 + y : 100 + y + SIZE[0], 100 + x : 100 + x + SIZE[1]]


def cuts(frames, settings=None, finder=None, *, first=0):
    """The numbers of the frames that begin a scene."""
    finder = finder or CutFinder(settings or VideoSettings())
    return [number for number, frame in enumerate(frames, first) if finder(number, frame)]


@pytest.mark.parametrize(("first", "second"), [("cat", "rocket"), ("rocket", "coffee")])
def test_another_photograph_begins_a_scene(first, second):
    assert begins_scene(view(first), view(second))
    assert begins_scene(view(second), view(first))


@pytest.mark.parametrize("size", [(4, 4), (2, 400), (300, 2), (1, 1)])
def test_frames_of_any_size_are_compared(size):
    black, white = (np.full((*size, 3), value, np.uint8) for value in (0, 255))
    assert begins_scene(black, white)
    assert not begins_scene(white, white)


def test_a_frame_of_another_size_begins_a_scene():
    assert begins_scene(view("cat"), view("cat")[:-30])
    assert begins_scene(view("cat"), view("cat")[:-1])


def test_a_pan_is_no_cut():
    assert cuts(view("cat", 2 * i, i) for i in range(40)) == [0]


def test_noise_is_no_cut():
    random = np.random.default_rng(0)
    frames = (view("cat") + random.normal(0, 15, (*SIZE, 3)) for _ in range(30))
    assert cuts(frame.clip(0, 255).astype(np.uint8) for frame in frames) == [0]


def test_a_scene_is_found_where_it_begins():
    frames = [view("cat")] * 20 + [view("rocket")] * 17 + [view("coffee")] * 5
    assert cuts(frames) == [0, 20, 37]


@pytest.mark.parametrize(("length", "found"), [(14, [0]), (15, [0, 15])])
def test_a_scene_has_at_least_15_frames(length, found):
    assert cuts([view("cat")] * length + [view("rocket")] * 3) == found


def test_a_flash_is_no_cut_and_back():
    frames = [view("cat")] * 20 + [np.full((*SIZE, 3), 255, np.uint8)] + [view("cat")] * 20
    assert cuts(frames) == [0, 20]


def test_named_frames_begin_scenes_and_no_others():
    frames = [view("cat")] * 20 + [view("rocket")] * 5
    assert cuts(frames, VideoSettings(cuts="3,4, 22")) == [0, 3, 4, 22]
    assert cuts(frames, VideoSettings(cuts="none")) == [0]
    assert cuts(frames, VideoSettings(cuts="0")) == [0]


@given(st.integers(1, 44), st.sampled_from(["auto", "none", "7,30"]))
def test_a_finder_that_goes_on_says_the_same(done, how):
    frames = [np.full((4, 4, 3), 10, np.uint8)] * 18
    frames += [np.full((4, 4, 3), 200, np.uint8)] * 16 + frames[:11]
    settings = VideoSettings(cuts=how)
    whole = cuts(frames, settings)
    scene = max(number for number in whole if number < done)
    finder = CutFinder(settings, frames[done - 1], done - scene)
    rest = cuts(frames[done:], finder=finder, first=done)
    assert rest == [number for number in whole if number >= done]
