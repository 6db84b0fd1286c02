"""What workers do, in this process: with all stages after one another they make a run."""

import pickle
from contextlib import suppress

import pytest
from cluster_extras import pyarrow
from cluster_runs import dreams
from cluster_stages import Stages
from pictures import dream_all

from jaxdream.cluster.work import PlaceWork

assert pyarrow


@pytest.fixture
def stages(few, tmp_path, tiny):
    return Stages(few, tmp_path / "out", tiny)


def test_together_they_make_what_batch_makes(stages, few, tmp_path):
    (few / "bad.png").write_text("no picture")
    stages.__init__(few, tmp_path / "out", stages.dream._pipeline.model)
    rows = stages.rows()
    assert "/bad.png is not a picture of PNG" in rows.pop("bad.png").reason
    assert {row.status for row in rows.values()} == {"dreamed"}
    dream_all(few, tmp_path / "expected")
    assert dreams(tmp_path / "out") == dreams(tmp_path / "expected")
    # Done again, they find what is there.
    assert {row.status for row in stages.rows().values()} == {"skipped", "failed"}


class Ended(BaseException):
    """Instead of the end of a process."""


@pytest.mark.parametrize("stage", ["load", "dream"])
def test_what_ends_its_worker_is_set_aside_and_its_company_is_not(stages, monkeypatch, stage):
    bad, ends = stages.listed[1].output, []
    begun = getattr(stages, stage)._of

    def end(part, slots):
        if bad in {part.files[slot].output for slot in slots}:
            ends.append(len(slots))
            raise Ended
        yield from begun(part, slots)

    monkeypatch.setattr(getattr(stages, stage), "_of", end)
    rows = {}
    for _ in range(4):
        with suppress(Ended):
            rows = stages.rows()
    bad_entry = stages.listed[1].entry
    assert (
        rows.pop(bad_entry.name).reason
        == f"{bad_entry.place}: it ended its worker 3 times, and was set aside"
    )
    assert {row.status for row in rows.values()} <= {"dreamed", "skipped"}
    assert ends == [max(ends), 1, 1]


def test_pictures_of_whole_levels_take_a_byte_for_each(stages):
    (first, *_) = stages.plan({"part": 0})
    loaded = stages.load(first)["work"]
    part = pickle.loads(loaded)
    pixels = sum(one.picture.pixels.size for one in part.loaded.values())
    assert 0 < pixels < len(loaded) < 2 * pixels + 10_000
    for one in part.loaded.values():
        assert one.picture.pixels.dtype == "float32"


def test_another_error_is_one_picture_s_row(stages, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(PlaceWork, "decoded", broken)
    reasons = {row.reason.partition(": ")[2] for row in stages.rows().values()}
    assert reasons == {"ZeroDivisionError: odd"}
