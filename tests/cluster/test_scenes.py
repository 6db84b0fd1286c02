"""What a worker does with the scenes of a clip, without Ray."""

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scene_films import CUTS, LENGTHS, QUICK, expected_frames, scenes_film

from jaxdream import JaxdreamError
from jaxdream.cluster.scenes import ClipWork, SceneWorker
from jaxdream.curves.times import Timeline
from jaxdream.objectives.text import as_objective
from jaxdream.settings import ClipSettings, Compute, DreamSettings, SourceSettings, VideoSettings
from jaxdream.video.cuts import CutFinder

WRITTEN = {}


def write(number, image):
    WRITTEN[number] = image


@pytest.fixture
def work(tmp_path):
    path = scenes_film(tmp_path / "clip.mkv")
    settings = {name: QUICK[name] for name in ("steps", "octaves", "jitter")}
    WRITTEN.clear()
    return ClipWork(
        path=str(path), size_bytes=path.stat().st_size, begin=Fraction(0), clip=ClipSettings(),
        size=(48, 64), source=SourceSettings(seed=QUICK["seed"]),
        video_settings=VideoSettings(cuts=CUTS), settings=DreamSettings(**settings),
        compute=Compute(), timeline=Timeline(25), curves=(), first_image=np.zeros((48, 64, 3)),
        write=write,
    )  # fmt: skip


@pytest.fixture
def worker(work, tiny):
    worker = SceneWorker(work, lambda: (tiny, as_objective(None, tiny), None), "cpu")
    assert worker.ready().endswith(f":{os.getpid()}")
    return worker


def test_scenes_in_any_order_are_those_of_one_run(worker, work, tiny):
    scanned = work.opened().scan(CutFinder(work.video_settings))
    parts = list(scanned.missing([], {}))
    assert [part.end - part.begin for part in parts] == list(LENGTHS)
    for part in reversed(parts):
        told = list(worker.dream(part))
        places = [place for each in told for place in each.places]
        assert [place.number for place in places] == list(range(part.begin, part.end))
        assert [place.time for place in places] == list(scanned.times[part.begin : part.end])
        # From what was handed on in the middle the rest is the same.
        first = part._replace(end=part.begin + 1)
        (begun,) = worker.dream(first)
        list(worker.dream(part._replace(after=begun.places[-1], carried=begun.carried)))
    expected = expected_frames(work.path, tiny)
    for number, frame in enumerate(expected):
        np.testing.assert_array_equal(WRITTEN[number], frame)


def test_of_damaged_frames_no_others_are_written(worker, work):
    scanned = work.opened().scan(CutFinder(work.video_settings))
    for part in scanned.damaged([2, 6]):
        list(worker.dream(part))
    assert set(WRITTEN) == {2, 6}


def test_warnings_are_told(work, tiny, monkeypatch):
    from jaxdream import JaxdreamWarning
    from jaxdream.video import dreamer

    def finding(*arguments, **options):
        import warnings

        warnings.warn("seen", JaxdreamWarning, stacklevel=2)
        warnings.warn("of no interest", UserWarning, stacklevel=2)
        return found(*arguments, **options)

    found = dreamer.begin
    monkeypatch.setattr(dreamer, "begin", finding)
    worker = SceneWorker(work, lambda: (tiny, as_objective(None, tiny), None), "cpu")
    worker.ready()
    part = next(iter(work.opened().scan(CutFinder(work.video_settings)).missing([], {})))
    told = list(worker.dream(part))
    assert [line for each in told for line in each.warnings] == ["seen"]


def test_a_clip_that_a_machine_does_not_see_is_one_line(work):
    with pytest.raises(JaxdreamError, match=r"sees another file as .*: name a place that all"):
        replace(work, size_bytes=work.size_bytes + 1).opened()
    os.unlink(work.path)
    with pytest.raises(JaxdreamError, match=r"cannot read .*clip\.mkv: No such file"):
        work.opened()
