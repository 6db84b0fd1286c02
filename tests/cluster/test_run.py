"""Runs over Ray on this machine: the dreams of ``batch``, nothing lost, nothing twice."""

import hashlib
import io
import tarfile
from contextlib import closing

import numpy as np
import pytest
from cluster_extras import parquet, pyarrow, s3fs
from cluster_runs import dream, dreams, status
from pictures import SETTINGS, dream_all, make_pictures
from PIL import Image
from tiny_network import tiny_network

from jaxdream import JaxdreamError, picture_seed
from jaxdream.cluster import dream_places
from jaxdream.cluster.manifest import Row, rows_between
from jaxdream.folder.worker import Progress
from jaxdream.recipe import read_recipe

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("local_ray")
def test_it_makes_the_files_of_batch(tmp_path):
    defects = make_pictures(tmp_path / "in", 60)
    dream_all(tmp_path / "in", tmp_path / "expected")
    progress = Progress()
    rows = dream(tmp_path / "in", tmp_path / "out", progress=progress)
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")
    defects = {name: defect for name, defect in defects.items() if defect != "a folder"}
    assert {name for name in rows if rows[name].status == "failed"} == set(defects)
    for name, row in rows.items():
        assert row.seed == picture_seed(5, name)
        assert (row.reason != "") == (row.status == "failed") == (row.output_sha256 == "")
        assert name in row.reason or row.status == "dreamed"
        assert "\n" not in row.reason
        if row.status == "dreamed":
            recipe = read_recipe(tmp_path / "out" / row.output)
            assert (recipe.input_sha256, recipe.source.seed) == (row.input_sha256, row.seed)
            assert row.seconds > 0
    assert rows_between(str(tmp_path / "out"), "", "\U0010ffff") == rows
    assert progress.processed == progress.pictures == len(rows)
    # What ``batch`` made is known to it, by the recipes; and the other way round nothing is lost.
    again = dream(tmp_path / "in", tmp_path / "expected")
    assert set(status(again).values()) == {"skipped", "failed"}
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")


@pytest.mark.usefixtures("local_ray")
def test_a_second_run_does_what_is_missing_or_changed(few, tmp_path):
    out = tmp_path / "out"
    assert set(status(dream(few, out)).values()) == {"dreamed"}
    first = dreams(out)
    assert set(status(dream(few, out)).values()) == {"skipped"}
    Image.new("RGB", (20, 20), (9, 80, 40)).effect_spread(9).save(few / "1" / "001.jpg")
    (out / "2" / "002.webp").unlink()
    (out / "3" / "003.tif").write_bytes(b"altered")
    (out / "0" / "new.png").write_bytes(b"precious")
    (few / "0" / "new.png").write_bytes((few / "0" / "000.png").read_bytes())
    third = dream(few, out)
    assert status(third) == {
        "0/000.png": "skipped", "0/more.png": "skipped", "0/new.png": "failed",
        "1/001.jpg": "dreamed", "2/002.webp": "dreamed", "3/003.tif": "dreamed",
    }  # fmt: skip
    assert "is not known to be a dream" in third["0/new.png"].reason
    second = dreams(out)
    assert second.pop("0/new.png") == b"precious"
    assert {name for name in first if second[name] != first[name]} == {"1/001.jpg"}
    # Other settings; and without the manifest dreams are known by their recipes.
    options = {"steps": 1, "overwrite": True}
    assert set(status(dream(few, out, **options)).values()) == {"dreamed"}
    for path in (out / "jaxdream-manifest").iterdir():
        path.unlink()
    assert set(status(dream(few, out, steps=1)).values()) == {"skipped"}
    assert len(rows_between(str(out), "", "\U0010ffff")) == 6


@pytest.mark.usefixtures("local_ray")
def test_closed_early_it_keeps_what_is_done(few, tmp_path):
    options = SETTINGS | {"max_batch": 1}
    with closing(dream_places(tiny_network(), [few], tmp_path / "out", **options)) as rows:
        first = next(rows)
    assert isinstance(first, Row)
    known = rows_between(str(tmp_path / "out"), "", "\U0010ffff")
    assert known[first.input] == first
    later = status(dream(few, tmp_path / "out", max_batch=1))
    assert later[first.input] == "skipped"
    assert set(later.values()) <= {"skipped", "dreamed"}


@pytest.mark.usefixtures("local_ray")
def test_what_cannot_have_its_name_is_a_row(few, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0").write_text("no folder")
    rows = dream(few, tmp_path / "out")
    assert {name for name, row in rows.items() if row.status == "failed"} == {
        "0/000.png", "0/more.png",
    }  # fmt: skip
    assert "cannot make" in rows["0/000.png"].reason


@pytest.mark.usefixtures("local_ray")
def test_a_damaged_shard_is_said(few, tmp_path):
    (few / "bad.tar").write_bytes(b"no tar")
    with pytest.raises(JaxdreamError, match=r"cannot read .*bad\.tar"):
        dream([few, few / "bad.tar"], tmp_path / "out")


def put(store, bucket, few):
    """The pictures of a folder as objects; their files by name."""
    store.mkdir(bucket)
    files = {str(p.relative_to(few)): p for p in sorted(few.rglob("*.*")) if p.is_file()}
    for name, path in files.items():
        store.pipe_file(f"{bucket}/in/{name}", path.read_bytes())
    return files


@pytest.mark.usefixtures("local_ray")
def test_objects(s3, few, tmp_path):
    store = s3fs.S3FileSystem()
    files = put(store, "photos", few)
    store.mkdir("dreams")
    dream_all(few, tmp_path / "expected")
    rows = dream("s3://photos/in", "s3://dreams/out")
    assert status(rows) == dict.fromkeys(files, "dreamed")
    assert dreams(s3 / "dreams" / "out") == dreams(tmp_path / "expected")
    store.rm("dreams/out/1/001.jpg")
    store.invalidate_cache()
    rows = dream("s3://photos/in/**", "s3://dreams/out")
    assert [name for name in rows if rows[name].status != "skipped"] == ["1/001.jpg"]
    assert dreams(s3 / "dreams" / "out") == dreams(tmp_path / "expected")


@pytest.mark.usefixtures("local_ray", "s3")
def test_shards_and_tables(few, tmp_path):
    store = s3fs.S3FileSystem()
    files = put(store, "shards", few)
    tar, table = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)
        archive.addfile(tarfile.TarInfo("0/label.txt"))
    store.pipe_file("shards/one.tar", tar.getvalue())
    columns = {"path": list(files), "bytes": [path.read_bytes() for path in files.values()]}
    parquet.write_table(pyarrow.table(columns), table, row_group_size=2)
    store.pipe_file("shards/two.parquet", table.getvalue())
    rows = dream(["s3://shards/one.tar", "s3://shards/two.parquet"], tmp_path / "out")
    expected = {f"{shard}/{name}" for shard in ("one", "two") for name in files}
    assert status(rows) == dict.fromkeys(expected, "dreamed")
    for name, path in files.items():
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        for shard in ("one", "two"):
            row = rows[f"{shard}/{name}"]
            assert row.input_sha256 == sha256
            assert read_recipe(tmp_path / "out" / row.output).input_sha256 == sha256


@pytest.mark.usefixtures("local_ray")
def test_datasets_of_rays_own(few):
    import ray

    import jaxdream as jd

    data = ray.data.read_binary_files(str(few), include_paths=True)
    found = jd.cluster.dream_dataset(
        data, tiny_network(), steps=2, octaves=1, jitter=3, seed=5, image="bytes"
    ).take_all()
    assert len(found) == 5
    for row in found:
        assert row["reason"] == ""
        image = jd.read_image(row["path"])
        seed = picture_seed(5, row["path"])
        alone = jd.dream(seed, tiny_network(), image, steps=2, octaves=1, jitter=3)
        np.testing.assert_allclose(row["dream"], alone, atol=0.51)
