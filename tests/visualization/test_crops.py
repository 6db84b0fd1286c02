import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.visualization.crops import Crop, RandomCrops, apply_crop, draw_crop

KEY = jax.random.key(0)


def crop_at(middle, side):
    return Crop(jnp.array(middle, jnp.float32), jnp.float32(side))


def test_a_crop_of_its_own_size_is_that_part(picture):
    height, width, _ = picture.shape
    side = 10
    middle = (12 + side / 2) / height, (3 + side / 2) / width
    crop = apply_crop(picture, crop_at(middle, side / min(height, width)), seen=(side, side))
    np.testing.assert_allclose(crop, picture[12:22, 3:13], atol=0.05)


def test_a_crop_beyond_the_edge_is_moved_inside(picture):
    side = 20
    crop = apply_crop(picture, crop_at((-1, 2), side / min(picture.shape[:2])), seen=(side, side))
    np.testing.assert_allclose(crop, picture[:20, -20:], atol=0.05)


def test_what_becomes_smaller_is_averaged():
    stripes = np.zeros((40, 40, 3), np.float32)
    stripes[::2] = 200
    crop = apply_crop(stripes, crop_at((0.5, 0.5), 1), seen=(10, 10))
    np.testing.assert_allclose(crop[2:-2], 100, atol=8)


def test_amounts_are_within_their_bounds():
    crops = RandomCrops(smallest=0.3, largest=0.4)
    drawn = jax.vmap(lambda key: draw_crop(key, crops))(jax.random.split(KEY, 500))
    assert 0.3 <= float(drawn.side.min()) < 0.31
    assert 0.39 < float(drawn.side.max()) <= 0.4
    np.testing.assert_allclose(drawn.middle.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(drawn.middle.std(axis=0), 0.15, atol=0.02)


def test_noise_is_in_levels(picture):
    key = jax.random.key(1)
    plain, noisy = (RandomCrops(noise=noise)(key, picture) for noise in (0.0, 5.0))
    assert plain.shape == (min(picture.shape[:2]),) * 2 + (3,)
    np.testing.assert_allclose(np.std(noisy - plain), 5, rtol=0.05)


@pytest.mark.parametrize(
    ("side", "size", "seen"), [(None, (300, 500), 224), (None, (90, 50), 50), (64, (9, 9), 64)]
)
def test_the_size_that_is_seen(side, size, seen):
    assert RandomCrops(side=side).seen(size) == (seen, seen)


def test_the_gradient_reaches_what_is_seen_and_nothing_else(picture):
    look = jax.grad(lambda image: jnp.sum(apply_crop(image, crop_at((0, 0), 0.5), seen=(8, 8))))
    gradient = np.asarray(look(jnp.asarray(picture)))
    half = min(picture.shape[:2]) // 2
    assert gradient[:half, :half].sum() == pytest.approx(8 * 8 * 3, rel=0.05)
    assert gradient.sum() == pytest.approx(8 * 8 * 3, rel=1e-3)
    assert (gradient[half + 2 :] == 0).all()
