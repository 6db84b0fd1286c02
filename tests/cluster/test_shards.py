"""Shards of dreams: what is in them, and that only what is missing or changed is done again."""

import io
import json
import tarfile

import fsspec
import pytest
from cluster_extras import parquet, pyarrow
from cluster_runs import dreams, status
from cluster_stages import Stages
from pictures import dream_all
from PIL import Image

from jaxdream import JaxdreamError
from jaxdream.cluster import shards
from jaxdream.cluster.entries import entry_bytes, forget_tables, shard_entries
from jaxdream.cluster.shards import (
    check_kind,
    check_not_given,
    gather,
    shard_beyond,
    shard_files,
    shard_outputs,
)
from jaxdream.cluster.storage import files_below, joined, read_if_there, read_place, write_place
from jaxdream.recipe import Recipe

assert pyarrow


@pytest.fixture(params=["local", "memory"])
def out(request, tmp_path):
    fsspec.filesystem("memory").store.clear()
    return str(tmp_path / "out") if request.param == "local" else "memory://box/out"


@pytest.fixture
def run(few, out, tiny, monkeypatch):
    """A run with shards of three pictures."""
    monkeypatch.setattr(shards, "PICTURES", 3)
    monkeypatch.setattr(shards, "_GROUP_BYTES", 3000)
    return lambda kind, **options: Stages(few, out, tiny, shards=kind, **options).gathered()


def shards_in(place):
    return {
        name: read_place(joined(place, name))
        for name in sorted(files_below(place))
        if not name.startswith("jaxdream-")
    }


def dreamed(rows):
    return sorted(name for name, state in status(rows).items() if state == "dreamed")


def members(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {one.name: (one, archive.extractfile(one).read()) for one in archive}


def test_names_follow_from_the_list():
    assert shard_outputs(2, ["b/a.png", "c.d/x.y.jpg"]) == [
        "shard-000016/b/a.png", "shard-000016/c.d/x_y.jpg",
    ]  # fmt: skip
    assert shard_outputs(0, ["a.b.png", "a_b.jpg", "a_b-2.png", "a_b.tif", "z\udcff.png"]) == [
        f"shard-000000/{name}"
        for name in ("a_b.png", "a_b-2.jpg", "a_b-2-2.png", "a_b-3.tif", "z?.png")
    ]
    many = shard_outputs(1, ["a.png"] * (shards.PICTURES + 1))
    assert many[0] == "shard-000008/a.png"
    assert many[-2:] == [f"shard-000008/a-{shards.PICTURES}.png", "shard-000009/a.png"]
    assert list(shard_files("tar", shards.PICTURES + 1)) == ["shard-000000.tar", "shard-000001.tar"]


def test_a_tar_file_is_as_webdataset_has_it(run, few, out, tmp_path):
    (few / "3" / "bad.png").write_text("no picture")
    rows = run("tar")
    assert rows["3/bad.png"].status == "failed"
    dream_all(few, tmp_path / "expected")
    expected = dreams(tmp_path / "expected")
    found = shards_in(out)
    assert list(found) == ["shard-000000.tar", "shard-000001.tar"]
    first, second = map(members, found.values())
    assert list(first) == [f"{key}.{end}" for key, kind in
                           (("0/000", "png"), ("0/more", "png"), ("1/001", "jpg"))
                           for end in (kind, "json")]  # fmt: skip
    assert list(second) == ["2/002.webp", "2/002.json", "3/003.tif", "3/003.json"]
    for name, (member, content) in (first | second).items():
        assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
        if name.endswith("json"):
            told = json.loads(content)
            row = rows[told["input"]]
            assert row.output.partition("/")[2] == told["name"]
            recipe = Recipe.from_json(json.dumps(told.pop("recipe")))
            assert recipe.source.seed == row.seed
            assert told.pop("name")
            assert told == {column: getattr(row, column) for column in told}
            assert len(told) == 5
        else:
            assert content == expected[name]


def test_a_table_has_the_pictures_and_their_rows(run, out):
    rows = run("parquet")
    found = shards_in(out)
    assert list(found) == ["shard-000000.parquet", "shard-000001.parquet"]
    table = parquet.read_table(io.BytesIO(found["shard-000000.parquet"]))
    assert table.column_names == [
        "name", "image", "input", "input_sha256", "output_sha256", "settings", "seed", "recipe",
    ]  # fmt: skip
    assert table["name"].to_pylist() == ["0/000.png", "0/more.png", "1/001.jpg"]
    assert table["seed"].to_pylist() == [rows[name].seed for name in table["input"].to_pylist()]
    # jaxdream reads what it has written.
    forget_tables()
    entries = list(shard_entries(joined(out, "shard-000001.parquet")))
    assert [entry.name for entry in entries] == [
        "shard-000001/2/002.webp",
        "shard-000001/3/003.tif",
    ]
    assert Image.open(io.BytesIO(entry_bytes(entries[1]))).format == "TIFF"


@pytest.mark.parametrize("kind", shards.KINDS)
def test_what_is_whole_is_left_and_what_changed_is_done(run, few, out, kind, monkeypatch):
    run(kind)
    first = shards_in(out)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_place_by", None)
        assert set(status(run(kind)).values()) == {"skipped"}
    # A dream that was altered, one that is missing, and a picture that is another one.
    for name, content in first.items():
        picture = next(iter(shard_entries(joined(out, name))))
        begin = content.index(entry_bytes(picture)) + 50
        write_place(joined(out, name), content[:begin] + b"altered" + content[begin + 7 :])
    forget_tables()
    assert dreamed(run(kind)) == ["0/000.png", "2/002.webp"]
    assert shards_in(out) == first
    Image.new("RGB", (20, 20), (9, 80, 40)).effect_spread(9).save(few / "1" / "001.jpg")
    assert dreamed(run(kind)) == ["1/001.jpg"]
    again = shards_in(out)
    assert [name for name in first if again[name] == first[name]] == [f"shard-000001.{kind}"]


def test_a_shard_that_is_cut_short_or_gone_is_written_again(run, out):
    run("tar")
    first = shards_in(out)
    name = "shard-000001.tar"
    write_place(joined(out, name), first[name][:3000])
    assert "dreamed" in status(run("tar")).values()
    assert shards_in(out) == first
    fsspec.core.url_to_fs(out)[0].rm(fsspec.core.url_to_fs(joined(out, name))[1])
    assert dreamed(run("tar")) == ["2/002.webp", "3/003.tif"]
    assert shards_in(out) == first


def test_without_the_manifest_dreams_are_known_by_their_recipes(run, out):
    run("tar")
    first = shards_in(out)
    store, path = fsspec.core.url_to_fs(joined(out, "jaxdream-manifest"))
    store.rm(path, recursive=True)
    assert set(status(run("tar")).values()) == {"skipped"}
    assert shards_in(out) == first


def test_a_longer_list_moves_dreams_and_dreams_what_is_new(run, few, out):
    run("tar")
    before = [one for shard in shards_in(out).values() for one in members(shard).items()]
    (few / "0" / "0.png").write_bytes((few / "0" / "000.png").read_bytes())
    (few / "9.gif").write_bytes((few / "0" / "000.png").read_bytes())
    rows = run("tar")
    assert dreamed(rows) == ["0/0.png", "9.gif"]
    found = shards_in(out)
    assert list(found) == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    after = {name: one for shard in found.values() for name, one in members(shard).items()}
    for name, (_, content) in before:
        assert after[name][1] == content
    assert set(status(run("tar")).values()) == {"skipped"}


def test_a_task_that_was_ended_while_it_deleted_files_goes_on(few, out, tiny):
    stages = Stages(few, out, tiny, shards="tar")
    rows = list(stages.rows().values())
    loose = {name: read_place(joined(out, name)) for name in files_below(out)}
    assert len(loose) == 5
    assert all(name.startswith(".jaxdream-parts/shard-000000/") for name in loose)
    gather(stages.work, rows)
    first = shards_in(out)
    assert list(first) == ["shard-000000.tar"]
    for name in sorted(loose)[2:]:
        write_place(joined(out, name), loose[name])
    gather(stages.work, rows)
    assert shards_in(out) == first
    # A file that others have changed is not taken for the dream.
    fsspec.core.url_to_fs(out)[0].rm(fsspec.core.url_to_fs(joined(out, "shard-000000.tar"))[1])
    for name in loose:
        write_place(joined(out, name), loose[name] + b"more")
    with pytest.raises(JaxdreamError, match="has changed while it was waited for"):
        gather(stages.work, rows)
    assert read_if_there(joined(out, "shard-000000.tar")) is None


def test_pictures_that_fail_leave_no_shard(run, few, out):
    run("parquet")
    for name in ("2/002.webp", "3/003.tif"):
        (few / name).write_text("no picture")
    assert sorted(status(run("parquet")).values()) == ["failed"] * 2 + ["skipped"] * 3
    assert list(shards_in(out)) == ["shard-000000.parquet"]


def test_a_file_of_others_is_not_replaced(run, out):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        picture = io.BytesIO()
        Image.new("RGB", (20, 20)).save(picture, "png")
        member = tarfile.TarInfo("mine.png")
        member.size = len(picture.getvalue())
        archive.addfile(member, io.BytesIO(picture.getvalue()))
    for content in (file.getvalue(), b"no tar"):
        write_place(joined(out, "shard-000001.tar"), content)
        with pytest.raises(JaxdreamError, match=r"shard-000001\.tar exists and is not known"):
            run("tar")
        assert shards_in(out) == {"shard-000001.tar": content}
    run("tar", overwrite=True)
    assert "2/002.json" in members(shards_in(out)["shard-000001.tar"])


def test_what_is_given_is_not_written(few, out, tiny):
    with pytest.raises(JaxdreamError, match="shards are tar or parquet, not 'zip'"):
        check_kind("zip")
    check_kind(None)
    work = Stages(few, out, tiny, shards="tar").work
    check_not_given(work, 5, [joined(out, "shard-000001.tar")])
    with pytest.raises(JaxdreamError, match=r"shard-000000\.tar is one of the shards to dream"):
        check_not_given(work, 5, [joined(out, "shard-000000.tar")])
    write_place(joined(out, "shard-000001.tar"), b"")
    assert shard_beyond(work, 5) == joined(out, "shard-000001.tar")
    assert shard_beyond(work, 513) is None
