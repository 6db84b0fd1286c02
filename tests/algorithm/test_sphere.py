"""Pictures of a whole sphere."""

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.algorithm.sphere import latitudes, random_rotation, rotate_sphere

OPTIONS = {"steps": 6, "octaves": 2, "step_size": 4.0, "seamless": "sphere"}


def smooth(height: int) -> np.ndarray:
    """A smooth function of the direction, as a picture."""
    latitude = latitudes(height)[:, None]
    longitude = (np.arange(2 * height) + 0.5) / height * np.pi - np.pi
    x, z = np.cos(latitude) * np.sin(longitude), np.cos(latitude) * np.cos(longitude)
    y = np.broadcast_to(np.sin(latitude), x.shape)
    return np.stack([x, y, z], -1).astype(np.float32)


def test_rotations_are_rotations_of_every_kind():
    rotations = np.stack([random_rotation(np.array([n, 7])) for n in range(400)])
    products = rotations @ rotations.swapaxes(1, 2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-5)
    # The pole goes everywhere alike: the mean of a uniform direction is 0, of its square 1/3.
    poles = rotations[:, :, 1]
    np.testing.assert_allclose(poles.mean(0), 0, atol=0.09)
    np.testing.assert_allclose((poles**2).mean(0), 1 / 3, atol=0.05)
    np.testing.assert_array_equal(random_rotation(np.zeros(2, np.int32)), np.eye(3))


@pytest.mark.parametrize("numbers", [(0, 0), (1, 2), (3, 9), (2**31 - 2, 5)])
def test_what_is_seen_was_in_the_rotated_direction(numbers):
    rotation = np.asarray(random_rotation(np.array(numbers)))
    directions = smooth(48)
    # A picture of the directions themselves: after the rotation each shows where it came from.
    rotated = rotate_sphere(directions, rotation)
    np.testing.assert_allclose(rotated, directions @ rotation.T, atol=0.004)
    back = rotate_sphere(rotated, rotation.T)
    np.testing.assert_allclose(back, directions, atol=0.01)


def test_beyond_the_pole_lies_the_other_side():
    # By a quarter turn the north pole comes to the middle of the picture.
    quarter = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
    sides = np.where(smooth(40)[..., 2:] > 0, 200, 50).astype(np.float32)
    view = np.asarray(rotate_sphere(sides, quarter))[..., 0]
    # Below the pole is one side, above it the other, with the jump in one row.
    assert {round(float(v)) for v in view[15:18, 38:42].ravel()} in ({200}, {50})
    assert {round(float(v)) for v in view[22:25, 38:42].ravel()} in ({200}, {50})
    assert view[16, 40] != view[23, 40]


def dreamed(model, image):
    return np.asarray(jd.dream(jax.random.key(3), model, image, **OPTIONS)) - image


def test_nothing_gathers_at_the_poles_and_the_sides_go_on(tiny):
    image = np.full((40, 80, 3), 128, np.float32)
    image += np.random.default_rng(0).uniform(-20, 20, image.shape).astype(np.float32)
    detail = dreamed(tiny, image)
    strength = np.abs(detail).mean(axis=(1, 2))
    middle = strength[12:28].mean()
    for polar in (strength[:3].mean(), strength[-3:].mean()):
        assert 0.4 * middle < polar < 1.6 * middle
    # A row at the pole is nearly one point, so its detail is nearly one value.
    along = np.abs(np.diff(detail, axis=1)).mean(axis=(1, 2))
    assert max(along[0], along[-1]) < 0.5 * along[12:28].mean()
    across = np.abs(detail[:, 0] - detail[:, -1]).mean()
    assert across < 1.3 * along.mean()


def test_batches_dream_it_as_alone_and_what_cannot_be_is_refused(tiny):
    images = np.random.default_rng(1).uniform(0, 255, (2, 16, 32, 3)).astype(np.float32)
    keys = jax.random.split(jax.random.key(3), 2)
    together = jd.dream_batch(keys, tiny, list(images), **OPTIONS)
    for key, image, dream in zip(keys, images, together, strict=True):
        alone = jd.dream(key, tiny, image, **OPTIONS)
        np.testing.assert_allclose(dream, alone, atol=0.05)
    with pytest.raises(JaxdreamError, match=r"twice as wide as it is high.*30x24 pixels"):
        jd.dream(0, tiny, np.zeros((24, 30, 3), np.float32), **OPTIONS)
    with pytest.raises(JaxdreamError, match="cannot dream a sphere"):
        jd.iterate_zoom(0, tiny, images[0], **OPTIONS)
    with pytest.raises(JaxdreamError, match="rows of a sphere"):
        jd.shard_rows(jax.devices()).check((), jd.DreamSettings(seamless="sphere"))
