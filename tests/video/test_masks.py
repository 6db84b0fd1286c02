from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from video.films import film, sound_file

from jaxdream import JaxdreamError
from jaxdream.settings import SourceSettings
from jaxdream.video.masks import VideoMasks

SIZE = (24, 32)
HALVES = np.repeat([[0] * 16 + [255] * 16], 24, axis=0).astype(np.uint8)


def masks_of(path, **settings):
    return VideoMasks.asked(SourceSettings(mask=str(path), **settings), SIZE, pytest.fail)


def grey(path, level, size=SIZE):
    Image.fromarray(np.full(size, level, np.uint8)).save(path)
    return path


def shares(mask_of, times, first=0):
    """The mean of the mask of each frame, in 0..255."""
    return [255 * float(mask_of(n, Fraction(t, 1000)).mean()) for n, t in enumerate(times, first)]


@pytest.fixture
def folder(tmp_path):
    """Masks of 10, 20, ... 110, whose names come in another order as text."""
    path = tmp_path / "masks"
    path.mkdir()
    for number in range(1, 12):
        grey(path / f"m{number}.png", 10 * number)
    (path / "notes.txt").write_text("no mask")
    return path


@pytest.fixture
def mask_film(tmp_path):
    """Frames of 0, 30, 60, ... at uneven times."""
    frames = [np.full((48, 64, 3), 30 * number, np.uint8) for number in range(8)]
    return film(tmp_path / "m.mp4", frames, stamps=[0, 40, 80, 300, 340, 900, 940, 980])


def test_without_a_mask_there_are_none():
    assert VideoMasks.asked(SourceSettings(), SIZE, pytest.fail) is None


def test_a_picture_is_the_mask_of_all_frames(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "m.png")
    masks = masks_of(tmp_path / "m.png")
    mask_of = masks.opened()
    for number in (0, 1, 999):
        np.testing.assert_array_equal(mask_of(number, Fraction(number)), HALVES / 255)
    assert masks.files == (tmp_path / "m.png",)


def test_inverted_and_softened(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "m.png")
    inverted = masks_of(tmp_path / "m.png", mask_invert=True).opened()(0, Fraction(0))
    np.testing.assert_array_equal(inverted, 1 - HALVES / 255)
    soft = masks_of(tmp_path / "m.png", mask_feather=2.0).opened()(0, Fraction(0))
    assert (np.diff(soft, axis=1) >= 0).all()
    assert 0.3 < soft[0, 15] < 0.5 < soft[0, 16] < 0.7
    assert (soft[:, 0] < 0.01).all()


def test_a_picture_of_another_size_is_resized(tmp_path):
    Image.fromarray(np.kron(HALVES, np.ones((2, 2), np.uint8))).save(tmp_path / "m.png")
    mask = masks_of(tmp_path / "m.png").opened()(0, Fraction(0))
    np.testing.assert_allclose(mask[:, :14], 0, atol=1e-6)
    np.testing.assert_allclose(mask[:, 18:], 1, atol=1e-6)


def test_the_pictures_of_a_folder_are_taken_in_the_order_of_their_numbers(folder):
    masks = masks_of(folder)
    assert [path.name for path in masks.files] == [f"m{n}.png" for n in range(1, 12)]
    expected = [10 * number for number in range(1, 12)]
    np.testing.assert_allclose(shares(masks.opened(), range(11)), expected, atol=0.01)
    # Also for a run that goes on.
    np.testing.assert_allclose(shares(masks.opened(), range(3), first=7), [80, 90, 100], atol=0.01)


@pytest.mark.parametrize(
    "names",
    [
        ["2.png", "10.png"],
        ["a2b9.png", "a2b10.png", "a10b1.png"],
        ["1.png", "a.png"],
        ["001.png", "01.png", "1.png"],
        ["1.png", "²7.png"],  # a digit of which Python makes no number
        ["٣.png", "10.png"],
    ],
)
def test_the_order_of_names(tmp_path, names):
    for made in (names, names[::-1]):
        folder = tmp_path / made[0]
        folder.mkdir()
        for name in made:
            grey(folder / name, 9)
        assert [path.name for path in masks_of(folder).files] == names


def test_too_few_pictures_for_the_frames_are_one_line(folder):
    mask_of = masks_of(folder).opened()
    with pytest.raises(JaxdreamError) as error:
        mask_of(11, Fraction(0))
    assert str(error.value) == (
        f"{folder} has 11 pictures, so there is no mask for frame 12: give one for each frame, or "
        "a single file"
    )


def test_a_video_gives_at_each_time_the_frame_that_is_shown(mask_film):
    masks = masks_of(mask_film)
    times = [0, 39, 40, 79, 200, 299, 300, 340, 899, 900, 5000]
    expected = [0, 0, 30, 30, 60, 60, 90, 120, 120, 150, 210]
    np.testing.assert_allclose(shares(masks.opened(), times), expected, atol=3)
    assert masks.files == (mask_film,)


@pytest.mark.parametrize("first", range(11))
def test_a_video_is_the_same_for_a_run_that_goes_on(mask_film, first):
    times = [0, 39, 40, 79, 200, 299, 300, 340, 899, 900, 5000]
    masks = masks_of(mask_film)
    whole = shares(masks.opened(), times)
    assert shares(masks.opened(), times[first:], first) == whole[first:]


def test_two_readings_of_a_video_take_turns(mask_film):
    masks = masks_of(mask_film)
    one, other = masks.opened(), masks.opened()
    assert shares(one, [0, 40]) == pytest.approx([0, 30], abs=3)
    assert shares(other, [900]) == pytest.approx([150], abs=3)
    assert shares(one, [80]) == pytest.approx([60], abs=3)


def test_a_video_can_be_inverted(mask_film):
    mask_of = masks_of(mask_film, mask_invert=True).opened()
    np.testing.assert_allclose(shares(mask_of, [0, 40]), [255, 225], atol=3)


def test_an_animated_gif_is_a_video(tmp_path):
    frames = [Image.fromarray(np.full(SIZE, level, np.uint8)) for level in (0, 100, 200)]
    path = tmp_path / "m.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    np.testing.assert_allclose(
        shares(masks_of(path).opened(), [0, 100, 200]), [0, 100, 200], atol=3
    )


def test_the_hash_is_of_the_content_of_all_files_in_their_order(folder, tmp_path, mask_film):
    before = masks_of(folder).sha256
    assert masks_of(folder.rename(tmp_path / "moved")).sha256 == before
    first, second = tmp_path / "moved" / "m1.png", tmp_path / "moved" / "m2.png"
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    assert masks_of(tmp_path / "moved").sha256 != before
    known = {before, masks_of(tmp_path / "moved").sha256, masks_of(mask_film).sha256}
    assert all(len(each) == 64 for each in known)
    assert len(known) == 3


REFUSED = {
    "alpha": "a video has no transparency: give a picture, a folder or a video",
    "empty": "has no pictures that could be masks",
    "black.png": "is black everywhere: nothing would be dreamed",
    "text.png": "text.png",
    "missing.png": "missing.png",
    "missing.mp4": "missing.mp4",
    "sound.m4a": "has no video stream",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_no_mask_is_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    grey(tmp_path / "black.png", 0)
    sound_file(tmp_path / "sound.m4a")
    with pytest.raises(JaxdreamError, match=REFUSED[name]) as error:
        masks_of(name)
    assert "\n" not in str(error.value)


def test_a_white_picture_that_is_inverted_is_refused(tmp_path):
    with pytest.raises(JaxdreamError, match="is white everywhere"):
        masks_of(grey(tmp_path / "m.png", 255), mask_invert=True)


def test_a_folder_can_hold_a_picture_that_is_black(folder):
    grey(folder / "m1.png", 0)
    np.testing.assert_allclose(shares(masks_of(folder).opened(), [0, 40]), [0, 20], atol=0.01)
