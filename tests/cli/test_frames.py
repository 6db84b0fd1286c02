"""The folder of a zoom's frames: what a run that was stopped goes on from."""

import json
import pickle
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

import jaxdream as jd
from jaxdream import JaxdreamError, read_image
from jaxdream.cli.frames import ZoomFolder, check_folder, locked

SETTINGS = {"size": (4, 6), "steps": 10, "weights_sha256": "ab" * 32, "damping": 0.5}
CONTRAST = np.array([[120, 110, 100], [50, 40, 30]], np.float32)
MADE_WITH = {"jax": "1", "platform": "cpu"}
STATE = "zoom.safetensors"


def frame(number):
    return np.random.default_rng(number).uniform(-20, 280, (4, 6, 3)).astype(np.float32)


def folder_of(path, count=2):
    frames = ZoomFolder(path, SETTINGS, MADE_WITH)
    for number in range(count):
        path.mkdir(parents=True, exist_ok=True)
        frames.add(frame(number), CONTRAST)
    return frames


def names(path):
    return {found.name for found in path.iterdir()}


def test_opens_where_it_stopped(tmp_path):
    path = tmp_path / "frames"
    folder_of(path)
    opened = ZoomFolder(path, SETTINGS, MADE_WITH | {"jax": "2"})
    assert (opened.done, opened.begun_with) == (2, MADE_WITH)
    np.testing.assert_array_equal(opened.last, frame(1))
    np.testing.assert_array_equal(opened.contrast, CONTRAST)
    opened.add(frame(2), opened.contrast)
    assert [p.name for p in opened.paths()] == ["0001.png", "0002.png", "0003.png"]
    np.testing.assert_array_equal(read_image(opened.paths()[2]), frame(2).clip(0, 255).round())
    assert names(path) == {"0001.png", "0002.png", "0003.png", "zoom.json", STATE}


def test_other_processes_write_into_the_same_folder_alone(tmp_path):
    path = tmp_path / "frames"
    frames = folder_of(path)
    write = pickle.loads(pickle.dumps(frames.writer()))
    write(2, frame(2))
    written = (path / "0003.png").read_bytes()
    frames.add(frame(2), CONTRAST)
    assert (path / "0003.png").read_bytes() == written
    (path / "zoom.json").write_text("of another run")
    with pytest.raises(JaxdreamError, match=r"does not see the folder .*frames of this run"):
        write(3, frame(3))
    assert not (path / "0004.png").exists()


def test_what_a_killed_process_left_goes_with_the_frames(tmp_path):
    path = tmp_path / "frames"
    frames = folder_of(path)
    (path / ".0001.png.0123abcd").write_bytes(b"half")
    frames.remove()
    assert names(path) == set()


def test_a_frame_whose_number_was_not_yet_kept_is_made_again(tmp_path):
    frames = folder_of(tmp_path, 1)
    kept = (tmp_path / STATE).read_bytes()
    frames.add(frame(1), CONTRAST)
    (tmp_path / STATE).write_bytes(kept)  # as if it ended just before
    (tmp_path / ".0003.png.0123abcd").write_bytes(b"half")
    (tmp_path / ".0002.png.0123abcd").write_bytes(b"half")
    (tmp_path / f".{STATE}.0123abcd").write_bytes(b"half")
    (tmp_path / ".mine").write_bytes(b"")
    assert ZoomFolder(tmp_path, SETTINGS, MADE_WITH).done == 1
    assert names(tmp_path) == {
        "0001.png", "0002.png", ".0003.png.0123abcd", "zoom.json", STATE, ".mine"
    }  # fmt: skip
    (tmp_path / STATE).unlink()
    assert ZoomFolder(tmp_path, SETTINGS, MADE_WITH).done == 0


def test_other_settings_are_named(tmp_path):
    folder_of(tmp_path)
    other = {"size": (4, 6), "steps": 5, "weights_sha256": "cd" * 32, "frames": 100}
    with pytest.raises(JaxdreamError) as error:
        ZoomFolder(tmp_path, other, MADE_WITH)
    for text in (
        "steps 10 there and 5 now",
        'weights_sha256 "abababababab" there and "cdcdcdcdcdcd" now',
        "frames null there and 100 now",
    ):
        assert text in str(error.value)
    assert "size" not in str(error.value)
    (tmp_path / STATE).unlink()  # pictures alone are enough
    with pytest.raises(JaxdreamError, match="another zoom"):
        ZoomFolder(tmp_path, other, MADE_WITH)


def test_removes_only_what_it_wrote(tmp_path):
    path = tmp_path / "frames"
    with locked(path):
        folder_of(path).remove()
    assert not path.exists()
    with locked(path):
        frames = folder_of(path)
        (path / "mine.txt").write_text("mine")
        frames.remove()
    assert names(path) == {"mine.txt"}


def test_one_run_at_a_time_has_a_folder(tmp_path):
    path = tmp_path / "new" / "frames"
    with locked(path):
        with (
            pytest.raises(JaxdreamError, match="another run of jaxdream is writing into"),
            locked(path),
        ):
            pass
        (path / "0001.png").touch()
    assert names(path) == {"0001.png"}, "without the lock's file"
    with locked(path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match="cannot be a folder"), locked(tmp_path / "file"):
        pass


def write(name, content):
    return lambda path: (path / name).write_bytes(content)


def remove(name):
    return lambda path: (path / name).unlink()


def change_state(change=lambda frame: frame, contrast=CONTRAST, **metadata):
    """Another state file: its arrays changed, and some of its metadata; None leaves it out."""

    def damage(path):
        with safe_open(path / STATE, framework="np") as file:
            kept = {k: v for k, v in (file.metadata() | metadata).items() if v is not None}
            frame = change(file.get_tensor("frame"))
        arrays = {"frame": frame} | ({} if contrast is None else {"contrast": contrast})
        (path / STATE).write_bytes(save(arrays, kept))

    return damage


DAMAGE = {
    "another picture": (
        lambda path: jd.write_image(path / "0001.png", frame(0)[:2]), "0001.png is not the frame",
    ),
    "a text": (write("0002.png", b"mine"), "0002.png is not the frame"),
    "no settings": (remove("zoom.json"), "not the zoom.json of a zoom"),
    "settings empty": (write("zoom.json", b""), "zoom.json is not the zoom.json of a zoom, or"),
    "settings a list": (write("zoom.json", b"[1]"), "or is damaged"),
    "settings deep": (write("zoom.json", b"[" * 10**5), "or is damaged"),
    "settings not ascii": (write("zoom.json", b"\xff"), "or is damaged"),
    "later version": (
        write("zoom.json", json.dumps({"zoom": 9, "settings": SETTINGS, "made_with": {}}).encode()),
        "of another jaxdream",
    ),
}  # fmt: skip
DAMAGED_FRAMES = {
    "gone": (remove("0001.png"), [1], r"0001\.png is damaged or missing: made again"),
    "cut": (write("0002.png", b"\x89PNG\r\n\x1a\n"), [2], r"0002\.png is damaged"),
    "empty": (write("0002.png", b""), [2], r"0002\.png is damaged"),
    "zeros": (write("0002.png", bytes(500)), [2], r"0002\.png is damaged"),
}
DAMAGED_STATES = {
    "empty": write(STATE, b""),
    "of nothing": write(STATE, save({"x": np.zeros(1)})),
    "another frame": change_state(lambda frame: frame + 1),
    "another size": change_state(lambda frame: frame[:2].copy()),
    "another contrast": change_state(contrast=CONTRAST + 1),
    "a contrast of another shape": change_state(contrast=CONTRAST[:1].copy()),
    "no contrast": change_state(contrast=None),
    "doubles": change_state(lambda frame: frame.astype(float)),
    "another number": change_state(done="1"),
    "a huge number": change_state(done="1" + "0" * 18),
    "no number": change_state(done="x"),
    "no hash": change_state(sha256=None),
}


@pytest.mark.parametrize("case", DAMAGED_FRAMES)
def test_damaged_frames_are_made_again(tmp_path, case):
    damage, numbers, says = DAMAGED_FRAMES[case]
    folder_of(tmp_path)
    damage(tmp_path)
    frames = ZoomFolder(tmp_path, SETTINGS, MADE_WITH)
    assert (frames.done, frames.damaged) == (2, numbers)
    assert re.search(says, frames.problem)
    frames.restore(numbers[0], frame(numbers[0] - 1))
    assert ZoomFolder(tmp_path, SETTINGS, MADE_WITH).problem == ""


@pytest.mark.parametrize("case", DAMAGED_STATES)
def test_without_its_state_a_zoom_begins_again(tmp_path, case):
    folder_of(tmp_path)
    DAMAGED_STATES[case](tmp_path)
    frames = ZoomFolder(tmp_path, SETTINGS, MADE_WITH)
    assert (frames.done, frames.last) == (0, None)
    assert frames.problem == f"{tmp_path / STATE} is damaged: all frames are made again"


def test_overwrite_begins_again_whatever_is_there(tmp_path):
    folder_of(tmp_path)
    (tmp_path / "zoom.json").write_text("mine")
    frames = ZoomFolder(tmp_path, SETTINGS, MADE_WITH, overwrite=True)
    assert (frames.done, frames.problem) == (0, "")
    frames.add(frame(0), CONTRAST)
    assert ZoomFolder(tmp_path, SETTINGS, MADE_WITH).done == 1


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_line(tmp_path, case):
    damage, says = DAMAGE[case]
    folder_of(tmp_path)
    damage(tmp_path)
    with pytest.raises(JaxdreamError, match=says) as error:
        ZoomFolder(tmp_path, SETTINGS, MADE_WITH)
    assert "\n" not in str(error.value)


def test_no_flipped_byte_goes_unnoticed(tmp_path):
    folder_of(tmp_path)
    whole = (tmp_path / STATE).read_bytes()
    random = np.random.default_rng(5)
    for position in (*range(0, 200, 3), *random.integers(0, len(whole), 60)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(random.integers(8))
        (tmp_path / STATE).write_bytes(flipped)
        opened = ZoomFolder(tmp_path, SETTINGS, MADE_WITH)
        if opened.done:  # it was a byte of the version, which is not read
            assert opened.done == 2
            np.testing.assert_array_equal(opened.last, frame(1))


def test_where_a_folder_can_be(tmp_path):
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "folders")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(JaxdreamError):
            check_folder(path)
