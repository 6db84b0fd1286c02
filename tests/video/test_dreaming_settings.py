"""What a video's dream is asked beside its steps: masks, finishing, curves, gradients."""

import numpy as np
import optax
import pytest
from tiny_network import weights_of
from video.pans import KEY, QUICK, SIZE, STILL, images, pan, states_of, wide

import jaxdream as jd
from jaxdream import JaxdreamError, JaxdreamWarning
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.video.dreaming import iterate_video


class TestMasks:
    def mask(self):
        mask = np.zeros(SIZE, np.float32)
        mask[:, 8:16], mask[:, 16:] = 0.5, 1
        return mask

    def test_pixels_stay_bit_for_bit_where_it_is_0(self, tiny):
        frames = pan(4, speed=2)
        dreams = images(states_of(tiny, frames, masks=self.mask()))
        np.testing.assert_array_equal(dreams[:, :, :8], np.stack(frames)[:, :, :8])
        assert (np.abs(dreams - np.stack(frames))[:, :, 18:].mean((1, 2, 3)) > 0.5).all()

    def test_each_frame_has_its_own(self, tiny):
        frames = pan(4, speed=2)
        masks = [np.roll(self.mask(), 3 * i, axis=0) for i in range(4)]
        masks[2] = np.zeros(SIZE, np.float32)
        dreams = images(states_of(tiny, frames, masks=masks, keep_contrast=True))
        np.testing.assert_array_equal(dreams[2], frames[2])
        for dream, frame, mask in zip(dreams, frames, masks, strict=True):
            np.testing.assert_array_equal(dream[mask == 0], frame[mask == 0])
        assert (dreams[3] != frames[3]).any()

    def test_a_video_may_begin_with_frames_that_are_not_dreamed(self, tiny):
        frames = pan(3, speed=4)
        masks = [np.zeros(SIZE, np.float32), *[np.ones(SIZE, np.float32)] * 2]
        dreams = images(states_of(tiny, frames, masks=masks))
        np.testing.assert_array_equal(dreams[0], frames[0])
        assert np.isfinite(dreams).all()

    def test_what_a_mask_opens_is_dreamed(self, tiny):
        """Also where nothing moves, so that there is no detail to go on from."""
        frame = wide()[:, :30]
        open_, closed = np.ones(SIZE, np.float32), np.ones(SIZE, np.float32)
        closed[:, 15:] = 0
        dreams = images(states_of(tiny, [frame, frame], masks=[closed, open_]))
        detail = np.abs(dreams[1] - frame)
        assert detail[:, 18:].mean() > 0.5 * detail[:, :12].mean()

    def test_too_few_are_one_line(self, tiny):
        frames = pan(3)
        with pytest.raises(JaxdreamError, match="there is no mask for frame 2") as error:
            states_of(tiny, frames, masks=[self.mask()] * 2)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("mask", "says"),
        [
            (np.ones((23, 30), np.float32), r"the mask of frame 1 has the shape \(23, 30\)"),
            (np.full(SIZE, 2.0, np.float32), "the mask of frame 1 has values outside of 0..1"),
            (np.full(SIZE, np.nan, np.float32), "the mask of frame 1 has values outside of 0..1"),
        ],
    )
    def test_one_that_cannot_be_is_said_with_the_number_of_its_frame(self, tiny, mask, says):
        states = iterate_video(KEY, tiny, pan(2), masks=[self.mask(), mask], **QUICK)
        next(states)
        with pytest.raises(JaxdreamError, match=says):
            next(states)


class TestFinishing:
    def test_strength_blends_the_dream_over_the_frame_as_it_came(self, tiny):
        frames = pan(4, speed=2)
        for state, frame in zip(states_of(tiny, frames, strength=0.25), frames, strict=True):
            dream = state.carried.dream
            np.testing.assert_allclose(state.image, frame + 0.25 * (dream - frame), atol=1e-3)

    def test_what_is_carried_is_not_finished(self, tiny):
        frames = pan(3, speed=2)
        plain = states_of(tiny, frames)
        finished = states_of(tiny, frames, strength=0.3, keep_colours=True)
        for one, other in zip(plain, finished, strict=True):
            np.testing.assert_array_equal(one.carried.dream, other.carried.dream)

    def test_colours_are_those_of_the_frame_as_it_came(self, tiny):
        frames = pan(3, speed=2)
        dreams = images(states_of(tiny, frames, keep_colours=True, clip=False))
        inside = (dreams > 0).all(-1) & (dreams < 255).all(-1)
        for dream, frame, kept in zip(dreams, frames, inside, strict=True):
            change = (dream - frame)[kept]
            np.testing.assert_allclose(change, change[:, :1].repeat(3, 1), atol=1e-3)
            assert np.abs(change).mean() > 0.1


class TestCurves:
    def test_a_step_size_that_is_0_leaves_the_frames(self, tiny):
        frames = pan(4, speed=2)
        dreams = images(states_of(tiny, frames, curves=["step_size: 0 0, 2 3 hold"]))
        np.testing.assert_allclose(dreams[:2], frames[:2], atol=1e-3)
        assert np.abs(dreams[2] - frames[2]).mean() > 0.5

    def test_a_frame_has_the_step_size_and_the_strength_of_its_time(self, tiny):
        frames = [wide(i)[:, :30] for i in range(3)]
        curves = ["step_size: 1 + 2*f", "strength: 1 - f/4"]
        dreams = images(states_of(tiny, frames, cuts="1,2", curves=curves))
        for number, frame in enumerate(frames):
            changing = {"step_size": 1.0 + 2 * number, "strength": 1 - number / 4}
            still = jd.dream(KEY, tiny, frame, **STILL | changing)
            np.testing.assert_allclose(dreams[number], still, atol=1e-3)

    def test_an_objective_fades_into_another(self, tiny):
        frames = [wide(i)[:, :30] for i in range(3)]
        dreams = images(
            states_of(tiny, frames, cuts="1,2", curves=["objective: 0 first, 2 second:2"])
        )
        for number, text in ((0, "first"), (2, "second:2")):
            still = jd.dream(KEY, tiny, frames[number], text, **STILL)
            np.testing.assert_allclose(dreams[number], still, atol=1e-2)
        for text in ("first", "second:2"):
            still = np.asarray(jd.dream(KEY, tiny, frames[1], text, **STILL))
            assert np.abs(dreams[1] - still).max() > 0.5


class TestGradients:
    def dead_on_black(self, tiny):
        """A network that does not see black."""
        weights = {
            name: np.abs(values) if name.endswith("kernel") else np.zeros_like(values)
            for name, values in weights_of(tiny).items()
        }
        return GraphNetwork("tiny", tiny.graph, tiny.preprocessing, "second", weights, "no file")

    def test_a_black_frame_is_left_with_a_warning(self, tiny):
        frames = [np.full((*SIZE, 3), 200, np.uint8), np.zeros((*SIZE, 3), np.uint8)]
        frames[0] += np.random.default_rng(0).integers(0, 50, (*SIZE, 3), np.uint8)
        states = iterate_video(
            KEY, self.dead_on_black(tiny), [*frames, frames[0]], cuts="1,2", **QUICK
        )
        first = next(states)
        with pytest.warns(JaxdreamWarning, match="frame 1: the gradient of .* is zero everywhere"):
            black = next(states)
        np.testing.assert_array_equal(black.image, 0)
        np.testing.assert_array_equal(next(states).image, first.image)

    def test_one_that_is_not_finite_is_an_error(self, tiny, picture):
        options = {"optimizer": optax.sgd(1e38), "clip": False, "steps": 3, "octaves": 2}
        states = iterate_video(KEY, tiny, [picture], **options)
        with pytest.raises(JaxdreamError, match=r"frame 0: the gradient of .* is not finite"):
            next(states)


def test_a_first_image_is_needed_to_go_on_with_a_curve_of_the_objective(tiny):
    (state,) = states_of(tiny, pan(1))
    with pytest.raises(JaxdreamError, match="first_image is missing"):
        iterate_video(
            KEY, tiny, pan(1), frames_done=1, carried=state.carried, curves=["objective: first"]
        )
