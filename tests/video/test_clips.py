"""Frames, their masks and their scenes."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.video.clips import ClipFrame, clip_frames, levels, split_scenes
from jaxdream.video.coherence import Carried

PICTURE = np.full((3, 4, 3), 7, np.uint8)
CARRIED = Carried(PICTURE, PICTURE.astype(np.float32), np.zeros(3, np.float32), PICTURE, 1)


def masks(count):
    return [np.full((3, 4), i / 10, np.float32) for i in range(count)]


def test_frames_are_numbered_from_the_first():
    found = list(clip_frames([PICTURE, PICTURE + 1], None, 5))
    assert [frame.number for frame in found] == [5, 6]
    assert all(frame.mask is None and frame.seconds is None for frame in found)
    np.testing.assert_array_equal(found[0].pixels, PICTURE)
    assert found[0].pixels is not PICTURE, "a camera may fill one array again and again"


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray])
def test_one_mask_is_for_all_frames(convert):
    mask = convert(masks(3)[2])
    found = clip_frames([PICTURE] * 3, mask, 0)
    assert [frame.mask is mask for frame in found] == [True] * 3


@pytest.mark.parametrize("convert", [list, iter, np.stack])
def test_masks_are_taken_in_turn(convert):
    found = list(clip_frames([PICTURE] * 2, convert(masks(3)), 4))
    np.testing.assert_array_equal(np.stack([frame.mask for frame in found]), masks(2))


def test_a_missing_mask_is_said_with_the_frames_number():
    found = clip_frames([PICTURE] * 3, masks(2), 10)
    next(found), next(found)
    with pytest.raises(JaxdreamError, match="there is no mask for frame 12: give one for each"):
        next(found)


def test_frames_are_read_one_by_one():
    found = clip_frames(itertools.repeat(PICTURE), itertools.repeat(masks(1)[0]), 0)
    assert [frame.number for frame in itertools.islice(found, 3)] == [0, 1, 2]


def test_levels_are_rounded_and_clipped():
    assert levels(PICTURE) is PICTURE
    values = np.array([[[-3, 0.4, 0.6], [254.6, 300, 17]]], np.float32)
    expected = np.array([[[0, 0, 1], [255, 255, 17]]], np.uint8)
    for given_values in (values, jnp.asarray(values)):
        found = levels(given_values)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(levels(expected.astype(np.int64)), expected)


def test_levels_that_are_not_finite_are_refused():
    with pytest.raises(JaxdreamError, match="a frame has values that are not finite"):
        levels(np.full((2, 2, 3), np.nan, np.float32))


@given(st.lists(st.booleans(), max_size=12), st.booleans())
def test_scenes_are_the_frames_between_cuts(cuts, goes_on):
    frames = [ClipFrame(number, PICTURE) for number in range(len(cuts))]
    if cuts:
        cuts[0] = not goes_on
    expected = []
    for frame, cut in zip(frames, cuts, strict=True):
        if cut or not expected:
            expected.append([])
        expected[-1].append(frame.number)
    scenes = split_scenes(frames, lambda number, _: cuts[number], CARRIED if goes_on else None)
    found = [(scene.carried, [frame.number for frame in scene.frames]) for scene in scenes]
    assert [numbers for _, numbers in found] == expected
    assert [carried is CARRIED for carried, _ in found] == [
        goes_on and number == 0 for number in range(len(expected))
    ]


def test_each_frame_is_asked_about_once_and_in_order():
    asked = []

    def begins(number, pixels):
        assert pixels.dtype == np.uint8
        asked.append(number)
        return number % 2 == 0

    frames = [ClipFrame(number, PICTURE.astype(np.float32)) for number in range(5)]
    for scene in split_scenes(frames, begins, None):
        list(scene.frames)
    assert asked == list(range(5))
