"""Dreams of many files: nothing is lost, and nothing depends on the company or on interruptions."""

import hashlib
import json
import multiprocessing
import random
import shutil
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from pictures import SETTINGS, contents, dream_all, dream_all_or_die, make_pictures, status
from PIL import Image

import jaxdream as jd
from jaxdream import JaxdreamError, batches, dream_files, picture_seed
from jaxdream.folder.inputs import find_inputs
from jaxdream.folder.worker import Progress
from jaxdream.recipe import read_recipe


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 200 pictures, and their defects."""
    folder = tmp_path_factory.mktemp("pictures")
    return folder, make_pictures(folder, 200)


@pytest.fixture(scope="module")
def undisturbed(pictures, tmp_path_factory, tiny):
    """A folder of their dreams, and the results."""
    out = tmp_path_factory.mktemp("undisturbed")
    progress = Progress()
    results = list(dream_files(tiny, [pictures[0]], out, progress=progress, **SETTINGS))
    return out, results, progress


def journal_lines(folder):
    lines = (folder / "jaxdream.jsonl").read_text("ascii").splitlines()
    return sorted(line for line in lines if '"journal"' not in line)


def test_every_picture_is_dreamed_or_says_why_not(pictures, undisturbed):
    folder, defects = pictures
    out, results, progress = undisturbed
    asked = [one.relative_path for one in find_inputs([folder])]
    assert sorted(result.relative_path for result in results) == asked
    # A folder is no picture: it is looked into, and has none.
    defects = {name: defect for name, defect in defects.items() if defect != "a folder"}
    assert len(asked) >= 195
    assert {result.relative_path for result in results if result.status == "failed"} == set(defects)
    assert {"cut short", "empty", "text", "too small", "no such file"} == set(defects.values())
    for result in results:
        if result.error is not None:
            assert str(result.input) in str(result.error)
            assert "\n" not in str(result.error)
            assert not result.output.exists()
            continue
        assert result.picture.shape[:2] == jd.read_image(result.input).shape[:2]
        recipe = read_recipe(result.output)
        assert recipe.input_name == result.input.name
        assert recipe.source.seed == picture_seed(5, result.relative_path)
    assert (progress.dreamed, progress.failed) == (len(asked) - len(defects), len(defects))
    assert progress.pictures == progress.processed == len(asked)
    assert 0 < progress.busy <= progress.seconds
    assert progress.compiling > 0
    lines = [json.loads(line) for line in journal_lines(out)]
    assert {line["input"] for line in lines if "error" in line} == set(defects)
    assert {line["output"] for line in lines if "output" in line} == set(contents(out))


def test_each_is_the_dream_of_that_picture_alone(undisturbed, tiny):
    dreamed = [result for result in undisturbed[1] if result.status == "dreamed"]
    for result in dreamed[::60]:
        image = jd.read_image(result.input)
        seed = picture_seed(5, result.relative_path)
        alone = jd.dream(seed, tiny, image, steps=2, octaves=1, jitter=3)
        np.testing.assert_allclose(result.picture, alone, atol=0.01)


def test_seeds_are_of_names_alone():
    assert picture_seed(0, "a/b.jpg") == int.from_bytes(hashlib.sha256(b"0/a/b.jpg").digest()[:4])
    seeds = {picture_seed(seed, name) for seed in (0, 1) for name in ("a", "b", "a/b", "\udc80")}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert picture_seed(3, "\N{LATIN SMALL LETTER E WITH ACUTE}") == picture_seed(3, "e\u0301")


def test_a_second_run_does_what_is_missing_or_changed(few, tmp_path):
    out = tmp_path / "out"
    assert set(status(dream_all(few, out)).values()) == {"dreamed"}
    first, noted = contents(out), journal_lines(out)
    again = dream_all(few, out)
    assert set(status(again).values()) == {"skipped"}
    assert all(result.picture is None for result in again)
    assert (contents(out), journal_lines(out)) == (first, noted)

    # An input that changed, dreams that are gone or changed, a new input.
    Image.new("RGB", (20, 20), (9, 80, 40)).effect_spread(9).save(few / "1" / "001.jpg")
    shutil.copy(few / "0" / "000.png", few / "0" / "new.png")
    (out / "2" / "002.webp").unlink()
    (out / "3" / "003.tif").write_bytes(b"altered")
    third = status(dream_all(few, out))
    assert third == {
        "0/000.png": "skipped", "0/more.png": "skipped", "0/new.png": "dreamed",
        "1/001.jpg": "dreamed", "2/002.webp": "dreamed", "3/003.tif": "dreamed",
    }  # fmt: skip
    second = contents(out)
    assert all(second[name] == first[name] for name in first if name != "1/001.jpg")
    assert second["1/001.jpg"] != first["1/001.jpg"]

    # Other settings, and the first ones again.
    assert set(status(dream_all(few, out, steps=1)).values()) == {"dreamed"}
    assert set(status(dream_all(few, out, steps=1, max_batch=1)).values()) == {"skipped"}
    assert set(status(dream_all(few, out)).values()) == {"dreamed"}
    assert set(status(dream_all(few, out, overwrite=True)).values()) == {"dreamed"}
    assert contents(out) == second


def test_files_of_others_are_not_overwritten(few, tmp_path):
    out = tmp_path / "out"
    (out / "0").mkdir(parents=True)
    (out / "0" / "more.png").write_bytes(b"precious")
    results = dream_all(few, out)
    failed = [result for result in results if result.status == "failed"]
    assert [result.relative_path for result in failed] == ["0/more.png"]
    assert "more.png exists and is not known to be a dream" in str(failed[0].error)
    assert (out / "0" / "more.png").read_bytes() == b"precious"
    assert set(status(dream_all(few, out, overwrite=True)).values()) == {"dreamed"}
    assert (out / "0" / "more.png").read_bytes() != b"precious"
    with pytest.raises(JaxdreamError, match="is one of the pictures to dream"):
        dream_all(few, few, overwrite=True)


def test_a_run_that_goes_on_plans_as_the_first_did(few, tmp_path, monkeypatch):
    planned, slots_used = [], []

    def plan(sizes, **options):
        planned.append((list(sizes), options["max_batch"], options["budget_bytes"]))
        return batches.plan_batches(sizes, **options)

    def dream(keys, model, images, batch, objective, *, slots, **options):
        slots_used.append((batch.pictures, tuple(slots)))
        return batches.iterate_batch(keys, model, images, batch, objective, slots=slots, **options)

    monkeypatch.setattr("jaxdream.folder.run.plan_batches", plan)
    monkeypatch.setattr("jaxdream.folder.pipeline.iterate_batch", dream)
    out = tmp_path / "out"
    dream_all(few, out, max_batch=3)
    pictures, _ = max(slots_used, key=lambda used: len(used[0]))
    missing = find_inputs([few])[pictures[-1]].relative_path
    (out / missing).unlink()
    slots_used.clear()
    # Whatever memory there is now.
    monkeypatch.setattr("jaxdream.folder.run.available", lambda *_: 1)
    results = status(dream_all(few, out, max_batch=None))
    assert [name for name in results if results[name] == "dreamed"] == [missing]
    assert planned[0] == planned[1]
    assert slots_used == [(pictures, (len(pictures) - 1,))]


CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["jaxdream.folder.run", "pictures"])


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_undisturbed(tmp_path):
    pictures, cache, expected, out = (tmp_path / n for n in ("in", "cache", "expected", "out"))
    make_pictures(pictures, 100)
    options = {"steps": 1}
    dream_all(pictures, expected, **options)
    moments = random.Random(2)
    kills = 0
    while kills < 6 and contents(out) != contents(expected):
        before = len(list(out.rglob("*")))
        moment = {0: "before", 1: "after"}.get(kills)
        process = CHILDREN.Process(
            target=dream_all_or_die, args=(cache, pictures, out, moment), kwargs=options
        )
        process.start()
        if moment is None:
            deadline = time.monotonic() + 60
            while process.is_alive() and time.monotonic() < deadline:
                if len(list(out.rglob("*"))) > before + 1:  # it has begun, however busy all is
                    break
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
        process.join(60)
        kills += process.exitcode == -9
    assert kills >= 3
    assert "skipped" in status(dream_all(pictures, out, **options)).values()
    assert contents(out) == contents(expected)
    assert set(journal_lines(out)) >= set(journal_lines(expected))
    assert set(status(dream_all(pictures, out, **options)).values()) == {"skipped", "failed"}


def test_what_a_killed_run_was_writing_is_removed(few, tmp_path):
    out = tmp_path / "out"
    (out / "0").mkdir(parents=True)
    left = out / "0" / ".000.png.0123abcd"
    kept = [out / "0" / name for name in (".other.png.0123abcd", ".000.png.0123abcde", ".000.png")]
    for path in (left, *kept):
        path.touch()
    dream_all(few, out)
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_a_second_run_at_the_same_time_is_refused(few, tmp_path, tiny):
    out = tmp_path / "out"
    with closing(dream_files(tiny, [few], out, **SETTINGS)) as first:
        next(first)
        with pytest.raises(JaxdreamError, match="another run of jaxdream is writing into"):
            dream_all(few, out)
        assert len(list(first)) == 4
    assert set(status(dream_all(few, out)).values()) == {"skipped"}


def test_closed_early_it_keeps_what_is_computed(few, tmp_path, tiny):
    out = tmp_path / "out"
    results = dream_files(tiny, [few], out, **SETTINGS)
    next(results)
    results.close()
    kept = contents(out)
    assert {"0/000.png", "0/more.png"} <= set(kept), "the first batch"
    assert not [thread for thread in threading.enumerate() if "jaxdream-" in thread.name]
    later = status(dream_all(few, out))
    assert list(later.values()).count("skipped") == len(kept)


def test_sizes_formats_and_options_reach_the_dreams(few, tmp_path):
    out = tmp_path / "out"
    options = {"size": "20x14", "suffix": ".webp", "objective": "first:1", "optimizer": "adam"}
    results = dream_all(few, out, **options)
    for result in results:
        assert jd.read_image(result.output).shape[:2] == (14, 20)
        recipe = read_recipe(result.output)
        assert (recipe.objective, recipe.settings.optimizer) == ("first:1", "adam")
    assert {path.suffix for path in out.rglob("*.*") if path.is_file()} == {
        ".webp",
        ".jsonl",
        ".lock",
    }


BAD = {
    "size": ({"size": "huge"}, "'huge' is not a size"),
    "suffix": ({"suffix": ".xyz"}, "pictures are written as"),
    "objective": ({"objective": "thrid"}, "thrid"),
    "octaves": ({"octaves": 0}, "octaves is a whole number from 1 to 100, not 0"),
    "optimizer": ({"optimizer": "adm"}, "no optimizer 'adm'"),
    "steps": ({"steps": 0}, "steps is a whole number from 1 to 1,000,000, not 0"),
    "jitter": ({"jitter": -1}, "jitter is a whole number from 0 to 1,000,000, not -1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_refused_when_it_is_called(few, tmp_path, tiny, case):
    options, says = BAD[case]
    with pytest.raises(JaxdreamError, match=says):
        dream_files(tiny, [few], tmp_path / "out", **SETTINGS | options)
    assert not (tmp_path / "out").exists()


def test_no_dream_takes_the_place_of_a_file_of_the_objective(few, tiny):
    guide = few / "0" / "000.png"
    objective = f'guide("{guide}", first)'
    (few.parent / "other").mkdir()
    (few.parent / "other" / "000.png").write_bytes(guide.read_bytes())
    with pytest.raises(
        JaxdreamError, match="is the mask or a file of the objective, and a dream would take"
    ):
        dream_files(tiny, [few.parent / "other"], few / "0", objective, overwrite=True)
