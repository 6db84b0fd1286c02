"""The folder of a zoom's frames: what a run that was stopped goes on from."""

import json

import numpy as np
import pytest

from jaxdream import JaxdreamError, read_image
from jaxdream.cli.frames import FrameFolder, check_folder

SETTINGS = {"size": (4, 6), "steps": 10, "weights_sha256": "ab" * 32}
MADE_WITH = {"jax": "1", "platform": "cpu"}


def frame(number):
    return np.random.default_rng(number).uniform(-20, 280, (4, 6, 3)).astype(np.float32)


def folder_of(path, count=2):
    frames = FrameFolder(path, SETTINGS, MADE_WITH)
    for number in range(count):
        frames.add(frame(number))
    return frames


def test_opens_where_it_stopped(tmp_path):
    path = tmp_path / "new" / "frames"
    folder_of(path)
    opened = FrameFolder(path, SETTINGS, MADE_WITH | {"jax": "2"})
    assert (opened.done, opened.begun_with) == (2, MADE_WITH)
    np.testing.assert_array_equal(opened.last, frame(1))
    opened.add(frame(2))
    assert [p.name for p in opened.paths(3)] == ["0001.png", "0002.png", "0003.png"]
    np.testing.assert_array_equal(read_image(opened.paths(3)[2]), frame(2).clip(0, 255).round())
    assert {p.name for p in path.iterdir()} == {
        "0001.png", "0002.png", "0003.png", "zoom.json", "zoom.npz"
    }  # fmt: skip


def test_a_frame_whose_number_was_not_yet_kept_is_made_again(tmp_path):
    frames = folder_of(tmp_path, 1)
    kept = (tmp_path / "zoom.npz").read_bytes()
    frames.add(frame(1))
    (tmp_path / "zoom.npz").write_bytes(kept)  # as if it ended just before
    (tmp_path / ".0003.png.0123abcd").write_bytes(b"half")
    (tmp_path / ".zoom.npz.0123abcd").write_bytes(b"half")
    (tmp_path / ".mine").write_bytes(b"")
    assert FrameFolder(tmp_path, SETTINGS, MADE_WITH).done == 1
    assert {p.name for p in tmp_path.iterdir()} == {
        "0001.png", "0002.png", "zoom.json", "zoom.npz", ".mine"
    }  # fmt: skip
    (tmp_path / "zoom.npz").unlink()
    assert FrameFolder(tmp_path, SETTINGS, MADE_WITH).done == 0


def test_other_settings_are_named(tmp_path):
    folder_of(tmp_path)
    other = {"size": (4, 6), "steps": 5, "weights_sha256": "cd" * 32, "frames": 100}
    with pytest.raises(JaxdreamError) as error:
        FrameFolder(tmp_path, other, MADE_WITH)
    for text in (
        "steps 10 there and 5 now",
        'weights_sha256 "abababababab" there and "cdcdcdcdcdcd" now',
        "frames null there and 100 now",
    ):
        assert text in str(error.value)
    assert "size" not in str(error.value)
    (tmp_path / "zoom.npz").unlink()  # pictures alone are enough
    with pytest.raises(JaxdreamError, match="another zoom"):
        FrameFolder(tmp_path, other, MADE_WITH)


def test_removes_what_it_wrote_and_no_more(tmp_path):
    path = tmp_path / "frames"
    folder_of(path).remove()
    assert not path.exists()
    frames = folder_of(path)
    (path / "mine.txt").write_text("mine")
    frames.remove()
    assert [p.name for p in path.iterdir()] == ["mine.txt"]


def write(name, content):
    return lambda path: (path / name).write_bytes(content)


def remove(name):
    return lambda path: (path / name).unlink()


def replace_state(**values):
    return lambda path: np.savez(path / "zoom.npz", **values)


DAMAGE = {
    "picture gone": (remove("0001.png"), "0001.png is missing"),
    "no settings": (remove("zoom.json"), "not the zoom.json of a zoom"),
    "settings empty": (write("zoom.json", b""), "zoom.json is damaged"),
    "settings a list": (write("zoom.json", b"[1]"), "zoom.json is damaged"),
    "settings not ascii": (write("zoom.json", b"\xff"), "zoom.json is damaged"),
    "later version": (
        write("zoom.json", json.dumps({"zoom": 9, "settings": SETTINGS, "made_with": {}}).encode()),
        "of another jaxdream",
    ),
    "state cut": (write("zoom.npz", b"PK\x03\x04"), "zoom.npz is damaged"),
    "state empty": (write("zoom.npz", b""), "zoom.npz is damaged"),
    "state of nothing": (replace_state(x=1), "zoom.npz is damaged"),
    "state of another size": (replace_state(frame=np.zeros((2, 2, 3)), done=2), "damaged"),
    "state of objects": (replace_state(frame=np.array([None]), done=2), "damaged"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_line(tmp_path, case):
    damage, says = DAMAGE[case]
    folder_of(tmp_path)
    damage(tmp_path)
    with pytest.raises(JaxdreamError, match=says) as error:
        FrameFolder(tmp_path, SETTINGS, MADE_WITH)
    assert "\n" not in str(error.value)


def test_where_a_folder_can_be(tmp_path):
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "folders")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(JaxdreamError):
            check_folder(path)
