from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from video.films import HEIGHT, WIDTH, film, moving

from jaxdream import JaxdreamError
from jaxdream.settings import ClipSettings, SourceSettings, VideoSettings
from jaxdream.video.coherence import Carried
from jaxdream.video.cuts import CutFinder
from jaxdream.video.masks import VideoMasks
from jaxdream.video.reading import open_video
from jaxdream.video.source import ClipSource, Place

SIZE = (HEIGHT, WIDTH)
UNEVEN = [0, 33, 67, 100, 250, 251, 300, 640, 641, 1000]  # milliseconds


def source(path, size=SIZE, masks=None, **clip):
    with open_video(path) as reader:
        return ClipSource(reader, ClipSettings(**clip), size, masks)


def milliseconds(times):
    exact = [1000 * time for time in times]
    assert all(each.denominator == 1 for each in exact)
    return [int(each) for each in exact]


@pytest.fixture
def even(tmp_path):
    """Ten frames, one each 40 ms."""
    return film(tmp_path / "even.mp4")


@pytest.fixture
def uneven(tmp_path):
    return film(tmp_path / "uneven.mp4", stamps=UNEVEN)


@pytest.fixture
def scenes_film(tmp_path):
    """Scenes of 3, 4 and 3 frames."""
    frames = [*moving(10)]
    frames[3:7] = [255 - frame for frame in frames[3:7]]
    return film(tmp_path / "scenes.mp4", frames)


CHOSEN = {
    "all": ({}, range(10)),
    "start": ({"start": 0.1}, range(3, 10)),
    "start at a frame": ({"start": 0.12}, range(3, 10)),
    "end": ({"end": 0.1}, range(3)),
    "end at a frame": ({"end": 0.2}, range(5)),
    "both": ({"start": 0.08, "end": 0.28}, range(2, 7)),
    "every third": ({"every": 3}, [0, 3, 6, 9]),
    "every third from a start": ({"start": 0.05, "every": 3}, [2, 5, 8]),
    "every third to an end": ({"every": 3, "end": 0.24}, [0, 3]),
    "a number": ({"max_frames": 3}, range(3)),
    "a number of every fourth": ({"max_frames": 2, "every": 4}, [0, 4]),
    "a number larger than there are": ({"max_frames": 90, "every": 9}, [0, 9]),
    "all four": ({"start": 0.04, "end": 0.32, "every": 2, "max_frames": 3}, [1, 3, 5]),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOSEN)
def test_which_frames_are_chosen(even, case):
    clip, chosen = CHOSEN[case]
    whole = [frame.pixels for frame in source(even).frames(Fraction(0))]
    asked = source(even, **clip)
    frames = list(asked.frames(asked.first().time))
    assert [frame.number for frame in frames] == list(range(len(chosen)))
    expected = [40 * (index - chosen[0]) for index in chosen]
    assert milliseconds(frame.seconds for frame in frames) == expected
    for frame, index in zip(frames, chosen, strict=True):
        np.testing.assert_array_equal(frame.pixels, whole[index])
    assert milliseconds([asked.first().time]) == [40 * chosen[0]]
    np.testing.assert_array_equal(asked.first().pixels, whole[chosen[0]])
    assert milliseconds(asked.scan().times) == [40 * index for index in chosen]
    assert abs(asked.expected - len(chosen)) <= 1


@pytest.mark.parametrize("tenths", range(1, 10))
def test_seconds_are_those_that_were_written(tmp_path, tenths):
    """0.1 is a tenth, and not the number of binary digits next to it."""
    path = film(tmp_path / "a.mp4", stamps=[100 * i for i in range(10)])
    times = milliseconds(source(path, start=tenths / 10).scan().times)
    assert times == [100 * i for i in range(tenths, 10)]
    until = source(path, end=tenths / 10)
    assert milliseconds(until.scan().times) == [100 * i for i in range(tenths)]
    assert abs(until.expected - tenths) <= 1


@pytest.mark.parametrize("case", CHOSEN)
def test_after_a_place_come_the_same_frames(uneven, case):
    asked = source(uneven, **CHOSEN[case][0])
    begin, times = asked.first().time, asked.scan().times
    whole = list(asked.frames(begin))
    for number, time in enumerate(times):
        rest = list(asked.frames(begin, after=Place(number, time)))
        assert [frame[::2] for frame in rest] == [frame[::2] for frame in whole[number + 1 :]]
        for frame, expected in zip(rest, whole[number + 1 :], strict=True):
            np.testing.assert_array_equal(frame.pixels, expected.pixels)


def test_up_to_a_frame(even):
    every_second = source(even, every=2)
    assert [frame.number for frame in every_second.frames(Fraction(0), end=3)] == [0, 1, 2]
    after = Place(1, Fraction(80, 1000))
    assert [f.number for f in every_second.frames(Fraction(0), after=after, end=3)] == [2]
    assert not list(every_second.frames(Fraction(0), after=after, end=2))


def test_times_of_a_varying_rate_are_kept(uneven):
    frames = list(source(uneven, every=3).frames(Fraction(0)))
    assert milliseconds(frame.seconds for frame in frames) == UNEVEN[::3]


def test_frames_have_the_size_that_is_asked_for(even):
    large, small = source(even), source(even, size=(23, 31))
    image = Image.fromarray(next(large.frames(Fraction(0))).pixels)
    expected = np.asarray(image.resize((31, 23), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(next(small.frames(Fraction(0))).pixels, expected)
    np.testing.assert_array_equal(small.first().pixels, expected)


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        ({"start": 5.0}, "has no frame from second 5 on"),
        ({"start": 0.05, "end": 0.07}, "has no frame from second 0.05 on to 0.07"),
    ],
)
def test_a_clip_without_frames_is_one_line(even, clip, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        source(even, **clip).first()
    assert str(error.value).startswith(str(even))


def test_frames_a_second_are_those_of_the_clip(even):
    assert source(even).fps == 25
    assert source(even, every=10).fps == Fraction(5, 2)


def test_how_many_frames_there_are_is_unknown_where_the_file_has_no_length(tmp_path):
    path = film(tmp_path / "a.h264")
    assert source(path).expected is None
    assert source(path, max_frames=7).expected == 7
    assert source(path, end=0.2).expected == 5


def test_a_scan_finds_times_and_cuts(scenes_film):
    cuts = CutFinder(VideoSettings(cuts="3,7"))
    scanned = source(scenes_film).scan(cuts)
    assert scanned.cuts == (0, 3, 7)
    assert milliseconds(scanned.times) == [40 * i for i in range(10)]
    # The numbers of cuts are those of the clip.
    every = source(scenes_film, every=3).scan(CutFinder(VideoSettings(cuts="1,2")))
    assert (every.cuts, len(every.times)) == ((0, 1, 2), 4)
    assert source(scenes_film).scan().cuts == (0,)


def carried(number):
    pixels = np.full((*SIZE, 3), number, np.uint8)
    return Carried(pixels, pixels.astype(np.float32), np.zeros(3, np.float32), pixels, 1)


MISSING = {
    "all": ([], [], [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]),
    "one scene is finished": ([0, 1, 2], [2], [[3, 4, 5, 6], [7, 8, 9]]),
    "two are begun": ([0, 3, 4], [0, 4], [[1, 2], [5, 6], [7, 8, 9]]),
    "a later one is finished": ([0, 7, 8, 9], [0, 9], [[1, 2], [3, 4, 5, 6]]),
    "what one depends on is lost": ([0, 3, 4], [0], [[1, 2], [3, 4, 5, 6], [7, 8, 9]]),
    "nothing": (range(10), [9], []),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING)
def test_the_scenes_of_which_frames_are_missing(scenes_film, case):
    finished, known, expected = MISSING[case]
    asked = source(scenes_film)
    scanned = asked.scan(CutFinder(VideoSettings(cuts="3,7")))
    whole = [frame.pixels for frame in asked.frames(Fraction(0))]
    there = {number: carried(number) for number in known}
    parts = list(scanned.missing(finished, there))
    assert [(part.begin, part.end - 1) for part in parts] == [(n[0], n[-1]) for n in expected]
    scenes = [asked.scene(Fraction(0), part) for part in parts]
    numbers = []
    for scene in scenes:
        frames = list(scene.frames)
        numbers.append([frame.number for frame in frames])
        for frame in frames:
            np.testing.assert_array_equal(frame.pixels, whole[frame.number])
            assert milliseconds([frame.seconds]) == [40 * frame.number]
    assert numbers == expected
    goes_on = [scene.carried for scene in scenes]
    begins = [each[0] in (0, 3, 7) for each in expected]
    assert [each is None for each in goes_on] == begins
    for each, frames in zip(goes_on, expected, strict=True):
        if each is not None:
            assert each is there[frames[0] - 1]


def test_each_frame_has_the_mask_of_its_number_or_its_time(even, tmp_path):
    (tmp_path / "masks").mkdir()
    for number in range(5):
        level = np.full(SIZE, 40 + 50 * number, np.uint8)
        Image.fromarray(level).save(tmp_path / "masks" / f"{number}.png")
    asked = SourceSettings(mask=str(tmp_path / "masks"))
    masks = VideoMasks.asked(asked, SIZE, pytest.fail)
    every = source(even, every=2, masks=masks)
    expected = [(40 + 50 * number) / 255 for number in range(5)]
    shares = [float(frame.mask.mean()) for frame in every.frames(Fraction(0))]
    np.testing.assert_allclose(shares, expected, atol=1e-3)
    after = Place(2, Fraction(160, 1000))
    rest = [float(frame.mask.mean()) for frame in every.frames(Fraction(0), after=after)]
    np.testing.assert_allclose(rest, expected[3:], atol=1e-3)
    # The mask of a video goes by the time in the video, also where the clip begins later.
    clip = [np.full((*SIZE, 3), 20 * number, np.uint8) for number in range(10)]
    asked = SourceSettings(mask=str(film(tmp_path / "m.mp4", clip)))
    later = source(even, start=0.2, masks=VideoMasks.asked(asked, SIZE, pytest.fail))
    shares = [float(frame.mask.mean()) for frame in later.frames(Fraction(1, 5))]
    np.testing.assert_allclose(shares, [20 * n / 255 for n in range(5, 10)], atol=0.02)
