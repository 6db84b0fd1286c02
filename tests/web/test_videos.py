"""Orders for a video: the film that is made of it, a few frames of it, what is refused."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from page_context import never, page_context
from PIL import Image
from video.films import HEIGHT, WIDTH, film, moving, packets, sound_file

import jaxdream as jd
from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import is_own
from jaxdream.settings import ClipSettings, DreamSettings, SourceSettings, VideoSettings
from jaxdream.web.uploads import Upload
from jaxdream.web.videos import VideoOrder, look_at_video, prepare_few, prepare_video

SETTINGS = DreamSettings(octaves=1, steps=2, jitter=4)
VIDEO = VideoSettings(frame_steps=1)
NAME = "my walk.mp4"


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path, frames=20, megapixels=0.02)


@pytest.fixture
def visitor(context):
    return context.visitors.of("visitor")


@pytest.fixture
def walk(context):
    """Ten frames in 0.4 seconds, with sound."""
    return given(film(context.folder / "a1b2.mp4", sounds=["aac"]))


def given(path, name=NAME):
    """A file that a visitor gave."""
    return Upload(str(path), name)


def order(walk, size=None, clip=None, **more):
    values = {"objective": "second", "settings": SETTINGS, "video": VIDEO, **more}
    source = SourceSettings(seed=3, size=size)
    return VideoOrder(upload=walk, source=source, clip=clip or ClipSettings(), **values)


def made(context, visitor, asked, stopped=never):
    """Every moment of an order, to its end."""
    return list(prepare_video(context, visitor, asked).run(stopped))


def frames_of(path):
    with jd.open_video(path) as reader:
        return list(reader.frames())


def times(path):
    return [frame.time for frame in frames_of(path)]


def after(frames):
    """Says that it is stopped after so many frames."""
    left = iter([False] * (frames - 1))
    return lambda: next(left, True)


def test_the_film_has_the_dreams_of_the_public_function(context, visitor, walk, tmp_path):
    moments = made(context, visitor, order(walk))
    result = moments[-1].result
    frames = [frame.pixels for frame in frames_of(walk.path)]
    states = jd.iterate_video(
        3, context.model(), frames, "second", video_settings=VIDEO, settings=SETTINGS
    )
    wanted = [np.round(state.image) for state in states]
    with jd.open_video(walk.path) as reader:
        stamped = zip(wanted, times(walk.path), strict=True)
        jd.write_video(tmp_path / "wanted.mp4", stamped, like=reader.info)
    shown = [moment.shown for moment in moments[:10]]
    np.testing.assert_array_equal(shown, np.clip(wanted, 0, 255))
    for found, expected in zip(
        frames_of(result.path), frames_of(tmp_path / "wanted.mp4"), strict=True
    ):
        assert found.time == expected.time
        np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert packets(result.path) == packets(walk.path)  # its sound
    assert visitor.results == [result]
    assert result.path.name == "my walk_dream.mp4"
    assert result.caption == f"second, {WIDTH}x{HEIGHT}, 10 frames, seed 3"
    assert {path.name for path in result.path.parent.iterdir()} == {result.path.name}


def test_every_frame_is_told(context, visitor, walk):
    moments = made(context, visitor, order(walk))
    told = [f"frame {number} of 10" for number in range(1, 11)]
    assert [moment.text for moment in moments] == [*told, "writing the film", "finished"]
    assert [moment.done for moment in moments[:10]] == [number / 10 for number in range(1, 11)]


def test_a_clip_at_another_size(context, visitor, walk):
    clip = ClipSettings(start=0.1, every=2, max_frames=3)
    result = made(context, visitor, order(walk, size="40", clip=clip))[-1].result
    assert times(result.path) == [Fraction(0), Fraction(2, 25), Fraction(4, 25)]
    assert {frame.pixels.shape for frame in frames_of(result.path)} == {(30, 40, 3)}
    for word in ("--start 0.1", "--every 2", "--max-frames 3", "--size 40", "--frame-steps 1"):
        assert word in result.command
    assert result.command.startswith("jaxdream video 'my walk.mp4' -o 'my walk_dream.mp4' ")
    assert 'jd.open_video("my walk.mp4")' in result.python


def test_the_film_says_how_it_was_made(context, visitor, walk):
    asked = order(walk, clip=ClipSettings(every=5), video=VIDEO.replace(cuts="1"))
    result = made(context, visitor, asked)[-1].result
    assert is_own(result.path)
    with av.open(result.path) as container:
        record = json.loads(container.metadata["comment"])
    assert record["video"] == 1
    settings = record["settings"]
    assert (settings["every"], settings["cuts"], settings["frame_steps"]) == (5, [1], 1)
    assert record["made_with"]["input_name"] == NAME


def test_stopped_it_keeps_a_film_of_the_finished_frames(context, visitor, walk):
    moments = made(context, visitor, order(walk), stopped=after(4))
    result = moments[-1].result
    assert len(frames_of(result.path)) == 4
    assert moments[-1].text == "stopped"
    assert result.caption == f"second, {WIDTH}x{HEIGHT}, 4 of 10 frames, seed 3"
    assert packets(result.path)[-1][0] < 0.2  # its sound ends with it


def test_a_few_frames_are_spread_over_the_clip(context, walk):
    moments = list(prepare_few(context, order(walk)).run(never))
    told = [f"frame {number} of 3" for number in (1, 2, 3)]
    assert [moment.text for moment in moments] == [
        *told, f"3 frames of {NAME}, each dreamed by itself"
    ]  # fmt: skip
    frames = frames_of(walk.path)
    stills = [
        jd.dream(3, context.model(), frames[number].pixels.astype(np.float32), "second",
                 settings=SETTINGS)
        for number in (2, 5, 9)
    ]  # fmt: skip
    sheet = jd.contact_sheet(stills, ["second 0.08", "second 0.20", "second 0.36"])
    np.testing.assert_array_equal(moments[-1].shown, np.round(sheet).clip(0, 255))
    assert moments[-1].result is None


def test_a_clip_of_two_frames_has_no_more(context, walk):
    moments = list(prepare_few(context, order(walk, clip=ClipSettings(max_frames=2))).run(never))
    assert [moment.text for moment in moments][:2] == ["frame 1 of 2", "frame 2 of 2"]


def test_a_few_frames_can_be_stopped(context, walk):
    moments = list(prepare_few(context, order(walk)).run(after(1)))
    assert [moment.text for moment in moments] == [
        "frame 1 of 3", f"1 of 3 frames of {NAME}, each dreamed by itself"
    ]  # fmt: skip
    assert moments[1].shown is moments[0].shown


def test_an_animation_is_a_video_too(context, visitor):
    images = [Image.fromarray(pixels) for pixels in moving(3)]
    path = context.folder / "c3.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    walk = given(path, "move.gif")
    assert look_at_video(walk) == (
        "move.gif: 64x48 pixels, 10 frames a second, 0.3 seconds, 3 frames, without sound"
    )
    result = made(context, visitor, order(walk))[-1].result
    assert result.path.name == "move_dream.mp4"
    assert len(frames_of(result.path)) == 3


def test_where_no_size_is_given_it_is_not_enlarged(tmp_path):
    context = page_context(tmp_path)
    visitor = context.visitors.of("visitor")
    large = given(film(tmp_path / "large.mp4", moving(1, (30, 600))))
    for walk, size in ((large, "480"), (given(film(tmp_path / "small.mp4", moving(1))), "64")):
        asked = order(walk, clip=ClipSettings(max_frames=1))
        assert f"--size {size} " in made(context, visitor, asked)[-1].result.command


def test_a_file_that_holds_more_frames_than_it_says_ends_at_the_limit(
    context, visitor, walk, monkeypatch
):
    monkeypatch.setattr("jaxdream.video.source.ClipSource.expected", 3)
    context = page_context(context.folder, frames=6)
    moments = made(context, visitor, order(walk))
    assert moments[5].text == "frame 6 of 6"
    assert len(frames_of(moments[-1].result.path)) == 6


def test_where_the_file_does_not_tell_how_long_it_is_the_limit_holds(
    context, visitor, walk, monkeypatch
):
    monkeypatch.setattr("jaxdream.video.source.ClipSource.end", lambda *_, **__: None)
    context = page_context(context.folder, frames=6)
    result = made(context, visitor, order(walk))[-1].result
    assert len(frames_of(result.path)) == 6
    assert "--max-frames 6" in result.command


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"clip": ClipSettings(start=9.0)}, f"^{NAME} has no frame from second 9 on$"),
        ({"size": "300"}, "^300x225 pixels are over the 0.02 megapixels allowed here"),
        ({"size": "wide"}, "^'?wide"),
        ({"objective": "third"}, "third"),
        ({"settings": SETTINGS.replace(seamless="x")}, "^the frames of a video cannot be tiles"),
        ({"settings": SETTINGS.replace(steps=1001)}, "^1,001 steps in all are over"),
    ],
)
def test_what_cannot_be_dreamed_is_refused(context, visitor, walk, more, says):
    with pytest.raises(JaxdreamError, match=says):
        prepare_video(context, visitor, order(walk, **more))
    with pytest.raises(JaxdreamError, match=says):
        prepare_few(context, order(walk, **more))


def test_too_many_frames_are_refused(context, visitor, walk):
    context = page_context(context.folder, frames=9)
    with pytest.raises(JaxdreamError, match=r"^10 frames are over the 9 allowed here: take fewer"):
        prepare_video(context, visitor, order(walk))
    prepare_video(context, visitor, order(walk, clip=ClipSettings(every=2)))


def test_no_video_is_refused(context, visitor):
    with pytest.raises(JaxdreamError, match=r"^give a video first$"):
        prepare_video(context, visitor, order(None))


def damaged(path):
    path.write_bytes(film(path.with_name("whole.mp4")).read_bytes()[:2000])


def picture(path):
    Image.new("RGB", (9, 9)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: path.write_bytes(b"no video"), "is not a video that can be read"),
        (lambda path: path.write_bytes(b""), "is an empty file"),
        (damaged, "is not a video that can be read"),
        (picture, "is a picture"),
        (sound_file, "has no video stream"),
        (lambda path: path.write_bytes(b"#EXTM3U\n/etc/passwd\n"), "is not a video that can"),
    ],
)
def test_a_file_that_is_no_video_is_called_by_the_visitors_name(context, visitor, write, says):
    path = context.folder / "e5f6.mp4"
    write(path)
    walk = given(path)
    for act in (
        lambda: look_at_video(walk),
        lambda: prepare_video(context, visitor, order(walk)),
        lambda: prepare_few(context, order(walk)),
    ):
        with pytest.raises(JaxdreamError) as error:
            act()
        assert str(error.value).startswith(f"{NAME} {says}")
        assert str(context.folder) not in str(error.value)
        assert "\n" not in str(error.value)


def test_what_is_damaged_on_the_way_is_told_by_the_visitors_name(context, visitor, walk):
    path = Path(walk.path)
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat")
    content[begin + 3000 : begin + 6000] = bytes(3000)
    path.write_bytes(content)
    moments = made(context, visitor, order(walk))
    assert moments[-1].result is not None
    assert moments[-1].text.startswith(f"finished, {NAME}: ")
    assert str(context.folder) not in moments[-1].text


def test_a_video_with_too_many_pixels_is_refused(context, visitor, walk, monkeypatch):
    monkeypatch.setattr("jaxdream.web.videos.MAX_UPLOAD_MEGAPIXELS", 0.003)
    says = f"^{NAME} has 64x48 pixels, over the 0.003 megapixels allowed here"
    with pytest.raises(JaxdreamError, match=says):
        look_at_video(walk)
    with pytest.raises(JaxdreamError, match=says):
        prepare_video(context, visitor, order(walk))


@pytest.mark.parametrize(
    ("module", "says"), [("av", f"{NAME}: video needs PyAV"), ("cv2", "optical flow needs OpenCV")]
)
def test_without_the_extra_it_says_how_to_get_it(context, visitor, walk, monkeypatch, module, says):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(JaxdreamError, match=says + r": pip install 'jaxdream\[video\]'"):
        prepare_video(context, visitor, order(walk))


def test_a_still_costs_more_than_a_frame_that_goes_on(context, visitor, walk):
    assert prepare_video(context, visitor, order(walk)).cost == (2 + 9 * 1) * WIDTH * HEIGHT
    assert prepare_few(context, order(walk)).cost == 3 * 2 * WIDTH * HEIGHT
