"""The dream of a video: what frames share with stills, and with each other."""

import gc
import itertools

import jax
import numpy as np
import optax
import pytest
from helpers import compilations
from video.pans import KEY, QUICK, SIZE, STILL, images, pan, states_of, to_the_right, wide

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.video import dreamer
from jaxdream.video.dreaming import iterate_video
from jaxdream.video.flow import follow


class TestStills:
    @pytest.mark.parametrize("objective", [None, "first:2", "strongest(second, 2)",
                                           "strongest(second, 2, every_octave)"])  # fmt: skip
    def test_the_first_frame_is_the_dream_of_a_still(self, tiny, objective):
        frame = wide()[:, :30]
        (state,) = states_of(tiny, [frame], objective=objective)
        still = jd.dream(KEY, tiny, frame, objective, **STILL)
        np.testing.assert_allclose(state.image, still, atol=1e-3)
        assert state.cut
        assert state.number == 0

    def test_a_frame_after_a_cut_is_the_dream_of_a_still(self, tiny):
        frames = [*pan(2), *pan(2, seed=1)]
        states = states_of(tiny, frames, cuts="2")
        still = jd.dream(KEY, tiny, frames[2], **STILL)
        np.testing.assert_allclose(states[2].image, still, atol=1e-3)
        assert [state.cut for state in states] == [True, False, True, False]
        assert [state.number for state in states] == [0, 1, 2, 3]

    def test_another_scene_is_found(self, tiny):
        frames = [*pan(16), *[255 - frame for frame in pan(2, seed=1)]]
        frames[16:] = [np.full_like(frames[0], 250), np.full_like(frames[0], 250)]
        states = states_of(tiny, frames, steps=1)
        assert [state.number for state in states if state.cut] == [0, 16]

    def test_the_first_frame_with_a_mask_is_the_dream_of_a_still(self, tiny):
        frame = wide()[:, :30]
        mask = np.zeros(SIZE, np.float32)
        mask[:, 10:20], mask[:, 20:] = 0.5, 1
        (state,) = states_of(tiny, [frame], masks=mask)
        still = jd.dream(KEY, tiny, frame, mask=mask, **STILL)
        np.testing.assert_allclose(state.image, still, atol=1e-3)

    @pytest.mark.parametrize("finishing", [{"strength": 0.5}, {"keep_colours": True},
                                           {"keep_contrast": True, "strength": 0.7}])  # fmt: skip
    def test_finishing_is_that_of_a_still(self, tiny, finishing):
        frame = wide()[:, :30]
        (state,) = states_of(tiny, [frame], **finishing)
        still = jd.dream(KEY, tiny, frame, **STILL, **finishing)
        np.testing.assert_allclose(state.image, still, atol=1e-3)

    def test_steps_of_an_optax_optimiser(self, tiny):
        frame, settings = wide()[:, :30], {"steps": 2, "octaves": 1}
        adam = {"optimizer": optax.adam(2.0), **settings}
        states = list(iterate_video(KEY, tiny, [frame, frame], frame_steps=1, **adam))
        np.testing.assert_allclose(states[0].image, jd.dream(KEY, tiny, frame, **adam), atol=1e-3)


class TestScenesThatStandStill:
    @pytest.mark.parametrize("masked", [False, True])
    def test_frames_stay_the_same(self, tiny, masked):
        mask = np.zeros(SIZE, np.float32)
        mask[:, 12:] = 1
        states = states_of(tiny, [wide()[:, :30]] * 4, masks=mask if masked else None)
        dreams = images(states)
        assert np.abs(dreams[0] - wide()[:, :30]).mean() > 1
        np.testing.assert_allclose(dreams, np.broadcast_to(dreams[:1], dreams.shape), atol=1e-2)

    def test_noise_of_a_camera_moves_the_dream_by_no_more_than_itself(self, tiny):
        random = np.random.default_rng(0)
        frames = [
            (wide()[:, :30] + random.integers(-2, 3, (*SIZE, 3))).astype(np.uint8) for _ in range(3)
        ]
        dreams = images(states_of(tiny, frames, flow=to_the_right(0)))
        details = dreams - np.stack(frames)
        np.testing.assert_allclose(details[1:], details[:-1], atol=1e-2)


class TestGoingOn:
    def test_is_as_if_never_interrupted(self, tiny):
        frames = [*pan(4), *pan(3, seed=1)]
        whole = states_of(tiny, frames, cuts="4", strength=0.8)
        for done in range(1, len(frames)):
            rest = states_of(
                tiny, frames[done:], cuts="4", strength=0.8,
                frames_done=done, carried=whole[done - 1].carried,
            )  # fmt: skip
            np.testing.assert_array_equal(images(rest), images(whole[done:]))
            assert [state.number for state in rest] == [state.number for state in whole[done:]]
            assert [state.cut for state in rest] == [state.cut for state in whole[done:]]

    def test_a_scene_that_is_found_begins_where_it_would_have(self, tiny):
        frames = [*pan(16), np.full_like(pan(1)[0], 250)]
        whole = states_of(tiny, frames, steps=1)
        rest = states_of(tiny, frames[10:], steps=1, frames_done=10, carried=whole[9].carried)
        assert [state.number for state in rest if state.cut] == [16]
        np.testing.assert_array_equal(images(rest), images(whole[10:]))

    @pytest.mark.parametrize("whole_levels", [True, False])
    def test_with_curves(self, tiny, whole_levels):
        frames = pan(5)
        if not whole_levels:
            frames = [frame + np.float32(0.4) for frame in frames]
        curves = ["objective: 0 first, 4 0.5*second:1 + l1(relu)", "step_size: 1 + f",
                  "strength: 0 1, 100% 0.5"]  # fmt: skip
        options = {"curves": curves, "frame_count": 5, "fps": 5, "flow": to_the_right(1)}
        whole = states_of(tiny, frames, **options)
        assert np.abs(images(whole)[1:] - images(whole)[:-1]).max() > 1
        options["flow"] = to_the_right(1)
        rest = states_of(
            tiny, frames[2:], **options,
            frames_done=2, carried=whole[1].carried, first_image=frames[0],
        )  # fmt: skip
        np.testing.assert_array_equal(images(rest), images(whole[2:]))


@pytest.fixture
def dreamed(monkeypatch):
    """The offsets and the objective of each dream that is begun."""
    seen = []

    def note(offsets, model, pictures, objective, *arguments, **options):
        seen.append((np.array(offsets)[:, 0], objective))
        return dream_pictures(offsets, model, pictures, objective, *arguments, **options)

    dream_pictures = dreamer.dream_pictures
    monkeypatch.setattr(dreamer, "dream_pictures", note)
    return seen


class TestJitter:
    def offsets(self, dreamed, tiny, **options):
        """The jitter of three frames, of which each begins a scene."""
        states_of(tiny, [wide(i)[:, :30] for i in range(3)], cuts="1,2", **options)
        return [offsets for offsets, _ in dreamed]

    def test_is_the_same_for_all_frames(self, dreamed, tiny):
        first, *others = self.offsets(dreamed, tiny)
        assert np.ptp(first) > 0
        assert len(others) == 2
        for other in others:
            np.testing.assert_array_equal(other, first)

    def test_is_another_for_each_where_the_dream_boils(self, dreamed, tiny):
        found = self.offsets(dreamed, tiny, boil=True)
        assert len({offsets.tobytes() for offsets in found}) == 3

    def test_fewer_steps_have_the_first_offsets_of_each_octave(self, dreamed, tiny):
        states_of(tiny, pan(2, speed=4), flow=to_the_right(4))
        (still, _), (further, _) = dreamed
        still, further = still.reshape(2, 4, 2), further.reshape(2, -1, 2)
        assert further.shape[1] < 4
        np.testing.assert_array_equal(further, still[:, : further.shape[1]])

    def test_boiling_goes_on_as_if_never_interrupted(self, tiny):
        frames = pan(4, speed=2)
        whole = states_of(tiny, frames, boil=True)
        rest = states_of(tiny, frames[2:], boil=True, frames_done=2, carried=whole[1].carried)
        np.testing.assert_array_equal(images(rest), images(whole[2:]))


@pytest.mark.parametrize(("share", "steps"), [(0.0, 1), (0.5, 3), (1.0, 4)])
def test_steps_are_as_many_as_are_due(dreamed, tiny, share, steps):
    def flow(first, _):
        found = np.zeros((*first.shape[:2], 2), np.float32)
        found[:, : round(share * 30)] = (0, 100)
        return found

    states_of(tiny, [*pan(1), 255 - pan(1)[0]], flow=flow)
    assert [len(offsets) // 2 for offsets, _ in dreamed] == [4, steps]


def warp_error(dreams, frames, speed):
    """The mean square of what is new in the detail of a frame, where it was seen before."""
    details = np.stack(dreams) - np.stack(frames)
    inside = (slice(3, -3), slice(3, -3 - speed))
    flow = np.full((*SIZE, 2), (speed, 0), np.float32)
    return np.mean([
        np.square(follow(before, flow) - after)[inside].mean()
        for before, after in itertools.pairwise(details)
    ])  # fmt: skip


def test_a_pan_flickers_a_third_at_most_and_is_dreamed_as_much(tiny):
    frames = pan(14)
    settings = {**STILL, "steps": 10, "octaves": 1, "jitter": 16}
    stills = [
        np.asarray(jd.dream(jax.random.fold_in(KEY, i), tiny, frame, **settings))
        for i, frame in enumerate(frames)
    ]
    ours = images(states_of(tiny, frames, **settings, frame_steps=2))
    error = warp_error(list(ours), frames, 1)
    strength, expected = (
        np.abs(np.stack(dreams) - np.stack(frames))[4:].mean() for dreams in (ours, stills)
    )
    assert error < warp_error(stills, frames, 1) / 3
    assert abs(strength / expected - 1) < 0.25


def test_nothing_is_compiled_after_the_second_frame(tiny):
    # A size of its own, so that nothing is compiled yet.
    frames = [*pan(4, width=31), *[255 - frame for frame in pan(2, width=31)]]
    frames += [frames[-1], frames[-1], np.roll(frames[-1], 9, axis=1)]
    mask = np.linspace(0, 1, 24 * 31, dtype=np.float32).reshape(24, 31)
    masks = [mask**i for i in range(len(frames))]
    curves = ["step_size: 1 + f", "objective: 0 first, 5 strongest(second, 2)"]
    states = iterate_video(KEY, tiny, frames, masks=masks, curves=curves, cuts="7", **QUICK)
    with compilations() as names:
        next(states), next(states)
        assert names
        names.clear()
        assert len(list(states)) == len(frames) - 2
    assert names == []


class TestChannelsOfAScene:
    def test_are_chosen_once_by_the_first_frame(self, dreamed, tiny):
        red = np.full_like(pan(1)[0], (250, 0, 0))
        options = {"objective": "strongest(second, 1)", "cuts": "3"}
        states_of(tiny, [red, *pan(4, speed=4)], **options)
        whole = [tuple(np.asarray(objective.weights)) for _, objective in dreamed]
        assert len(whole) == 5
        assert len(set(whole[:3])) == 1
        assert len(set(whole[3:])) == 1
        assert whole[0] != whole[3]

    def test_are_the_same_where_the_scene_goes_on(self, tiny):
        frames = [np.full_like(pan(1)[0], (250, 0, 0)), *pan(3, speed=4)]
        options = {"objective": "strongest(second, 1)", "cuts": "none"}
        whole = states_of(tiny, frames, **options)
        rest = states_of(tiny, frames[2:], **options, frames_done=2, carried=whole[1].carried)
        np.testing.assert_array_equal(images(rest), images(whole[2:]))


class TestFrames:
    @pytest.mark.parametrize("convert", [np.float32, np.float64, np.int32, jax.numpy.asarray])
    def test_of_any_kind_of_number(self, tiny, convert):
        frames = pan(3, speed=2)
        same = [convert(frame) for frame in frames]
        np.testing.assert_array_equal(
            images(states_of(tiny, same)), images(states_of(tiny, frames))
        )

    def test_with_fractions_are_dreamed_as_they_are(self, tiny):
        frames = [frame.astype(np.float32) + np.float32(0.3) for frame in pan(2, speed=2)]
        mask = np.zeros(SIZE, np.float32)
        mask[:, 20:] = 1
        dreams = images(states_of(tiny, frames, masks=mask))
        np.testing.assert_array_equal(dreams[:, :, :20], np.stack(frames)[:, :, :20])

    @pytest.mark.parametrize("count", [1, 16])
    def test_of_another_size_are_one_line(self, tiny, count):
        states = iterate_video(KEY, tiny, [*pan(count), wide()[:, :29]], **QUICK)
        assert len(list(itertools.islice(states, count))) == count
        says = f"frame {count} is 29x24 pixels and those before 30x24: give frames of one size"
        with pytest.raises(JaxdreamError, match=says):
            next(states)

    def test_of_another_size_than_what_is_carried_are_one_line(self, tiny):
        (state,) = states_of(tiny, pan(1))
        options = {"frames_done": 1, "carried": state.carried}
        with pytest.raises(JaxdreamError, match="frame 1 is 29x24 pixels and those before 30x24"):
            states_of(tiny, [wide()[:, :29]], **options)

    @pytest.mark.parametrize(
        ("frame", "says"),
        [
            (np.full((*SIZE, 3), 0.5, np.float32), "multiply by 255"),
            (np.full((*SIZE, 3), np.nan, np.float32), "not finite"),
        ],
    )
    def test_that_are_no_pictures_are_one_line(self, tiny, frame, says):
        with pytest.raises(JaxdreamError, match=says):
            states_of(tiny, [pan(1)[0], frame])

    def test_none_are_no_states(self, tiny):
        assert states_of(tiny, []) == []

    def test_are_read_at_most_two_ahead(self, tiny):
        read = []

        def frames():
            for number in itertools.count():
                read.append(number)
                yield wide(number % 3)[:, :30]

        for state in itertools.islice(iterate_video(KEY, tiny, frames(), cuts="3,4", **QUICK), 6):
            assert len(read) - 1 <= state.number + 2

    def test_are_closed_with_the_states(self, tiny):
        closed = []

        def frames():
            try:
                while True:
                    yield wide()[:, :30]
            finally:
                closed.append(True)

        states = iterate_video(KEY, tiny, frames(), **QUICK)
        next(states)
        states.close()
        gc.collect()
        assert closed == [True]

    def test_an_error_of_their_iterator_is_raised_after_those_before(self, tiny):
        def frames():
            yield from pan(2)
            raise OSError("the file ends")

        states = iterate_video(KEY, tiny, frames(), **QUICK)
        assert [next(states).number, next(states).number] == [0, 1]
        with pytest.raises(OSError, match="the file ends"):
            next(states)


@pytest.mark.parametrize("flow", [np.zeros((24, 30, 3)), np.zeros((30, 24, 2)),
                                  np.full((24, 30, 2), np.nan)])  # fmt: skip
def test_a_flow_that_is_none_is_one_line(tiny, flow):
    with pytest.raises(JaxdreamError, match=r"flow has to give finite numbers .* \(24, 30, 2\)"):
        states_of(tiny, pan(2), flow=lambda *_: flow)


def test_a_loop_of_steps_gives_the_same(tiny):
    frames = pan(3, speed=2)
    options = {"steps": 4, "frame_steps": 2}
    one, loop = (images(states_of(tiny, frames, scan=scan, **options)) for scan in (False, True))
    np.testing.assert_allclose(loop[0], one[0], atol=1e-2)
    np.testing.assert_allclose(loop, one, atol=3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"frames_done": -1}, "frames_done must be at least 0, not -1"),
        ({"frames_done": 3}, "carried is missing"),
        ({"seamless": "both"}, "the frames of a video cannot be tiles: leave out --tile"),
        ({"seamless": "sphere"}, "the frames of a video cannot be tiles"),
        ({"frame_steps": 0}, "frame_steps is a whole number from 1"),
        ({"cuts": "x"}, "cuts are auto, none or numbers"),
        ({"objective": "frist"}, "frist"),
        ({"curves": ["objective: first"], "objective": "second"}, "also the objective 'second'"),
        ({"curves": ["objective: frist"]}, "frist"),
        ({"curves": ["zoom: 0.1"]}, "nothing named 'zoom' can have a curve"),
        ({"curves": ["strength: 0 0, 100% 1"]}, "the number of frames is not known"),
        ({"fps": 0}, "fps is a number over 0"),
        ({"frame_count": 0}, "a film has at least 1 frame"),
    ],
)
def test_what_cannot_be_is_said_at_once(tiny, options, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        iterate_video(KEY, tiny, pan(2), **options)
    assert "\n" not in str(error.value)


def test_frames_too_small_for_the_layer_are_one_line(tiny):
    with pytest.raises(JaxdreamError, match="needs at least"):
        states_of(tiny, [np.zeros((1, 1, 3), np.uint8)])


def test_steps_are_not_enlarged_without_limit(tiny, monkeypatch):
    """Where a few pixels are uncovered, much larger steps would leave speckles there."""
    from jaxdream.video import dreamer

    largest = []
    real = dreamer.dream_pictures

    def noting(*arguments, **options):
        largest.append(float(options["step_size"]) * max(mask.max() for mask in options["masks"]))
        return real(*arguments, **options)

    def uncovering(first, _):
        found = np.zeros((*first.shape[:2], 2), np.float32)
        found[:3, :3] = 1000
        return found

    monkeypatch.setattr(dreamer, "dream_pictures", noting)
    states_of(tiny, pan(2), flow=uncovering, steps=20, frame_steps=2, step_size=1.5)
    assert largest == pytest.approx([1.5, 4.5])
