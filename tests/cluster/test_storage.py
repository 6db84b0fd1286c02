"""Places: local, in memory, and stores that fail."""

import errno
from pathlib import Path

import fsspec
import pytest

from jaxdream import JaxdreamError
from jaxdream.cluster import storage
from jaxdream.cluster.storage import StoreError, read_if_there, read_place, write_place
from jaxdream.folder.targets import TargetError


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    store.store.clear()
    return store


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(storage.time, "sleep", lambda _: None)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("kind", ["memory://box", "local", "file"])
def test_written_and_read(tmp_path, kind):
    folder = {"local": str(tmp_path), "file": f"file://{tmp_path}"}.get(kind, kind)
    place = storage.joined(folder, "a/b.png")
    assert read_if_there(place) is None
    with pytest.raises(JaxdreamError, match=r"a/b\.png: no such file"):
        read_place(place)
    write_place(place, b"first")
    write_place(place, b"0123456789")
    assert read_if_there(place) == read_place(place) == b"0123456789"
    assert read_place(place, 2, 5) == b"234"


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("kind", ["memory://box", "local"])
def test_a_large_file_is_whole_and_a_folder_is_deleted(tmp_path, kind):
    folder = {"local": str(tmp_path)}.get(kind, kind)
    place = storage.joined(folder, "large.tar")

    def ends_early(file):
        file.write(b"some")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.write_place_by(place, ends_early)
    assert storage.files_below(folder) == set()
    storage.write_place_by(place, lambda file: file.write(b"all"))
    for name in ("parts/a/b.png", "parts/a[1].png", "parts/*.png", "other/c.png"):
        write_place(storage.joined(folder, name), b"x")
    assert storage.files_below(storage.joined(folder, "parts")) == {"a/b.png", "a[1].png", "*.png"}
    storage.remove_folder(storage.joined(folder, "parts"))
    storage.remove_folder(storage.joined(folder, "none"))
    storage.remove_file(storage.joined(folder, "none"))
    assert storage.files_below(folder) == {"large.tar", "other/c.png"}
    storage.remove_file(place)
    assert read_if_there(place) is None


class Broken:
    """A store whose operations fail so many times."""

    protocol = ("sftp",)

    def __init__(self, times, error):
        self.times, self.error, self.files, self.calls = times, error, {}, 0

    def _fail(self):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error

    def cat_file(self, path, **_):
        self._fail()
        return self.files[path]

    def makedirs(self, *_, **__):
        pass

    def put_file(self, local, path):
        self.pipe_file(path, Path(local).read_bytes())

    def pipe_file(self, path, content):
        self._fail()
        self.files[path] = content

    def mv(self, old, new):
        assert "/." in old
        self.files[new] = self.files.pop(old)


def use(monkeypatch, store):
    monkeypatch.setattr(storage, "opened_store", lambda place: (store, place.partition("://")[2]))


def test_a_store_that_fails_for_a_moment_is_asked_again(monkeypatch):
    store = Broken(3, OSError("503 Slow Down"))
    use(monkeypatch, store)
    write_place("sftp://host/a.png", b"x")
    assert store.files == {"host/a.png": b"x"}
    store.calls = 0
    storage.write_place_by("sftp://host/b.tar", lambda file: file.write(b"large"))
    assert store.files.pop("host/b.tar") == b"large"
    store.calls = 0
    assert read_place("sftp://host/a.png") == b"x"


@pytest.mark.parametrize(
    ("error", "calls"),
    [(RuntimeError("500"), 5), (OSError(errno.ENOSPC, "No space left on device"), 1)],
)
def test_a_store_that_fails_for_good(monkeypatch, error, calls):
    store = Broken(99, error)
    use(monkeypatch, store)
    with pytest.raises(TargetError, match=r"cannot write: sftp://host/a\.png: the store fails: "):
        write_place("sftp://host/a.png", b"x")
    assert store.calls == calls
    with pytest.raises(StoreError, match="the store fails"):
        read_place("sftp://host/a.png")
    assert store.files == {}


def test_unknown_kinds_of_stores():
    with pytest.raises(JaxdreamError, match="cannot open nothing://x"):
        read_place("nothing://x")


def test_too_large_files_are_not_read():
    storage.check_size("s3://a", None)
    storage.check_size("s3://a", 2 << 30)
    with pytest.raises(JaxdreamError, match="s3://a is too large: 2,147,483,649 bytes"):
        storage.check_size("s3://a", (2 << 30) + 1)
