import errno
import os
from pathlib import Path

import pytest

from jaxdream import JaxdreamError
from jaxdream.files.writing import check_place, make_folder, remove_temporaries, replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def test_takes_the_place_of_the_old_file_when_it_is_whole(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail_half_way():
        with replacing(path) as file:
            file.write(b"ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    def fill_the_disk():
        with replacing(tmp_path / "x") as file:
            file.write(b"ne")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        JaxdreamError, match=r"^cannot write .*x: No space left on device$"
    ) as error:
        fill_the_disk()
    assert isinstance(error.value.__cause__, OSError)
    assert error.value.__cause__.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_a_link_is_replaced_and_not_what_it_points_to(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "link").symlink_to("x")
    write(tmp_path / "link")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert (tmp_path / "link").read_bytes() == b"new"


IMPOSSIBLE = {
    "no folder": ("no/x", "there is no folder"),
    "a file as folder": ("file/x", "there is no folder"),
    "a folder": ("folder", "is a folder: name the file to write"),
    "too long": ("x" * 300, "File name too long"),
    "too long while it is written": ("x" * 250, "File name too long"),
    "null": ("a\0b", "null"),
    "not unicode": ("a\ud800b", "surrogates not allowed"),
    "a pipe": ("pipe", "pipe is a pipe: name a file to write"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_files_are_one_line_before_and_while_writing(tmp_path, case):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    name, says = IMPOSSIBLE[case]
    with pytest.raises(JaxdreamError, match=says) as early:
        check_place(tmp_path / name)
    with pytest.raises(JaxdreamError) as late:
        write(tmp_path / name)
    for error in (early, late):
        assert "\n" not in str(error.value)
    assert names(tmp_path) == before


def test_devices_are_left_alone():
    with pytest.raises(JaxdreamError, match="/dev/null is a device"):
        check_place("/dev/null")
    with pytest.raises(JaxdreamError, match="/dev/null is a device"):
        write("/dev/null")


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_without_a_name_is_one_line(path):
    with pytest.raises(JaxdreamError, match="is a folder"):
        write(path)


def test_names_are_shown_on_one_line(tmp_path):
    with pytest.raises(JaxdreamError, match=r"cannot write .*/no/two\?lines: "):
        write(tmp_path / "no" / "two\nlines")


def test_checking_a_place_leaves_nothing_and_keeps_the_file(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    check_place(tmp_path / "old")
    check_place(tmp_path / "new")
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_temporaries_of_the_named_files_alone_are_removed(tmp_path):
    kept = [".other.png.0123abcd", ".x.png.0123abc", "x.png.0123abcd", ".x.png.0123abcd.tmp"]
    for name in [".x.png.0123abcd", ".x.png.ffffffff", *kept]:
        (tmp_path / name).touch()
    remove_temporaries([tmp_path / "x.png", tmp_path / "none" / "x.png", Path("a\0b/x.png")])
    assert names(tmp_path) == sorted(kept)


def test_folders_are_made_or_refused_in_one_line(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(str(tmp_path / "a")) == tmp_path / "a"
    (tmp_path / "file").touch()
    for name in ("file", "file/b", "a\0b", "x" * 300, "a\ud800b"):
        with pytest.raises(JaxdreamError, match="cannot be a folder") as error:
            make_folder(tmp_path / name)
        assert "\n" not in str(error.value)
