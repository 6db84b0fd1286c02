import hashlib
import io
import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.files.reading import file_hash, open_regular, printable, read_bytes, reason


def within(seconds, function, *arguments):
    """The result or the error of a call, which fails the test if it takes longer."""
    result = []

    def call():
        try:
            result.append(function(*arguments))
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    assert result, f"no answer within {seconds} s"
    return result[0]


def assert_refused(path, says):
    """Every way of reading refuses the path at once, in one line."""
    for read in (read_bytes, lambda path: file_hash(path, "sha256")):
        error = within(20, read, path)
        assert isinstance(error, JaxdreamError)
        assert says in str(error)
        assert "\n" not in str(error)


def test_reads_what_is_there(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert read_bytes(path) == read_bytes(str(path)) == b"abc"
    assert file_hash(path, "sha1") == hashlib.sha1(b"abc").hexdigest()
    with open_regular(path) as file:
        assert file.read(1) == b"a"
        assert file.seek(0) == 0
    assert file.closed


def test_hashes_more_than_one_block(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    assert file_hash(tmp_path / "x", "sha256") == hashlib.sha256(content).hexdigest()


def test_follows_links_to_regular_files(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("x")
    assert read_bytes(tmp_path / "link") == b"abc"


def test_refuses_a_pipe_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link").symlink_to("pipe.png")
    assert_refused(tmp_path / "pipe.png", "pipe.png is a pipe, not a regular file")
    assert_refused(tmp_path / "link", "is a pipe")


def test_refuses_a_pipe_that_takes_the_place_of_a_file(tmp_path, monkeypatch):
    """The file that was looked at may not be the one that is opened."""
    regular = tmp_path / "x"
    regular.write_bytes(b"abc")
    status = regular.stat()
    regular.unlink()
    os.mkfifo(regular)
    monkeypatch.setattr(os, "stat", lambda *_, **__: status)
    assert "is a pipe" in str(within(20, read_bytes, regular))


def test_refuses_sockets_devices_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert_refused("socket", "is a socket")
    assert_refused("/dev/zero", "/dev/zero is a device")
    assert_refused(tmp_path, "is a folder")


def test_refuses_a_file_over_the_limit_by_its_size_alone(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert read_bytes(path, limit=3) == b"abc"
    with pytest.raises(JaxdreamError, match=r"x is too large: 3 bytes, at most 2 bytes"):
        read_bytes(path, limit=2)
    with pytest.raises(JaxdreamError, match="too large"):
        file_hash(path, "sha1", limit=2)
    os.truncate(path, 1 << 40)
    assert_refused(path, "x is too large: 1.1 TB, at most 2.1 GB")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.png", "none.png: no such file"),
        ("x/none.png", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("a\0b", "a?b: embedded null"),
        ("a\ud800b", "a?b: "),
        ("two\nlines\x1b[31m", "two?lines?[31m: no such file"),
    ],
)
def test_impossible_files_are_one_line(tmp_path, name, says):
    (tmp_path / "x").touch()
    assert_refused(f"{tmp_path}/{name}", says)


def test_a_file_that_does_not_fit_into_memory_is_one_line(tmp_path, monkeypatch):
    class Huge(io.BufferedReader):
        def read(self, *_):
            raise MemoryError

    (tmp_path / "x").write_bytes(b"abc")
    monkeypatch.setattr(os, "fdopen", lambda descriptor, _: Huge(io.FileIO(descriptor)))
    with pytest.raises(JaxdreamError, match=r"x does not fit into memory$"):
        read_bytes(tmp_path / "x")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory"),
        (OSError("[Errno -2] Name or service not known"), "Name or service not known"),
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n\n  first \n"), "first"),
        (RuntimeError(""), "RuntimeError"),
        (RuntimeError("\x1b[31mred"), "?[31mred"),
        (KeyError("x"), "'x'"),
    ],
)
def test_a_reason_is_one_line(error, line):
    assert reason(error) == line


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp", "Cf", "L"])))
def test_printable_text_is_one_encodable_line(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()
    assert printable(shown) == shown


def test_printable_keeps_what_can_be_shown(tmp_path):
    assert printable("Großes Bild, 画像 🐈.png") == "Großes Bild, 画像 🐈.png"
    assert printable(tmp_path / "a\nb") == f"{tmp_path}/a?b"
    assert printable("na\udcefve\u202egnp.jpg") == "na?ve?gnp.jpg"
