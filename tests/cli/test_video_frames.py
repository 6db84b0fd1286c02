"""The folder of a video's frames: what a run that was stopped goes on from."""

from fractions import Fraction

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from jaxdream import JaxdreamError, read_image
from jaxdream.cli.frames import ZoomFolder
from jaxdream.cli.video_frames import VideoFolder
from jaxdream.video.coherence import Carried
from jaxdream.video.dreamer import VideoState
from jaxdream.video.source import Place

SETTINGS = {"size": (4, 6), "steps": 10}
MADE_WITH = {"jax": "1", "platform": "cpu"}
STATE = "video.safetensors"


def opened(path, settings=SETTINGS, **more):
    return VideoFolder(path, settings, MADE_WITH, **more)


def time_of(number):
    return Fraction(1001 * number, 30000)


def state(number, frames=1):
    random = np.random.default_rng(number)
    image, dream = random.uniform(-20, 280, (2, 4, 6, 3)).astype(np.float32)
    frame, first = random.integers(0, 256, (2, 4, 6, 3), np.uint8)
    mean = random.normal(size=3).astype(np.float32)
    # Every other one as with a mask.
    dreamed = random.random((4, 6)) < 0.5 if number % 2 else None
    carried = Carried(frame, dream, mean, first, frames, dreamed)
    return VideoState(number, image, carried, frames == 1)


def add(folder, *numbers):
    for number in numbers:
        folder.add([state(number, number + 1)], time_of(number))
    return folder


def tensors_of(path):
    with safe_open(path / STATE, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def kept_numbers(path):
    return {name.partition(".")[0] for name in tensors_of(path) if name != "times"}


def assert_carried(found, number):
    for name, expected in state(number, number + 1).carried._asdict().items():
        there = getattr(found, name)
        np.testing.assert_array_equal(there, expected, err_msg=name)
        assert np.asarray(there).dtype == np.asarray(expected).dtype, name


def test_opens_where_it_stopped(tmp_path):
    add(opened(tmp_path), 0, 1, 2)
    folder = opened(tmp_path)
    assert (folder.done, folder.problem, folder.in_order) == (3, "", True)
    assert folder.finished == [Place(number, time_of(number)) for number in range(3)]
    assert list(folder.carried) == [2]
    assert_carried(folder.carried[2], 2)
    assert isinstance(folder.carried[2].frames, int)
    assert [path.name for path in folder.paths()] == ["0001.png", "0002.png", "0003.png"]
    for number, path in enumerate(folder.paths()):
        np.testing.assert_array_equal(read_image(path), state(number).image.clip(0, 255).round())


def test_a_new_folder_has_nothing(tmp_path):
    folder = opened(tmp_path)
    assert (folder.done, folder.numbers, folder.finished, folder.carried) == (0, [], [], {})
    assert folder.in_order
    assert not list(tmp_path.iterdir())


def test_frames_of_several_scenes_come_in_any_order(tmp_path):
    """Three scenes from the frames 0, 4 and 7 on, side by side."""
    folder = opened(tmp_path)
    for numbers, kept in (
        ([0, 4, 7], {"0", "4", "7"}),
        ([1, 5, 8], {"1", "5", "8"}),
        ([2, 6], {"2", "8"}),  # frame 7 is there, so nothing goes on from frame 6
        ([3], {"8"}),
    ):
        add(folder, *numbers)
        assert kept_numbers(tmp_path) == kept
        again = opened(tmp_path)
        assert again.finished == folder.finished
        assert set(again.carried) == set(map(int, kept))
        for number in again.carried:
            assert_carried(again.carried[number], number)
        assert again.in_order == (numbers == [3])
    assert again.done == 9
    assert again.finished == [Place(number, time_of(number)) for number in range(9)]


def test_frames_that_are_not_finished_are_missing_in_between(tmp_path):
    folder = opened(add(opened(tmp_path), 0, 3).path)
    assert (folder.done, folder.numbers, folder.in_order) == (2, [1, 4], False)
    assert [path.name for path in folder.paths()] == ["0001.png", "0004.png"]
    assert opened(add(folder, 1, 2).path).in_order


def test_a_frame_that_is_made_again_counts_once(tmp_path):
    folder = add(opened(tmp_path), 0, 1)
    add(folder, 1)
    assert folder.done == 2
    assert opened(tmp_path).problem == ""


def test_a_time_is_kept_exactly(tmp_path):
    times = [Fraction(0), Fraction(1, 3), Fraction(10**12 + 1, 90000), Fraction(10**6)]
    folder = opened(tmp_path)
    for number, time in enumerate(times):
        folder.add([state(number)], time)
    assert [place.time for place in opened(tmp_path).finished] == times


def test_a_frame_whose_number_was_not_yet_kept_is_made_again(tmp_path):
    folder = add(opened(tmp_path), 0)
    kept = (tmp_path / STATE).read_bytes()
    add(folder, 1)
    (tmp_path / STATE).write_bytes(kept)  # as if it was killed just before
    (tmp_path / ".0002.png.0123abcd").write_bytes(b"half")
    again = opened(tmp_path)
    assert (again.done, again.problem, list(again.carried)) == (1, "", [0])
    assert not (tmp_path / ".0002.png.0123abcd").exists()


def test_a_damaged_picture_of_a_later_scene_is_found(tmp_path):
    add(opened(tmp_path), 0, 4)
    (tmp_path / "0005.png").write_bytes(b"")
    folder = opened(tmp_path)
    assert (folder.done, folder.damaged) == (2, [5])
    folder.restore(5, state(4).image)
    assert opened(tmp_path).problem == ""


def change(name, tensor=lambda tensor: tensor, rename=None):
    def damage(tensors):
        changed = tensor(tensors.pop(name))
        if changed is not None:
            tensors[rename or name] = changed

    return damage


DAMAGED = {
    "no times": change("times", lambda _: None),
    "a time more": change("times", lambda times: np.vstack([times, [[1, 25]]])),
    "a time less": change("times", lambda times: times[:-1].copy()),
    "times of another shape": change("times", lambda times: times[:, :1].copy()),
    "a frame of another size": change("1.frame", lambda frame: frame[:2].copy()),
    "a dream of another size": change("1.dream", lambda dream: dream[:, :3].copy()),
    "another dream": change("1.dream", lambda dream: dream + 1),
    "a mask of another size": change("1.dreamed", lambda dreamed: dreamed[:2].copy()),
    "no mask": change("1.dreamed", lambda _: None),
    "no dream": change("1.dream", lambda _: None),
    "the name of another frame": change("1.dream", rename="0.dream"),
    "a name that is none": change("1.dream", rename="x.dream"),
    "another number of frames": change("1.frames", lambda frames: np.asarray(frames + 1)),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_with_a_damaged_state_a_video_begins_again(tmp_path, case):
    add(opened(tmp_path), 0, 1)
    with safe_open(tmp_path / STATE, framework="np") as file:
        metadata = file.metadata()
    tensors = tensors_of(tmp_path)
    DAMAGED[case](tensors)
    (tmp_path / STATE).write_bytes(save(tensors, metadata))
    folder = opened(tmp_path)
    assert (folder.done, folder.finished, folder.carried) == (0, [], {})
    assert folder.problem == f"{tmp_path / STATE} is damaged: all frames are made again"
    add(folder, 0)
    assert opened(tmp_path).finished == [Place(0, Fraction(0))]


def test_no_flipped_byte_goes_unnoticed(tmp_path):
    add(opened(tmp_path), 0, 1, 4)
    expected = opened(tmp_path).finished
    whole = (tmp_path / STATE).read_bytes()
    random = np.random.default_rng(5)
    for position in (*range(0, 900, 17), *random.integers(0, len(whole), 40)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(random.integers(8))
        (tmp_path / STATE).write_bytes(flipped)
        folder = opened(tmp_path)
        if folder.done:  # it was a byte of the version, which is not read
            assert folder.finished == expected
            for number in (1, 4):
                assert_carried(folder.carried[number], number)


def test_other_settings_are_named(tmp_path):
    add(opened(tmp_path), 0)
    with pytest.raises(JaxdreamError, match=r"of another video \(steps 10 there and 5 now\)"):
        opened(tmp_path, SETTINGS | {"steps": 5})
    assert opened(tmp_path, SETTINGS | {"steps": 5}, overwrite=True).done == 0


def test_a_zoom_and_a_video_do_not_share_a_folder(tmp_path):
    zoom = ZoomFolder(tmp_path, SETTINGS, MADE_WITH)
    zoom.add(state(0).image, None)
    with pytest.raises(JaxdreamError, match=r"but not the video\.json of a video"):
        opened(tmp_path)


def test_removes_only_what_it_wrote(tmp_path):
    folder = add(opened(tmp_path), 0, 4)
    (tmp_path / "0002.png").write_bytes(b"mine")
    folder.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["0002.png"]
