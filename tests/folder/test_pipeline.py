"""Decoding ahead of the device and encoding behind it: failures are one picture's own."""

import numpy as np
from pictures import contents, dream_all, status

import jaxdream as jd
from jaxdream import JaxdreamError, batches
from jaxdream.folder import pipeline


def test_a_dream_that_fails_is_one_pictures_error(few, tmp_path, monkeypatch):
    def dream(keys, model, images, batch, objective, **options):
        silent = [image.shape[:2] == (40, 12) for image in images]
        for state, errors in batches.iterate_batch(
            keys, model, images, batch, objective, **options
        ):
            failed = ["the gradient is zero everywhere" if one else None for one in silent]
            yield state, [*failed, *errors[len(failed) :]]

    expected = tmp_path / "expected"
    dream_all(few, expected)
    monkeypatch.setattr(pipeline, "iterate_batch", dream)
    out = tmp_path / "out"
    (failed,) = (result for result in dream_all(few, out) if result.status == "failed")
    assert failed.relative_path == "2/002.webp"
    assert str(failed.error) == f"{failed.input}: the gradient is zero everywhere"
    others = contents(expected)
    del others["2/002.webp"]
    assert contents(out) == others


def test_a_batch_that_fails_is_the_error_of_its_pictures(few, tmp_path, monkeypatch):
    def too_little_memory(*_, **__):
        raise JaxdreamError("a dream takes at least 5 GB")

    monkeypatch.setattr(pipeline, "iterate_batch", too_little_memory)
    results = dream_all(few, tmp_path / "out")
    assert set(status(results).values()) == {"failed"}
    assert all("at least 5 GB" in str(result.error) for result in results)


def test_pictures_of_other_sizes_than_their_headers_tell_are_dreamed_alone(
    few, tmp_path, monkeypatch
):
    expected = tmp_path / "expected"
    dream_all(few, expected)
    monkeypatch.setattr("jaxdream.images.picture_files.read_size", lambda _: (24, 30))
    dream_all(few, tmp_path / "out")
    got = contents(tmp_path / "out")
    assert got.keys() == contents(expected).keys()
    for name in got:
        one, other = (jd.read_image(folder / name) for folder in (expected, tmp_path / "out"))
        assert np.abs(one - other).max() <= 1


def test_little_is_decoded_ahead(few, tmp_path, monkeypatch):
    from jaxdream.folder.worker import FileWork

    load, ahead = FileWork.load, []

    def counted(self, file, memory):
        ahead.append(file.input.relative_path)
        return load(self, file, memory)

    def dream(*arguments, **options):
        before.append(len(ahead))
        return batches.iterate_batch(*arguments, **options)

    before = []
    monkeypatch.setattr(FileWork, "load", counted)
    monkeypatch.setattr(pipeline, "iterate_batch", dream)
    monkeypatch.setattr(pipeline, "MAX_BYTES_AHEAD", 0)
    dream_all(few, tmp_path / "out", max_batch=1)
    assert len(ahead) == len(before) == 5
    # Of the batches, the one that is computed and one more.
    assert before[0] <= 2


def test_every_state_is_watched_with_its_pictures(few, tmp_path):
    seen = []

    def watch(state, wanted):
        pictures = pipeline.pictures_so_far(state, wanted)
        seen.extend((loaded.file.output, state.done, image.shape) for loaded, image in pictures)

    dream_all(few, tmp_path / "out", watch=watch)
    assert {output for output, _, _ in seen} == set(contents(tmp_path / "out"))
    for output, done, shape in seen:
        assert 0 < done <= 1
        assert shape == jd.read_image(few / output).shape
