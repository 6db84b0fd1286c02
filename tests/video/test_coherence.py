"""What a frame takes over from the one before: the shares, the steps and the mean."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdream.video.coherence import Carried, Motion, begin, find_motion, go_on, iterations

HEIGHT, WIDTH = 40, 56
SIZE = (HEIGHT, WIDTH)
STEPS = {"steps": 10, "frame_steps": 2}


def noise(seed=0):
    """A smooth picture, uint8."""
    values = np.random.default_rng(seed).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    return np.clip(128 + 4 * (cv2.GaussianBlur(values, (0, 0), 2.0) - 128), 40, 200).astype(
        np.uint8
    )


def no_flow(first, _):
    return np.zeros((*first.shape[:2], 2), np.float32)


def dreamed(frame, seed=1, mean=None):
    """What is carried from a frame, with a random detail."""
    detail = np.random.default_rng(seed).normal(1.0, 5.0, frame.shape).astype(np.float32)
    own = detail.mean((0, 1)) if mean is None else np.array(mean, np.float32)
    return Carried(frame, frame + detail, own, frame, 1)


def motion(reliable=1.0, renewal=0.0):
    return Motion(
        np.zeros((*SIZE, 2), np.float32),
        np.full(SIZE, reliable, np.float32),
        np.full(SIZE, renewal, np.float32),
    )


def test_a_frame_with_nothing_before_is_due_all_steps():
    frame, mask = noise(), np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(SIZE)
    start = begin(frame.astype(np.float32), steps=7)
    np.testing.assert_array_equal(start.picture, frame)
    np.testing.assert_array_equal(start.steps, 7)
    np.testing.assert_allclose(begin(frame.astype(np.float32), steps=7, mask=mask).steps, 7 * mask)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 10), st.floats(0.3, 1), st.floats(0.05, 1), st.integers(1, 10))
def test_detail_settles_at_the_strength_of_a_still(frame_steps, renewal, share, more):
    """However much is renewed in each frame, and whatever the mask."""
    steps = frame_steps + more
    frame = np.full((2, 2, 3), 100, np.uint8)
    shares = np.full((2, 2), share, np.float32)
    moved = Motion(
        np.zeros((2, 2, 2), np.float32), np.ones((2, 2), np.float32),
        np.full((2, 2), renewal, np.float32),
    )  # fmt: skip
    # A step adds 1 level here; frames until less than a thousandth of the first detail is left.
    dream = frame.astype(np.float32)
    for _ in range(int(np.ceil(7 * steps / (renewal * frame_steps)))):
        carried = Carried(frame, dream, (dream - frame).mean((0, 1)), frame, 1)
        start = go_on(
            frame.astype(np.float32),
            carried,
            moved,
            steps=steps,
            frame_steps=frame_steps,
            mask=shares,
        )
        dream = start.picture + start.steps[..., None]
    np.testing.assert_allclose(dream - frame, steps * share, rtol=2e-3, atol=1e-3)


def test_a_still_frame_carries_all_and_is_due_nothing():
    frame = noise()
    carried = dreamed(frame)
    start = go_on(frame.astype(np.float32), carried, find_motion(frame, frame), **STEPS)
    np.testing.assert_allclose(start.picture, carried.dream, atol=1e-4)
    np.testing.assert_array_equal(start.steps, 0)


def test_what_moves_is_carried_along():
    detail = np.random.default_rng(2).normal(0, 5, (HEIGHT, WIDTH + 4, 3)).astype(np.float32)
    before, frame = noise(), noise(1)
    flow = np.full((*SIZE, 2), (4, 0), np.float32)
    carried = Carried(before, before + detail[:, :-4], np.zeros(3, np.float32), before, 1)
    start = go_on(frame.astype(np.float32), carried, motion()._replace(flow=flow), **STEPS)
    moved = (start.picture - frame)[:, :-4]
    expected = (carried.dream - before)[:, 4:]
    np.testing.assert_allclose(
        moved - moved.mean((0, 1)), expected - expected.mean((0, 1)), atol=1e-3
    )


def test_reliable_pixels_that_move_are_renewed_at_the_speed_of_the_settings():
    frame = noise()
    carried = dreamed(frame, mean=(0, 0, 0))
    start = go_on(frame.astype(np.float32), carried, motion(renewal=1.0), **STEPS)
    detail = carried.dream - frame
    np.testing.assert_allclose(
        start.picture - frame, 0.8 * (detail - detail.mean((0, 1))), atol=1e-4
    )
    np.testing.assert_allclose(start.steps, 2)


def test_unreliable_pixels_carry_nothing_and_are_due_all_steps():
    frame = noise()
    start = go_on(frame.astype(np.float32), dreamed(frame), motion(reliable=0.0), **STEPS)
    np.testing.assert_array_equal(start.picture, frame)
    np.testing.assert_array_equal(start.steps, 10)


def test_half_reliable_pixels_are_due_some_of_both():
    frame = noise()
    start = go_on(
        frame.astype(np.float32), dreamed(frame), motion(reliable=0.5, renewal=0.5), **STEPS
    )
    np.testing.assert_allclose(start.steps, 0.5 * 0.5 * 2 + 0.5 * 10)


def test_the_mean_of_what_is_carried_comes_back_to_that_of_the_first_frame():
    frame = noise()
    still = motion()
    still.reliable[:, : WIDTH // 3] = 0
    start = go_on(frame.astype(np.float32), dreamed(frame, mean=(3, -2, 0.5)), still, **STEPS)
    carried = (start.picture - frame)[:, WIDTH // 3 :]
    np.testing.assert_allclose(carried.mean((0, 1)), (3, -2, 0.5), atol=1e-3)
    np.testing.assert_array_equal(start.picture[:, : WIDTH // 3], frame[:, : WIDTH // 3])


def test_a_mask_weighs_what_is_due_and_keeps_pixels_where_it_is_0():
    frame = noise()
    mask = np.zeros(SIZE, np.float32)
    mask[:, 10:30], mask[:, 30:] = 0.25, 1.0
    start = go_on(frame.astype(np.float32), dreamed(frame), motion(renewal=1.0), **STEPS, mask=mask)
    np.testing.assert_allclose(start.steps, 2 * mask)
    np.testing.assert_array_equal(start.picture[:, :10], frame[:, :10])
    assert np.abs(start.picture[:, 10:] - frame[:, 10:]).mean() > 1


def test_a_mask_that_is_0_everywhere_leaves_the_frame():
    frame = noise()
    mask = np.zeros(SIZE, np.float32)
    start = go_on(frame.astype(np.float32), dreamed(frame), motion(renewal=1.0), **STEPS, mask=mask)
    np.testing.assert_array_equal(start.picture, frame)
    np.testing.assert_array_equal(start.steps, 0)


def test_a_frame_that_became_brighter_is_renewed():
    frame = noise()
    found = find_motion(frame, frame + 40, method=no_flow)
    np.testing.assert_allclose(found.renewal, 1, atol=1e-6)
    np.testing.assert_array_equal(found.reliable, 1)


def test_noise_of_a_camera_renews_nothing():
    frame = noise()
    grain = np.random.default_rng(3).normal(0, 8, frame.shape)
    found = find_motion(frame, (frame + grain).astype(np.uint8), method=no_flow)
    np.testing.assert_array_equal(found.renewal, 0)


@pytest.mark.parametrize(("brighter", "share"), [(8, 0), (16, 0.5), (24, 1), (40, 1)])
def test_what_changes_is_renewed_by_its_share(brighter, share):
    frame = np.full((*SIZE, 3), 100, np.uint8)
    found = find_motion(frame, frame + np.uint8(brighter), method=no_flow)
    np.testing.assert_allclose(found.renewal, share, atol=1e-4)


@pytest.mark.parametrize(("speed", "share"), [(0.1, 0), (1.55, 0.5), (3, 1), (12, 1)])
def test_what_moves_is_renewed_by_its_share(speed, share):
    frame = np.full((*SIZE, 3), 100, np.uint8)

    def flow(first, _):
        return np.full((*first.shape[:2], 2), (0, speed), np.float32)

    np.testing.assert_allclose(find_motion(frame, frame, method=flow).renewal, share, atol=1e-5)


def test_it_does_not_depend_on_where_in_memory_a_flow_lies():
    flow = np.random.default_rng(0).normal(size=(*SIZE, 2)).astype(np.float32)
    frame = np.full((*SIZE, 3), 100, np.uint8)
    held, found = [], []
    for number in range(40):
        held.append(np.empty(3000 + 4 * number, np.float32))  # so that the next ones lie elsewhere
        found.append(find_motion(frame, frame, method=lambda *_: flow).renewal)
    for renewal in found:
        np.testing.assert_array_equal(renewal, found[0])


def test_a_flow_goes_from_the_frame_to_the_one_before():
    before, frame, asked = noise(0), noise(1), []

    def flow(first, second):
        asked.append((first, second))
        return np.full((*SIZE, 2), float(len(asked)), np.float32)

    found = find_motion(before, frame, method=flow)
    assert asked[0][0] is frame
    assert asked[0][1] is before
    assert asked[1][0] is before
    np.testing.assert_array_equal(found.flow, 1)


def test_a_flow_of_another_precision():
    frame = noise()
    single, double = (
        find_motion(frame, frame, method=lambda *_, d=d: np.full((*SIZE, 2), 0.5, d))
        for d in (np.float32, np.float64)
    )
    for one, other in zip(single, double, strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_little_can_be_trusted_nothing_is():
    frame = noise()

    def outside(share):
        """A flow that leaves the frame in so much of it."""

        def flow(first, _):
            found = no_flow(first, _)
            found[:, : round(share * WIDTH)] = 1000
            return found

        return find_motion(frame, frame, method=flow).reliable

    assert outside(0.5).mean() > 0.25
    np.testing.assert_array_equal(outside(0.9), 0)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 5), st.floats(0, 1))
def test_steps_are_as_many_as_are_due_on_average(chunk, least, more, share):
    frame_steps, steps = chunk * least, chunk * (least + more)
    count = iterations(share * steps, steps=steps, frame_steps=frame_steps, chunk=chunk)
    assert frame_steps <= count <= steps
    assert count % chunk == 0
    assert abs(count - np.clip(share * steps, frame_steps, steps)) <= chunk / 2 + 1e-3


def test_the_average_is_that_of_the_mask():
    frame = noise()
    carried, still = dreamed(frame), find_motion(frame, frame, method=no_flow)
    half = np.zeros((HEIGHT, WIDTH), np.float32)
    half[: HEIGHT // 2] = 0.5
    lost = still._replace(reliable=1 - 2 * half)
    assert go_on(np.float32(frame), carried, lost, **STEPS).mean == pytest.approx(5)
    assert go_on(np.float32(frame), carried, lost, **STEPS, mask=half).mean == pytest.approx(10)
    nothing = np.zeros_like(half)
    assert go_on(np.float32(frame), carried, lost, **STEPS, mask=nothing).mean == 0
    assert begin(np.float32(frame), steps=10, mask=half).mean == 10
