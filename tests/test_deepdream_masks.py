"""Dreams within a mask, dreams that tile, and what is done when the last step is taken."""

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.execution.shapes import ShapeBuckets

OPTIONS = {"steps": 3, "octaves": 2, "jitter": 4, "step_size": 5.0}


@pytest.fixture
def mask(picture):
    """A rectangle of the picture, and a stripe that is half as strong."""
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[6:16, 8:18], mask[6:16, 18:24] = 1, 0.5
    return mask


@pytest.mark.parametrize("more", [{}, {"optimizer": "adam"}, {"smooth": 1.0, "clip": False}])
def test_outside_of_a_mask_not_a_bit_changes(tiny, picture, mask, more):
    out = np.asarray(jd.dream(0, tiny, picture, mask=mask, **(OPTIONS | more)))
    assert (out[mask == 0] == picture[mask == 0]).all()
    change = np.abs(out - picture).mean(axis=-1)
    assert change[mask == 1].mean() > 1.4 * change[mask == 0.5].mean() > 1


def test_the_step_is_as_long_inside_of_a_small_mask_as_without_one(tiny, picture, mask):
    options = OPTIONS | {"octaves": 1, "steps": 1, "clip": False}
    out = np.asarray(jd.dream(0, tiny, picture, mask=mask, **options))
    # By hand: the gradient is divided by its mean over the mask, and weighed by it.
    whole = np.asarray(jd.dream(0, tiny, picture, **options)) - picture
    shares = mask[..., None]
    by_hand = 5.0 * whole * shares / (np.abs(whole) * shares).sum() * 3 * mask.sum()
    np.testing.assert_allclose(out - picture, by_hand, atol=1e-3)


def test_a_white_mask_is_no_mask(tiny, picture):
    white = np.ones(picture.shape[:2], np.float32)
    np.testing.assert_allclose(
        jd.dream(0, tiny, picture, mask=white, **OPTIONS),
        jd.dream(0, tiny, picture, **OPTIONS), atol=0.01,
    )  # fmt: skip


def test_pictures_of_a_batch_have_their_own_masks(tiny, picture, mask):
    images, masks = [picture, picture[:20, :25]], [mask, 1 - mask[:20, :25]]
    together = jd.dream_batch(0, tiny, images, masks=masks, **OPTIONS)
    for number, (image, own) in enumerate(zip(images, masks, strict=True)):
        key = jax.random.fold_in(jax.random.key(0), number)
        alone = jd.dream(key, tiny, image, mask=own, **OPTIONS)
        np.testing.assert_allclose(together[number], alone, atol=0.02)
    with pytest.raises(jd.JaxdreamError, match="1 masks for 2 pictures"):
        jd.dream_batch(0, tiny, images, masks=masks[:1], **OPTIONS)
    with pytest.raises(jd.JaxdreamError, match="mask 1 has the shape"):
        jd.dream_batch(0, tiny, images, masks=[mask, mask], **OPTIONS)


def test_under_jit_and_in_a_program_of_exact_size_it_is_the_same(tiny, picture, mask):
    traced = jax.jit(lambda image, mask: jd.dream(0, tiny, image, mask=mask, **OPTIONS))
    out = jd.dream(0, tiny, picture, mask=mask, **OPTIONS)
    np.testing.assert_allclose(traced(picture, mask), out, atol=0.02)


def test_tiles_are_masked_too(tiny, monkeypatch):
    random = np.random.default_rng(0)
    image = random.uniform(0, 255, (70, 80, 3)).astype(np.float32)
    mask = np.zeros((70, 80), np.float32)
    mask[10:50, 20:70] = 1
    options = {"steps": 2, "octaves": 1, "jitter": 5}
    whole = np.asarray(jd.dream(0, tiny, image, mask=mask, **options))
    monkeypatch.setattr("jaxdream.execution.planner.fits", lambda *_: False)
    monkeypatch.setattr("jaxdream.execution.planner.bytes_per_pixel", lambda _: 1e5)
    tiled = list(jd.iterate_dream(0, tiny, image, mask=mask, memory=10**12, **options))[-1]
    np.testing.assert_allclose(tiled.at_octave, whole, atol=0.05)
    assert (np.asarray(tiled.at_octave)[mask == 0] == image[mask == 0]).all()


def test_a_preview_is_masked_as_well(tiny, picture, mask):
    state = next(iter(jd.iterate_dream(0, tiny, picture, mask=mask, **OPTIONS)))
    preview = np.asarray(state.at_full_size(picture))
    assert (preview[mask == 0] == picture[mask == 0]).all()
    assert (preview != picture).any()


@pytest.mark.parametrize("seamless", ["x", "y", "both"])
def test_a_dream_that_tiles_goes_on_across_its_edge(tiny, seamless):
    y, x = np.mgrid[:48, :64]
    waves = 128 + 50 * np.sin(2 * np.pi * x / 64) * np.cos(2 * np.pi * y / 48)
    image = np.repeat(waves[..., None], 3, axis=-1).astype(np.float32)
    out = np.asarray(jd.dream(0, tiny, image, seamless=seamless, **(OPTIONS | {"octaves": 3})))
    for axis in {"x": [1], "y": [0], "both": [0, 1]}[seamless]:
        jumps = np.abs(np.diff(out, axis=axis)).mean(axis=(1 - axis, 2))
        edge = np.abs(np.take(out, 0, axis=axis) - np.take(out, -1, axis=axis)).mean()
        assert edge < 1.3 * jumps.max()


def test_a_mask_and_a_tile_do_not_go_together(tiny, picture, mask):
    with pytest.raises(jd.JaxdreamError, match="a mask cannot be combined with --tile"):
        jd.dream(0, tiny, picture, mask=mask, seamless="x", **OPTIONS)


def test_the_last_state_is_finished_and_the_others_show_it(tiny, picture):
    options = OPTIONS | {"strength": 0.5, "shapes": ShapeBuckets()}
    states = list(jd.iterate_dream(0, tiny, picture, **options))
    plain = list(jd.iterate_dream(0, tiny, picture, **(options | {"strength": 1.0})))
    half = (np.asarray(plain[-1].at_octave) + picture) / 2
    np.testing.assert_allclose(states[-1].at_octave, half, atol=1e-3)
    np.testing.assert_allclose(states[-1].at_full_size(picture), half, atol=1e-3)
    before = (np.asarray(plain[0].at_full_size(picture)) + picture) / 2
    np.testing.assert_allclose(states[0].at_full_size(picture), before, atol=1e-3)
