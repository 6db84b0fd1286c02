import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdream.visualization.transforms import Robustness, View, draw_view, look, random_view

ZERO = np.zeros(2, np.float32)
seen_as = jax.jit(look, static_argnames="pad")


def view(shift=ZERO, scale=1.0, angle=0.0, last_shift=ZERO):
    return View(
        jnp.asarray(shift, jnp.float32),
        jnp.float32(scale),
        jnp.float32(angle),
        jnp.asarray(last_shift, jnp.float32),
    )


@pytest.mark.parametrize(("height", "width", "pad"), [(1, 1, 0), (1, 4, 2), (5, 4, 3)])
def test_the_plain_view_is_the_picture_in_its_grey_border(height, width, pad):
    image = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    seen = seen_as(image, view(), pad=pad)
    padded = np.pad(image, [(pad, pad), (pad, pad), (0, 0)], constant_values=127.5)
    np.testing.assert_allclose(seen, padded, atol=1e-3)


def test_shifts_move_the_picture_and_let_grey_in(picture):
    seen = np.asarray(seen_as(picture, view(shift=(3, -2), last_shift=(1, 0))))
    np.testing.assert_allclose(seen[:-2, 4:], picture[2:, :-4], atol=1e-3)
    np.testing.assert_allclose(seen[:, :4], 127.5, atol=1e-3)
    np.testing.assert_allclose(seen[-2:], 127.5, atol=1e-3)


def test_a_quarter_turn_is_clockwise(picture):
    square = picture[:24, :24]
    seen = seen_as(square, view(angle=np.pi / 2))
    np.testing.assert_allclose(seen, np.rot90(square, -1), atol=0.05)


def test_is_scipys_affine_transform(picture):
    scale, angle, first, last = 1.08, 0.13, np.array([2.0, -1.0]), np.array([-1.0, 3.0])
    seen = seen_as(picture, view(first, scale, angle, last))
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
    np.testing.assert_allclose(seen, np.stack(expected, -1), atol=0.05)


def test_scale_over_one_enlarges():
    image = np.zeros((21, 21, 3), np.float32)
    image[8:13, 8:13] = 255
    assert seen_as(image, view(scale=1.5)).sum() > 2 * image.sum()


def test_views_are_within_their_bounds_and_all_over_them():
    robustness = Robustness(jitter=4.0, scale=0.1, rotate=10.0, last_jitter=2.0)
    keys = jax.random.split(jax.random.key(0), 500)
    views = jax.vmap(draw_view, (0, None))(keys, robustness)
    for shift, most in ((views.shift, 4), (views.last_shift, 2)):
        assert set(np.unique(shift)) == set(range(-most, most + 1))
    assert 0.9 <= views.scale.min() < 0.905
    assert 1.095 < views.scale.max() <= 1.1001
    degrees = np.rad2deg(views.angle)
    assert -10.01 < degrees.min() < -9.5
    assert 9.5 < degrees.max() < 10.01


def test_one_program_serves_all_views(picture):
    traces = []

    @jax.jit
    def see(key, image, robustness):
        traces.append(key)
        return random_view(key, image, robustness=robustness)

    first = see(jax.random.key(0), picture, Robustness(pad=2))
    second = see(jax.random.key(1), picture, Robustness(pad=2, rotate=45.0, jitter=9.0))
    assert first.shape == (picture.shape[0] + 4, picture.shape[1] + 4, 3)
    assert np.abs(np.asarray(first - second)).mean() > 1
    np.testing.assert_array_equal(first, see(jax.random.key(0), picture, Robustness(pad=2)))
    assert len(traces) == 1


def test_gradient_flows_back_through_a_view(picture):
    turned = view(angle=0.2, scale=0.95)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=picture.shape), jnp.float32)
    gradient = jax.grad(lambda image: jnp.sum(seen_as(image, turned) * weights))(picture)
    step = np.random.default_rng(1).normal(size=picture.shape).astype(np.float32)
    # A view is linear in the picture but for the grey around it.
    change = jnp.sum((seen_as(picture + step, turned) - seen_as(picture, turned)) * weights)
    assert float(jnp.sum(gradient * step)) == pytest.approx(float(change), rel=1e-2)
