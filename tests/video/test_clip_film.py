"""The film of a clip: how long its last frame is shown, and which sound goes with it."""

from fractions import Fraction

import numpy as np
import pytest
from video.films import film, packets, sound_file

import jaxdream as jd
from jaxdream.settings import ClipSettings
from jaxdream.video.clip_film import write_clip
from jaxdream.video.source import ClipSource


@pytest.fixture
def walk(tmp_path):
    """Ten frames in 0.4 seconds, with sound."""
    return film(tmp_path / "walk.mp4", sounds=["aac"])


@pytest.fixture
def write(walk, tmp_path):
    """Writes the film of a clip, and gives its path."""

    def write(clip, *, count=None, **options):
        with jd.open_video(walk) as reader:
            source = ClipSource(reader, clip, reader.info.size)
            frames = list(source.frames(source.first().time))[:count]
            begin = source.first().time
            paths = [tmp_path / f"{frame.number}.png" for frame in frames]
            for path, frame in zip(paths, frames, strict=True):
                jd.write_image(path, np.asarray(frame.pixels, np.float32))
            times = [begin + frame.seconds for frame in frames]
            path = tmp_path / "film.mp4"
            write_clip(path, paths, times, source, whole=count is None, **options)
        return path

    return write


def shown(path):
    """The times of a film's frames, and how long it is."""
    with jd.open_video(path) as reader:
        return [frame.time for frame in reader.frames()], reader.info.seconds


def test_all_of_a_video_has_all_of_its_sound(walk, write):
    path = write(ClipSettings())
    assert shown(path) == shown(walk)
    assert packets(path) == packets(walk)


@pytest.mark.parametrize(
    ("clip", "count", "frames", "seconds"),
    [
        (ClipSettings(start=0.1), None, 7, 0.28),
        (ClipSettings(end=0.2), None, 5, 0.2),
        (ClipSettings(max_frames=3), None, 3, 0.12),
        (ClipSettings(every=3), None, 4, 0.4),
        (ClipSettings(every=3), 2, 2, 0.24),
        (ClipSettings(), 4, 4, 0.16),
    ],
)
def test_a_part_of_a_video_has_the_sound_of_that_part(write, clip, count, frames, seconds):
    path = write(clip, count=count)
    times, length = shown(path)
    assert len(times) == frames
    assert times[1] == Fraction(clip.every, 25)
    assert float(length) == pytest.approx(seconds, abs=1e-3)
    heard = packets(path)
    assert heard[0][0] == pytest.approx(0, abs=0.05)
    assert seconds - 0.05 < heard[-1][0] < seconds


def test_other_sound_and_none(write, tmp_path):
    other = sound_file(tmp_path / "other.m4a", seconds=0.2)
    assert packets(write(ClipSettings(), sound=jd.other_sound(other))) == packets(other)
    with jd.open_video(write(ClipSettings(), silent=True)) as reader:
        assert reader.info.sounds == 0
