"""The settings of a video."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream.errors import JaxdreamError
from jaxdream.settings import DreamSettings, VideoSettings
from jaxdream.settings.video import ClipSettings


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (ClipSettings, {"start": -1.0}, "start is a number from 0 to"),
        (ClipSettings, {"end": 1e7}, "end is a number from 0 to"),
        (ClipSettings, {"end": 0.0}, "end is after start, which is 0, not 0"),
        (ClipSettings, {"start": 3.5, "end": 2.0}, "end is after start, which is 3.5, not 2"),
        (ClipSettings, {"every": 0}, "every is a whole number from 1 to"),
        (ClipSettings, {"max_frames": 0}, "max_frames is a whole number from 1 to"),
        (VideoSettings, {"frame_steps": 0}, "frame_steps is a whole number from 1 to"),
        (VideoSettings, {"cuts": "atuo"}, "cuts are auto, none or numbers .* not 'atuo'"),
        (VideoSettings, {"cuts": "9," * 6000 + "9"}, "cuts are auto, none or numbers"),
    ],
)
def test_settings_out_of_range_are_refused(kind, values, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        kind(**values)
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)


def test_a_clip_may_be_any_part():
    clip = ClipSettings(start=2.0, end=2.5, every=3, max_frames=10)
    assert (clip.start, clip.end, clip.every, clip.max_frames) == (2.0, 2.5, 3, 10)
    assert ClipSettings(start=5.0).end is None


space = st.text(alphabet=" \t", max_size=3)


@given(st.lists(st.tuples(space, st.integers(0, 10**9 - 1), space), min_size=1, max_size=20))
def test_named_cuts_are_numbers_with_commas(parts):
    text = ",".join(f"{before}{number}{after}" for before, number, after in parts)
    assert VideoSettings(cuts=text).cut_frames() == {number for _, number, _ in parts}


@given(st.text(alphabet="0123456789, \n-+.e_٣", max_size=12))
def test_any_text_is_numbers_with_commas_or_refused(text):
    parts = [part.strip(" \n") for part in text.split(",")]
    if all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        assert VideoSettings(cuts=text).cut_frames() == set(map(int, parts))
    else:
        with pytest.raises(JaxdreamError, match="cuts are auto, none or numbers"):
            VideoSettings(cuts=text)


@pytest.mark.parametrize("text", ["", ",", "1,", ",1", "1,,2", "-1", "1.5", "1 2", "1_0", "1e3",
                                  "12345678901", "AUTO", "auto,3", "٣"])  # fmt: skip
def test_what_is_no_list_of_cuts(text):
    with pytest.raises(JaxdreamError, match="cuts are auto, none or numbers of frames"):
        VideoSettings(cuts=text)


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_a_frame_takes_no_more_steps_than_a_still(frame_steps, steps):
    found = VideoSettings(frame_steps=frame_steps).steps_of(DreamSettings(steps=steps))
    assert found == min(frame_steps, steps)


@pytest.mark.parametrize("seamless", ["x", "y", "both", "sphere"])
def test_frames_are_no_tiles(seamless):
    with pytest.raises(JaxdreamError, match="the frames of a video cannot be tiles"):
        VideoSettings().check_with(DreamSettings(seamless=seamless))
    VideoSettings().check_with(DreamSettings())
