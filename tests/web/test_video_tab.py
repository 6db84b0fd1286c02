"""The tab of videos: what its fields, and those of the tab Dream, ask for."""

import pytest
from page_context import page_context
from page_extras import gr
from video.films import film

from jaxdream.errors import JaxdreamError
from jaxdream.settings import ClipSettings, SourceSettings, VideoSettings
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.video_tab import VideoTab


@pytest.fixture
def tab(tmp_path):
    context = page_context(tmp_path)
    with gr.Blocks():
        return VideoTab(context, DreamTab(context))


def sent(tab, **given):
    """What the browser sends, where these fields are filled in."""
    return tuple(given.get(each.elem_id, each.value) for each in tab.inputs)


def test_a_new_page_asks_for_the_whole_video_at_its_own_size(tab):
    order = tab.order(sent(tab))
    assert (order.video, order.clip) == (VideoSettings(), ClipSettings())
    assert order.source == SourceSettings()
    assert (order.upload, order.guide) == (None, None)


def test_each_field_is_read_as_its_setting(tab, tmp_path):
    path = film(tmp_path / "ab.mp4")
    order = tab.order(sent(
        tab, video_file={"path": str(path), "orig_name": "my walk.mp4"}, video_size="320x240",
        video_start=1.5, video_end="3", video_every=2, video_max_frames="30",
        video_frame_steps=3, video_boil=True, video_cuts="5,9",
        # Of the tab Dream; its size and what it begins from are for pictures.
        layer="first", steps=7, seed=11, guide_size=200, size="768", begin="noise",
    ))  # fmt: skip
    assert order.upload == (str(path), "my walk.mp4")
    assert order.clip == ClipSettings(start=1.5, end=3.0, every=2, max_frames=30)
    assert order.video == VideoSettings(frame_steps=3, boil=True, cuts="5,9")
    assert order.source == SourceSettings(seed=11, guide_size=200, size="320x240")
    assert (order.objective, order.settings.steps) == ("first", 7)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"video_file": {"path": "/etc/passwd"}}, "this is no uploaded file"),
        ({"video_end": "soon"}, "end is a number from 0 to 1,000,000, not 'soon'"),
        ({"video_start": 2, "video_end": "1"}, "end is after start, which is 2, not 1"),
        ({"video_cuts": "here"}, "cuts are auto, none or numbers"),
    ],
)
def test_what_cannot_be_is_refused(tab, given, says):
    with pytest.raises(JaxdreamError, match=says):
        tab.order(sent(tab, **given))


def test_a_video_that_is_given_is_looked_at(tab, tmp_path):
    path = film(tmp_path / "ab.mp4")
    assert "walk.mp4: 64x48 pixels, 25 frames a second, 0.4 seconds, 10 frames, without" in (
        tab._given({"path": str(path), "orig_name": "walk.mp4"})
    )
    assert "failed" in tab._given({"path": "/etc/passwd"})
    path.write_bytes(b"no video")
    shown = tab._given({"path": str(path), "orig_name": "walk.mp4"})
    assert "failed" in shown
    assert "walk.mp4 is not a video that can be read" in shown
    assert "walk" not in tab._given(None)
