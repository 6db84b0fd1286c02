"""What a run is given: folders, patterns, lists, tar files and tables, here and in a store."""

import io
import tarfile

import fsspec
import numpy as np
import pytest
from cluster_extras import parquet, pyarrow
from PIL import Image

from jaxdream import JaxdreamError
from jaxdream.cluster.entries import (
    Entry,
    entry_bytes,
    entry_size,
    iterate_places,
    shard_entries,
)


def png(height, width):
    file = io.BytesIO()
    noise = np.random.default_rng(height).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(file, "png")
    return file.getvalue()


SMALL, LARGE = png(20, 30), png(300, 200)  # the second has more bytes than are looked at


@pytest.fixture
def store():
    store = fsspec.filesystem("memory")
    store.store.clear()
    for name, content in {
        "a.png": SMALL, "sub/b.png": LARGE, "sub/.hidden.png": SMALL, "sub/notes.txt": b"",
        "out/a.png": SMALL,
    }.items():  # fmt: skip
        store.pipe_file(f"/box/in/{name}", content)
    return store


def names(*inputs, **options):
    return sorted(entry.name for entry in iterate_places(list(inputs), **options))


@pytest.mark.usefixtures("store")
def test_a_store_is_listed_like_a_folder(tmp_path):
    assert names("memory://box/in", leave_out="memory://box/in/out") == ["a.png", "sub/b.png"]
    assert names("memory://box/in/**/*.png") == ["a.png", "out/a.png", "sub/b.png"]
    assert names("memory://box/in/sub/b.png") == ["b.png"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.png").write_bytes(LARGE)
    assert names(str(tmp_path)) == names(f"file://{tmp_path}") == ["sub/b.png"]
    with pytest.raises(JaxdreamError, match="memory://box/none: no such file"):
        names("memory://box/none")
    with pytest.raises(JaxdreamError, match=r"no pictures in memory://box/in/sub/\*\.txt"):
        names("memory://box/in/sub/*.txt")


@pytest.mark.usefixtures("store")
def test_bytes_and_sizes():
    for entry in iterate_places(["memory://box/in"]):
        content = LARGE if entry.name == "sub/b.png" else SMALL
        assert entry.size == len(content)
        assert entry_bytes(entry) == content
        assert entry_size(entry) == ((300, 200) if content is LARGE else (20, 30))
    with pytest.raises(JaxdreamError, match=r"notes\.txt is empty"):
        entry_bytes(Entry("memory://box/in/sub/notes.txt", "notes.txt"))


def test_lists_of_addresses(tmp_path):
    lines = "https://host/a/b.jpg?size=2\n\ns3://box/x.tar\nin/a.png\n../other/c.png\n"
    (tmp_path / "list.txt").write_text(lines)
    found = list(iterate_places([], lists=[str(tmp_path / "list.txt")]))
    assert found[1] == "s3://box/x.tar"
    assert (found[0].name, found[0].place[:8]) == ("host/a/b.jpg", "https://")
    assert [entry.name for entry in found[2:]] == ["in/a.png", "c.png"]
    assert list(iterate_places([f"@{tmp_path / 'list.txt'}"])) == found


def test_a_tar_file_is_read_by_ranges(store):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in (("0001.png", SMALL), ("../up.png", LARGE), ("0001.cls", b"7")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    store.pipe_file("/box/set-000.tar", file.getvalue())
    assert list(iterate_places(["memory://box/set-*.tar"])) == ["memory:///box/set-000.tar"]
    found = {entry.name: entry for entry in shard_entries("memory://box/set-000.tar")}
    assert set(found) == {"set-000/0001.png", "set-000/up.png"}
    assert entry_bytes(found["set-000/0001.png"]) == SMALL
    assert entry_bytes(found["set-000/up.png"]) == LARGE
    assert entry_size(found["set-000/up.png"]) == (300, 200)
    store.pipe_file("/box/bad.tar", b"no tar")
    with pytest.raises(JaxdreamError, match=r"cannot read memory://box/bad\.tar"):
        list(shard_entries("memory://box/bad.tar"))


@pytest.mark.parametrize("kind", ["bytes", "records"])
def test_a_table_is_read_by_rows(store, kind):
    pictures = [SMALL, LARGE, None]
    if kind == "records":  # as Hugging Face has them
        columns = {"image": [{"bytes": picture, "path": None} for picture in pictures]}
    else:
        columns = {"path": ["x/a.png", "b.png", "c.png"], "content": pictures}
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file, row_group_size=2)
    place = f"memory://box/{kind}.parquet"
    store.pipe_file(f"/box/{kind}.parquet", file.getvalue())
    found = list(shard_entries(place))
    expected = ["x/a.png", "b.png", "c.png"]
    if kind == "records":
        expected = ["00000000", "00000001", "00000002"]
    assert [entry.name for entry in found] == [f"{kind}/{name}" for name in expected]
    assert [(entry.group, entry.row) for entry in found] == [(0, 0), (0, 1), (1, 0)]
    assert entry_bytes(found[1]) == LARGE
    assert entry_size(found[0]) == (20, 30)
    with pytest.raises(JaxdreamError, match="is empty"):
        entry_bytes(found[2])


def test_a_table_without_pictures(store):
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"x": [1, 2]}), file)
    store.pipe_file("/box/none.parquet", file.getvalue())
    (first, _) = shard_entries("memory://box/none.parquet")
    with pytest.raises(JaxdreamError, match="has no column of bytes"):
        entry_bytes(first)
