"""The page's other tabs in a real browser: zooms, videos, classes and channels."""

import av
import pytest
from video.films import film, moving
from web.visiting import expect, pixels

pytestmark = pytest.mark.browser


def frames_of(path):
    with av.open(path, "r") as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


def plays(visit):
    """Waits until the browser has read a film's first frame."""
    player = visit.find(f"{visit.panel}_film").locator("video")
    expect(player).to_be_visible()
    visit.page.wait_for_function("player => player.readyState >= 2", arg=player.element_handle())


def test_a_zoom_is_dreamed_and_kept(visit, cat, tmp_path):
    visit.give(cat)
    visit.open("Zoom")
    visit.fill(zoom_frames=3)
    visit.dream("zoom_run")
    plays(visit)
    frames = frames_of(visit.download(tmp_path))
    assert [frame.shape for frame in frames] == 3 * [(120, 160, 3)]
    assert (frames[0] != frames[2]).any()
    visit.open("My pictures")
    visit.find("mine").get_by_label("Thumbnail 1 of 1").click()
    visit.sees("mine_note", ".mp4")
    expect(visit.find("mine_load")).to_be_disabled()
    assert len(frames_of(visit.download(tmp_path, "mine_file"))) == 3


def test_a_video_is_dreamed(visit, tmp_path):
    walk = tmp_path / "walk.mp4"
    film(walk, moving(5))
    visit.open("Video")
    visit.find("video_file").locator("input[type=file]").set_input_files(walk)
    visit.sees("video_note", "walk.mp4")
    visit.fill(video_max_frames=2)
    visit.dream("video_run")
    plays(visit)
    assert len(frames_of(visit.download(tmp_path))) == 2


def test_what_is_no_video_is_refused_in_one_line(visit, tmp_path):
    bad = tmp_path / "walk.mp4"
    bad.write_bytes(b"this is no video")
    visit.open("Video")
    visit.find("video_file").locator("input[type=file]").set_input_files(bad)
    line = visit.sees("video_note", "walk.mp4").strip()
    assert "\n" not in line
    assert "/" not in line


def test_a_class_and_a_channel_are_made(visit, tmp_path):
    visit.open("Classes and channels")
    visit.fill(class_search="guacamole", class_steps=2, class_size=64)
    expect(visit.find("class_choice").get_by_label("guacamole", exact=True)).to_be_checked()
    assert "guacamole" in visit.dream("class_run")
    of_class = visit.download(tmp_path)
    assert pixels(of_class).shape == (64, 64, 3)
    visit.fill(channel_numbers="3")
    visit.dream("channel_run")
    assert (pixels(visit.download(tmp_path / "channel")) != pixels(of_class)).any()
