import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdream.visualization.transforms import (
    RandomTransforms,
    Transform,
    apply_transform,
    draw_transform,
)

ZERO = np.zeros(2, np.float32)
apply = jax.jit(apply_transform, static_argnames="pad")


def transform(shift=ZERO, scale=1.0, angle=0.0, shift_after=ZERO):
    return Transform(
        jnp.asarray(shift, jnp.float32),
        jnp.float32(scale),
        jnp.float32(angle),
        jnp.asarray(shift_after, jnp.float32),
    )


@pytest.mark.parametrize(("height", "width", "pad"), [(1, 1, 0), (1, 4, 2), (5, 4, 3)])
def test_a_transform_that_changes_nothing_gives_the_picture_with_a_grey_border(height, width, pad):
    image = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    moved = apply(image, transform(), pad=pad)
    padded = np.pad(image, [(pad, pad), (pad, pad), (0, 0)], constant_values=127.5)
    np.testing.assert_allclose(moved, padded, atol=1e-3)


def test_shifts_move_the_picture_and_leave_grey(picture):
    moved = np.asarray(apply(picture, transform(shift=(3, -2), shift_after=(1, 0))))
    np.testing.assert_allclose(moved[:-2, 4:], picture[2:, :-4], atol=1e-3)
    np.testing.assert_allclose(moved[:, :4], 127.5, atol=1e-3)
    np.testing.assert_allclose(moved[-2:], 127.5, atol=1e-3)


def test_a_quarter_turn_is_clockwise(picture):
    square = picture[:24, :24]
    moved = apply(square, transform(angle=np.pi / 2))
    np.testing.assert_allclose(moved, np.rot90(square, -1), atol=0.05)


def test_agrees_with_scipys_affine_transform(picture):
    scale, angle, first, last = 1.08, 0.13, np.array([2.0, -1.0]), np.array([-1.0, 3.0])
    moved = apply(picture, transform(first, scale, angle, last))
    # (x, y) forwards: shift, turn and scale about the middle, shift; SciPy wants it backwards.
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2])
    back = np.linalg.inv(turn)
    offset = middle - first - back @ (middle + last)
    expected = [
        ndimage.affine_transform(
            picture[..., c],
            back[::-1, ::-1],
            offset[::-1],
            order=1,
            mode="grid-constant",
            cval=127.5,
        )
        for c in range(3)
    ]
    np.testing.assert_allclose(moved, np.stack(expected, -1), atol=0.05)


def test_scale_over_one_enlarges():
    image = np.zeros((21, 21, 3), np.float32)
    image[8:13, 8:13] = 255
    assert apply(image, transform(scale=1.5)).sum() > 2 * image.sum()


def test_drawn_transforms_fill_their_bounds():
    transforms = RandomTransforms(jitter=4.0, scale=0.1, rotate=10.0, jitter_after=2.0)
    keys = jax.random.split(jax.random.key(0), 500)
    drawn = jax.vmap(draw_transform, (0, None))(keys, transforms)
    for shift, limit in ((drawn.shift, 4), (drawn.shift_after, 2)):
        assert set(np.unique(shift)) == set(range(-limit, limit + 1))
    assert 0.9 <= drawn.scale.min() < 0.905
    assert 1.095 < drawn.scale.max() <= 1.1001
    degrees = np.rad2deg(drawn.angle)
    assert -10.01 < degrees.min() < -9.5
    assert 9.5 < degrees.max() < 10.01


def test_one_program_serves_all_transforms(picture):
    traces = []

    @jax.jit
    def transformed(key, image, transforms):
        traces.append(key)
        return transforms(key, image)

    first = transformed(jax.random.key(0), picture, RandomTransforms(pad=2))
    second = transformed(
        jax.random.key(1), picture, RandomTransforms(pad=2, rotate=45.0, jitter=9.0)
    )
    assert first.shape == (picture.shape[0] + 4, picture.shape[1] + 4, 3)
    assert np.abs(np.asarray(first - second)).mean() > 1
    np.testing.assert_array_equal(
        first, transformed(jax.random.key(0), picture, RandomTransforms(pad=2))
    )
    assert len(traces) == 1


def test_gradient_matches_a_finite_difference(picture):
    turned = transform(angle=0.2, scale=0.95)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=picture.shape), jnp.float32)
    gradient = jax.grad(lambda image: jnp.sum(apply(image, turned) * weights))(picture)
    step = np.random.default_rng(1).normal(size=picture.shape).astype(np.float32)
    # A transform is linear in the picture, except for the grey around it.
    change = jnp.sum((apply(picture + step, turned) - apply(picture, turned)) * weights)
    assert float(jnp.sum(gradient * step)) == pytest.approx(float(change), rel=1e-2)
