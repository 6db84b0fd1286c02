import sys
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxdream import JaxdreamError, write_animation, write_image
from jaxdream.images.animation import FadedFrame, check_animation_writable, repeating
from jaxdream.images.picture_files import is_own, mark, read_recipe_text

SIZES = [(48, 64), (47, 63), (1, 1)]


def moving(count, size=(48, 64)):
    """Frames of a smooth picture that drifts, as floats that leave 0..255."""
    y, x = np.mgrid[: size[0], : size[1]]
    for i in range(count):
        yield np.stack([4 * x + 9 * i - 10, 5 * y, 128 + 60 * np.sin((x + y + 2 * i) / 9)], -1)


def exact(rate):
    """A rate as Python's fraction: from version 19 on, PyAV has a type of its own."""
    return Fraction(int(rate.numerator), int(rate.denominator))


def seen(path):
    """The frames of an animation as uint8, and their durations in milliseconds."""
    if path.suffix == ".mp4":
        import av

        with av.open(path) as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert stream.codec_context.name == "h264"
            assert stream.codec_context.pix_fmt == "yuv420p"
            return frames, [float(1000 / exact(stream.average_rate))] * len(frames)
    with Image.open(path) as image:
        frames, durations = [], []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            frames.append(np.array(image.convert("RGB")))
            durations.append(image.info.get("duration"))
        assert len(frames) == 1 or image.info["loop"] == 0
        return frames, durations


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
@pytest.mark.parametrize("size", SIZES)
def test_reads_back(tmp_path, suffix, size):
    path = tmp_path / f"a{suffix}"
    write_animation(path, moving(7, size), fps=25)
    frames, durations = seen(path)
    assert len(frames) == 7
    assert durations == [40.0] * 7
    odd = suffix == ".mp4"
    assert frames[0].shape == (size[0] + odd * (size[0] % 2), size[1] + odd * (size[1] % 2), 3)
    for frame, sent in zip(frames, moving(7, size), strict=True):
        shown = frame[: size[0], : size[1]].astype(float)
        assert np.abs(shown - np.clip(sent, 0, 255)).mean() < 5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_one_frame_of_any_kind_and_a_recipe(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    frame = next(moving(1)).clip(0, 255)
    write_image(tmp_path / "frame.png", frame)
    for one in (frame.astype(np.uint8), jnp.asarray(frame, jnp.float32), tmp_path / "frame.png"):
        write_animation(path, [one], recipe='{"zoom": 0.05}')
        frames, _ = seen(path)
        assert len(frames) == 1
        assert np.abs(frames[0] - frame).mean() < 5
    if suffix == ".mp4":
        import av

        with av.open(path) as container:
            assert container.metadata["comment"] == '{"zoom": 0.05}'
    else:
        assert read_recipe_text(path) == '{"zoom": 0.05}'


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_a_second_that_are_no_whole_milliseconds_do_not_drift(tmp_path, suffix):
    write_animation(tmp_path / f"a{suffix}", moving(31), fps=30)
    _, durations = seen(tmp_path / f"a{suffix}")
    assert sum(durations) == pytest.approx(31000 / 30, abs=5)
    assert max(durations) - min(durations) == (10 if suffix == ".gif" else 1)


def test_mp4_has_exactly_the_rate_asked_for(tmp_path):
    import av

    for fps, rate in [(29.97, Fraction(2997, 100)), (0.5, Fraction(1, 2)), (60, Fraction(60))]:
        write_animation(tmp_path / "a.mp4", moving(3), fps=fps)
        with av.open(tmp_path / "a.mp4") as container:
            stream = container.streams.video[0]
            assert exact(stream.average_rate) == rate
            assert stream.frames == 3
            seconds = float(stream.duration * exact(stream.time_base))
            assert seconds == pytest.approx(3 / fps, rel=0.01)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_one_frame_is_open_at_a_time(tmp_path, suffix):
    class Watched:
        """A list that says how many of its frames are alive."""

        def __init__(self):
            self.taken = 0

        def __len__(self):
            return 5

        def __iter__(self):
            for frame in moving(5):
                self.taken += 1
                yield frame

    frames = Watched()
    write_animation(tmp_path / f"a{suffix}", frames)
    assert frames.taken == 5
    assert len(seen(tmp_path / f"a{suffix}")[0]) == 5


def failing():
    yield next(moving(1))
    raise RuntimeError("half way")


def test_frames_repeat_as_asked(tmp_path):
    frames = [np.full((2, 2, 3), 10.0 * number) for number in range(5)]
    assert repeating(frames) is frames
    shown = [frame[0, 0, 0] for frame in repeating(frames, ping_pong=True)]
    assert shown == [0, 10, 20, 30, 40, 30, 20, 10]
    for loop in (2, 12):  # no longer than there are frames for
        first, second, third = repeating(frames, loop=loop)
        assert [first.image()[0, 0, 0], second.image()[0, 0, 0]] == pytest.approx([20, 20])
        assert third is frames[2]
    path = tmp_path / "frame.png"
    write_image(path, frames[4])
    mixed = FadedFrame(path, frames[0], 0.25)
    np.testing.assert_array_equal(mixed.image(), np.full((2, 2, 3), 30))
    with pytest.raises(JaxdreamError, match=r"frame\.png and an array differ in size"):
        FadedFrame(path, np.zeros((2, 3, 3)), 0.5).image()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    for frames, says in [
        (failing(), "cannot write .*: half way"),
        ([], "an animation needs at least one frame"),
        ([np.zeros((4, 4, 3)), np.zeros((4, 6, 3))], "frame 2 is 6x4 pixels, the first is 4x4"),
        ([np.full((4, 4, 3), np.nan)], "not finite"),
        ([np.zeros((4, 4))], r"frame 1 must have the shape \(height, width, 3\), not \(4, 4\)"),
        ([tmp_path / "none.png"], "no such file"),
    ]:
        with pytest.raises(JaxdreamError, match=says) as error:
            write_animation(path, frames)
        assert "\n" not in str(error.value)
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("a.avi", {}, ".gif, .webp, .mp4, not '.avi'"),
        ("a", {}, "the name needs an ending: animations are written as .gif, .webp, .mp4"),
        ("a.gif", {"fps": 60}, "GIF plays 0.01 to 50 frames a second, not 60"),
        ("a.webp", {"fps": 0}, "not 0"),
        ("a.mp4", {"fps": float("nan")}, "not nan"),
        ("a.mp4", {"fps": -1.0}, "not -1"),
        ("a.webp", {"size": (10, 20000)}, "20000x10 pixels are too many for WEBP"),
        ("no/a.gif", {}, "no folder"),
        ("folder.gif", {}, "is a folder"),
    ],
)
def test_impossible_files_are_refused_before_writing(tmp_path, name, settings, says):
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(JaxdreamError, match=says):
        check_animation_writable(tmp_path / name, **settings)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.gif"]


def test_without_pyav_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[video\]'"):
        check_animation_writable(tmp_path / "a.mp4")
    check_animation_writable(tmp_path / "a.gif")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_an_animation_of_ours_is_known_by_its_mark(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    frames = [np.full((16, 16, 3), level, np.float32) for level in (50, 200)]
    write_animation(path, frames, recipe=mark("preview"))
    assert is_own(path)
    write_animation(path, frames)
    assert not is_own(path)
