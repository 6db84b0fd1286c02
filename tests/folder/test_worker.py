"""What is done for one file: errors of a name and errors of the whole disk, progress, recipes."""

import os
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import contents, dream_all, status
from PIL import Image

from jaxdream import JaxdreamError
from jaxdream.folder.decoding_memory import DecodingMemory
from jaxdream.folder.inputs import Input
from jaxdream.folder.worker import (
    FileWork,
    NamedObjective,
    PictureFile,
    Progress,
    TargetError,
    named_objective,
)
from jaxdream.recipe import provenance
from jaxdream.settings import DreamSettings, SourceSettings


@pytest.mark.parametrize("limit", [3_000, 400])
def test_a_full_disk_stops_it_and_keeps_what_is_done(few, tmp_path, limit):
    """Of a picture, or of the journal; files cannot become larger than the limit."""
    out = tmp_path / "out"
    noise = np.random.default_rng(1).integers(0, 255, (70, 90, 3), np.uint8)
    Image.fromarray(noise).save(few / "large.png")  # the last one
    dream_all(few, tmp_path / "before", max_batch=2)  # programs have a cache, with no limit
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(JaxdreamError, match=r"cannot write .*: File too large"):
            dream_all(few, out, max_batch=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in out.rglob(".*") if path.name != ".jaxdream.lock"]
    done = contents(out)
    assert (len(done) > 0) == (limit == 3_000)
    results = status(dream_all(few, out, max_batch=2))
    assert list(results.values()).count("skipped") == len(done)
    assert len(contents(out)) == 6


def test_a_folder_that_cannot_be_made_stops_it(few, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match="cannot be a folder"):
        dream_all(few, tmp_path / "file")


def test_a_name_that_is_taken_is_that_pictures_error(few, tmp_path):
    out = tmp_path / "out"
    (out / "1" / "001.jpg").mkdir(parents=True)
    os.makedirs(out / "2")
    os.mkfifo(out / "2" / "002.webp")
    results = status(dream_all(few, out))
    assert [name for name in results if results[name] == "failed"] == ["1/001.jpg", "2/002.webp"]


def test_a_folder_that_goes_away_stops_it(few, tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(TargetError, match=r"cannot write .*: Permission denied"):
        dream_all(few, tmp_path / "out")


def test_progress_counts_pictures_and_shares_of_the_batch():
    progress = Progress(pictures=8)
    assert progress.done == 0
    for name in ("dreamed", "dreamed", "skipped", "failed"):
        progress.count(name)
    assert (progress.processed, progress.done) == (4, 0.5)
    progress.batch_pictures, progress.batch_done = 2, 0.5
    assert progress.done == 5 / 8
    begun = progress.seconds
    time.sleep(0.001)
    assert progress.seconds > begun
    progress.ended = progress.begun + 3
    assert progress.seconds == 3
    assert Progress().done == 0, "no pictures"


def test_an_objective_is_named_without_folders(tiny, tmp_path):
    folder = tmp_path / "guides"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    said = []
    path = str(folder / "a.png")
    objective, named, read = named_objective(f'guide("{path}", first)', tiny, 30, said.append)
    assert objective.layers == ("first",)
    assert named.text == 'guide("a.png", first)'
    assert list(named.files) == ["a.png"]
    assert read == (path,)
    assert said == [f"{path} is used at 30x20 pixels (--guide-size)"]


@pytest.fixture
def work(tmp_path, tiny):
    return FileWork(
        folder=tmp_path / "out", settings=DreamSettings(), source=SourceSettings(size="20"),
        objective=NamedObjective("first", {}), provenance=provenance(tiny), progress=Progress(),
    )  # fmt: skip


def test_a_file_is_loaded_and_saved_with_its_recipe(work, few):
    file = PictureFile(Input(few / "0" / "000.png", "0/000.png"), "0/000.png", seed=9)
    assert work.planned_size(file) == (16, 20)
    loaded = work.load(file, DecodingMemory(10**9))
    assert loaded.picture.pixels.shape == (16, 20, 3)
    recipe = work.recipe(loaded, "16x32")
    assert (recipe.size, recipe.source.seed, recipe.shapes) == ((16, 20), 9, "16x32")
    assert (recipe.input_name, recipe.source.size) == ("000.png", None)
    result = work.save(loaded, loaded.picture.pixels, "16x32")
    assert (result.status, result.output) == ("dreamed", work.folder / "0" / "000.png")
    assert work.progress.dreamed == 1


def test_what_pictures_have_in_common_decides_what_is_done_again(work):
    keys = {
        work.key,
        replace(work, settings=DreamSettings(steps=5)).key,
        replace(work, source=SourceSettings(size="21")).key,
        replace(work, objective=NamedObjective("second", {})).key,
        replace(work, objective=NamedObjective("first", {"a.png": "ab"})).key,
        replace(work, provenance=replace(work.provenance, weights_sha256="cd")).key,
    }
    assert len(keys) == 6
    # Versions and platforms matter for nothing except rounding.
    assert replace(work, provenance=replace(work.provenance, jax="0")).key == work.key


def test_errors_name_the_picture_once_and_printably(work):
    file = PictureFile(Input(Path("x\x1b.png"), "x\x1b.png"), "x.png", seed=0)
    result = work.load(file, DecodingMemory(10**9))
    assert (result.status, str(result.error)) == ("failed", "x?.png: no such file")
    result = work.failed(file, JaxdreamError("the gradient is zero"))
    assert str(result.error) == "x?.png: the gradient is zero"
