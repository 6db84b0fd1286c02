"""The measures of how coherent a dreamed video is."""

import numpy as np
import pytest

from benchmark.options import Options, parse
from benchmark.report import coherence_table, frame_table
from benchmark.results import FrameTime
from benchmark.video import CARRIED, FRAME_BY_FRAME, Clip, clips, coherence


def panned(detail_moves):
    """A panned photograph of noise, and dreams whose detail moves with it, or stays."""
    random = np.random.default_rng(0)
    photo = random.integers(60, 200, (60, 80, 3), np.uint8)
    detail = random.normal(0, 10, photo.shape).astype(np.float32)
    frames = [photo[:48, 2 * t : 2 * t + 64] for t in range(3)]
    details = [detail[:48, (2 * t if detail_moves else 0) :][:, :64] for t in range(3)]
    dreams = [frame + detail for frame, detail in zip(frames, details, strict=True)]
    flow = np.broadcast_to(np.array([2, 0], np.float32), (48, 64, 2))
    return Clip("a pan", frames, np.ascontiguousarray(flow)), dreams


def test_detail_that_moves_with_its_object_has_no_error():
    clip, dreams = panned(True)
    found = coherence(clip, CARRIED, dreams, 0.5)
    assert (found.clip, found.way, found.seconds) == ("a pan", CARRIED, 0.5)
    assert found.warp_error < 1e-3
    assert found.own_error < 1e-3
    assert found.detail_change < 1e-3
    assert found.strength == pytest.approx(8, rel=0.05), "the mean of a normal's absolute value"


def test_detail_that_stays_has_an_error():
    clip, dreams = panned(False)
    found = coherence(clip, FRAME_BY_FRAME, dreams, 0.5)
    assert found.warp_error == pytest.approx(200, rel=0.1), "twice the variance"
    assert found.detail_change > 8


def test_the_pan_is_as_it_is_said_to_be():
    options: Options = parse(["--quick", "--only", "video"])
    pan, still, noisy = clips(options)
    assert len(pan.frames) == len(noisy.frames) == options.video_frames
    x, y = map(int, pan.known[0, 0])
    np.testing.assert_array_equal(pan.frames[0][y:, x:], pan.frames[1][:-y, :-x])
    np.testing.assert_array_equal(still.frames[0], still.frames[1])
    assert 2 < np.abs(np.float32(noisy.frames[0]) - noisy.frames[1]).mean() < 6


def test_tables():
    clip, dreams = panned(False)
    first = coherence(clip, FRAME_BY_FRAME, dreams, 0.5)
    second = coherence(clip, CARRIED, panned(True)[1], 0.5)
    rows = coherence_table([first, second]).splitlines()
    assert rows[2].startswith("| a pan, frame by frame |")
    assert "| 1.00 |" in rows[2]
    assert "| 0.00 |" in rows[3]
    (*_, row) = frame_table([FrameTime("walk.mp4", (360, 640), 0.05, 0.4, 0.1)]).splitlines()
    assert row == "| walk.mp4, 360x640 | 2.00 | 0.400 | 0.050 | 0.100 |"
