"""The manifest: the latest row of a picture counts, and parts become one."""

import fsspec
import pytest
from cluster_extras import parquet, pyarrow

from jaxdream import JaxdreamError
from jaxdream.cluster.manifest import (
    Row,
    known_parts,
    manifest_place,
    merge_parts,
    remembered,
    rows_between,
    write_part,
)

LAST = "\U0010ffff"


def row(name, finished, **more):
    values = {
        "input_sha256": "12",
        "output_sha256": "34",
        "settings": "56",
        "reason": "",
        "status": "dreamed",
    }
    return Row(
        input=name, place=f"s3://x/{name}", output=f"{name}.png", seed=2**32 - 1,
        seconds=0.5, worker="host:1", finished=float(finished), **values | more,
    )  # fmt: skip


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    fsspec.filesystem("memory").store.clear()
    return str(tmp_path / "out") if request.param == "local" else "memory://box/out"


def parts(folder):
    store, path = fsspec.core.url_to_fs(manifest_place(folder))
    return [name for name in store.ls(path, detail=False) if name.endswith(".parquet")]


def test_the_latest_row_of_a_picture_counts(folder):
    assert rows_between(folder, "", LAST) == {}
    assert write_part(folder, []) is None
    write_part(folder, [row("b", 1), row("a", 2), row("c", 3, status="failed", reason="why")])
    write_part(folder, [row("b", 5, settings="other")])
    write_part(folder, [row("b", 4)])
    found = rows_between(folder, "", LAST)
    assert found == {
        "a": row("a", 2), "b": row("b", 5, settings="other"),
        "c": row("c", 3, status="failed", reason="why"),
    }  # fmt: skip
    assert set(rows_between(folder, "a", "b")) == {"a", "b"}
    known = known_parts(folder)
    assert [(part.first, part.last, part.length) for part in known] == [
        ("a", "c", 3), ("b", "b", 1), ("b", "b", 1),
    ]  # fmt: skip
    write_part(folder, [row("a", 9)])
    assert rows_between(folder, "", LAST, known) == found, "as it was"
    fsspec.core.url_to_fs(folder)[0].rm(sorted(parts(folder))[-1])
    assert len(parts(folder)) == 3
    merge_parts(folder)
    assert len(parts(folder)) == 1
    assert rows_between(folder, "", LAST) == found
    merge_parts(folder)
    assert rows_between(folder, "", LAST) == found


def test_it_is_a_table_like_any_other(tmp_path):
    place = write_part(str(tmp_path), [row("b\udc80", 1), row("a", 1)])
    table = parquet.read_table(place)
    assert table.column_names == list(Row._fields)
    assert table["input"].to_pylist() == ["a", "b?"]
    assert table.schema.field("seed").type == pyarrow.int64()


def test_a_long_manifest_is_merged_into_parts_that_do_not_overlap(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxdream.cluster.manifest._MOST_ROWS", 5)
    monkeypatch.setattr("jaxdream.cluster.manifest._GROUP", 2)
    folder = str(tmp_path)
    for first in (0, 3, 14, 6, 9):
        write_part(folder, [row(f"{n:02}", first) for n in range(first, first + 4)])
    expected = rows_between(folder, "", LAST)
    merge_parts(folder)
    assert rows_between(folder, "", LAST) == expected
    assert expected["03"].finished == 3
    tables = sorted(parquet.read_table(place)["input"].to_pylist() for place in parts(folder))
    assert [name for names in tables for name in names] == sorted(expected)
    assert max(map(len, tables)) == 5
    before = parts(folder)
    merge_parts(folder)  # and nothing is written again
    assert parts(folder) == before
    write_part(folder, [row("04", 20), row("08", 20)])
    merge_parts(folder)
    assert rows_between(folder, "04", "08") == {
        **{name: expected[name] for name in ("05", "06", "07")},
        "04": row("04", 20), "08": row("08", 20),
    }  # fmt: skip
    assert set(before) & set(parts(folder)), "those with other names stay"


def test_a_damaged_part_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxdream.cluster.storage.time.sleep", lambda _: None)
    folder = tmp_path / "jaxdream-manifest"
    folder.mkdir()
    (folder / "part-1-ab.parquet").write_bytes(b"damaged")
    with pytest.raises(JaxdreamError, match=r"part-1-ab\.parquet: .*delete this file"):
        rows_between(str(tmp_path), "", LAST)
    with pytest.raises(JaxdreamError, match=r"part-1-ab\.parquet is damaged: .*delete this file"):
        merge_parts(str(tmp_path))


def test_what_a_run_chose_is_kept_for_the_next(folder):
    assert remembered(folder, "ab", {"budget": 5}, change=False) == {"budget": 5}
    assert remembered(folder, "ab", {"budget": 6}, change=False) == {"budget": 5}
    assert remembered(folder, "cd", {"budget": 6}, change=False) == {"budget": 6}
    assert remembered(folder, "ab", {"budget": 7}, change=True) == {"budget": 7}
    assert remembered(folder, "ab", {"budget": 8, "new": 1}, change=False)["new"] == 1
