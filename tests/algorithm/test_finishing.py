"""What is done to a dream when its last step is taken."""

import jax
import numpy as np
import pytest

from jaxdream import DreamSettings
from jaxdream.algorithm.finishing import Finishing

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@pytest.fixture
def pictures():
    """A picture and a dream, with no value near 0 or 255."""
    random = np.random.default_rng(0)
    picture = random.uniform(100, 150, (9, 11, 3)).astype(np.float32)
    return picture, picture + random.uniform(-20, 30, picture.shape).astype(np.float32)


def chroma(image):
    return image - (image @ LUMA)[..., None]


def test_the_defaults_are_nothing():
    assert Finishing.of(DreamSettings()) is None


def test_colours_are_kept_and_lightness_is_the_dreams(pictures):
    picture, dream = pictures
    finished = Finishing(keep_colours=True)(picture, dream)
    np.testing.assert_allclose(chroma(finished), chroma(picture), atol=1e-3)
    np.testing.assert_allclose(finished @ LUMA, dream @ LUMA, atol=1e-3)


def test_contrast_is_the_pictures(pictures):
    picture, dream = pictures
    luma = Finishing(keep_contrast=True)(picture, 1.5 * dream - 60) @ LUMA
    before = picture @ LUMA
    np.testing.assert_allclose([luma.mean(), luma.std()], [before.mean(), before.std()], rtol=1e-4)


def test_a_strength_is_between_both(pictures):
    picture, dream = pictures
    assert (Finishing(strength=0.0)(picture, dream) == picture).all()
    half = Finishing(strength=0.5)(picture, dream)
    np.testing.assert_allclose(half, (picture + dream) / 2, atol=1e-3)


@pytest.mark.parametrize("options", [{"keep_colours": True}, {"keep_contrast": True}])
def test_outside_of_a_mask_nothing_changes_and_it_does_not_count(pictures, options):
    picture, dream = pictures
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[2:6, 3:8] = 1
    dream = np.where(mask[..., None] > 0, dream, picture)
    finished = Finishing(**options)(picture, dream, mask)
    assert (finished[mask == 0] == picture[mask == 0]).all()
    part = Finishing(**options)(picture[2:6, 3:8], dream[2:6, 3:8])
    np.testing.assert_allclose(finished[2:6, 3:8], part, atol=1e-3)


def test_under_jit_it_is_the_same(pictures):
    finishing = Finishing(keep_colours=True, keep_contrast=True, strength=0.7)
    np.testing.assert_allclose(jax.jit(finishing)(*pictures), finishing(*pictures), atol=1e-3)
