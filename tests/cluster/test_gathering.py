"""Shards that Ray's tasks write, into a folder and into a store, and read again."""

import io
import tarfile
from contextlib import closing

import pytest
from cluster_extras import parquet, s3fs
from cluster_runs import dream, dreams, status
from cluster_stages import Stages
from pictures import SETTINGS, dream_all
from tiny_network import tiny_network

from jaxdream import JaxdreamError
from jaxdream.cluster import dream_places
from jaxdream.cluster.gathering import Gathering
from jaxdream.cluster.manifest import Row, rows_between

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("local_ray")
def test_shards_in_a_store_are_read_as_shards(s3, few, tmp_path):
    store = s3fs.S3FileSystem()
    store.mkdir("tables")
    out = "s3://tables/out"
    rows = dream(few, out, shards="parquet")
    assert set(status(rows).values()) == {"dreamed"}
    assert list(dreams(s3 / "tables" / "out")) == ["shard-000000.parquet"]
    content = (s3 / "tables" / "out" / "shard-000000.parquet").read_bytes()
    table = parquet.read_table(io.BytesIO(content))
    dream_all(few, tmp_path / "expected")
    found = dict(zip(table["name"].to_pylist(), table["image"].to_pylist(), strict=True))
    assert found == dreams(tmp_path / "expected")
    assert rows_between(out, "", "\U0010ffff") == rows
    assert {row.output for row in rows.values()} == {f"shard-000000/{name}" for name in found}
    assert set(status(dream(few, out, shards="parquet")).values()) == {"skipped"}
    assert dreams(s3 / "tables" / "out") == {"shard-000000.parquet": content}
    again = dream(f"{out}/*.parquet", tmp_path / "again", shards="tar")
    assert status(again) == {row.output: "dreamed" for row in rows.values()}
    with tarfile.open(tmp_path / "again" / "shard-000000.tar") as archive:
        pictures = [name for name in archive.getnames() if not name.endswith(".json")]
    assert pictures == [f"shard-000000/{name}" for name in found]
    with pytest.raises(JaxdreamError, match="is one of the shards to dream"):
        dream(tmp_path / "again" / "shard-000000.tar", tmp_path / "again", shards="tar")


@pytest.mark.usefixtures("local_ray")
def test_closed_early_its_dreams_are_taken_by_the_next_run(few, tmp_path):
    options = SETTINGS | {"max_batch": 1, "shards": "tar"}
    with closing(dream_places(tiny_network(), [few], tmp_path / "out", **options)) as rows:
        first = next(rows)
    assert isinstance(first, Row)
    assert (tmp_path / "out" / ".jaxdream-parts" / first.output).exists()
    (tmp_path / "out" / "shard-000001.tar").touch()
    said = []
    later = dream(few, tmp_path / "out", max_batch=1, shards="tar", notify=said.append)
    assert later[first.input].status == "skipped"
    assert sorted(dreams(tmp_path / "out")) == ["shard-000000.tar", "shard-000001.tar"]
    assert [line for line in said if "shard-000001.tar and those after it" in line]


@pytest.mark.usefixtures("local_ray")
def test_what_a_task_cannot_write_is_said(few, tmp_path, tiny):
    work = Stages(few, tmp_path / "out", tiny, shards="tar").work
    row = Row(
        "a.png", "/a.png", "12", "shard-000000/a.png", "34", "56", 7, "dreamed", "", 0.0, "", 0.0
    )
    gathering = Gathering(work, 0.1)
    gathering.add(0, row, whole=True)
    with pytest.raises(JaxdreamError, match="has changed while it was waited for"):
        gathering.finish()
    assert dreams(tmp_path / "out") == {}
    gathering.stop()
