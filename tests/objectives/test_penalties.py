import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.objectives import boundary, l1, layer, total_variation
from jaxdream.objectives.activations import PictureActivations


def test_penalties_of_a_layer():
    acts = {"data": jnp.array([[[1.0], [3.0]], [[0.0], [-1.0]]])}
    assert total_variation()(acts) == (1 + 4) + (2 + 1)
    assert l1("data")(acts) == 5
    assert (layer("data") - 0.5 * l1("data"))(acts) == 5.5 - 2.5
    assert total_variation(mean=True)(acts) == 8 / 4
    assert repr(total_variation("a", mean=True)) == "total_variation(a, mean)"


def of(picture, **options):
    return boundary(**options)(PictureActivations({}, picture=picture))


def test_a_boundary_is_grey_and_smooth():
    assert of(np.full((6, 7, 3), 127.5, np.float32)) == 0
    white = np.full((5, 6, 3), 255.0, np.float32)
    # 18 pixels at the edge, of 3 channels, each half a level of 1 away from grey.
    assert of(white, width=1) == pytest.approx(18 * 3 * 0.8 * 0.25)
    assert of(white, width=1, mean=True) == pytest.approx(3 * 0.8 * 0.25)
    assert of(white, width=20) == pytest.approx(30 * 3 * 0.8 * 0.25)
    inside = np.full((15, 15, 3), 127.5, np.float32)
    inside[7, 7] = 255
    assert of(inside, width=3) == 0


def test_the_blur_is_of_5_by_5_pixels_of_which_the_outer_ones_count_half(picture):
    x = picture[:9, :8].astype(float) / 255
    weights = np.full((5, 5), 0.5)
    weights[1:-1, 1:-1] = 1
    expected = 0.0
    for row, column in np.ndindex(9, 8):
        if min(row, 8 - row, column, 7 - column) >= 2:
            continue
        rows, columns = np.mgrid[row - 2 : row + 3, column - 2 : column + 3]
        there = (rows >= 0) & (rows < 9) & (columns >= 0) & (columns < 8)
        share = weights * there / (weights * there).sum()
        around = x[rows.clip(0, 8), columns.clip(0, 7)]
        blurred = (share[..., None] * around).sum(axis=(0, 1))
        expected += ((blurred - x[row, column]) ** 2).sum()
        expected += 0.8 * ((x[row, column] - 0.5) ** 2).sum()
    assert of(picture[:9, :8], width=2) == pytest.approx(expected, rel=1e-5)


def test_a_boundary_stays_where_it_is_under_jitter(tiny, picture):
    objective = boundary(4)
    still = objective.value(tiny, picture)
    offset = np.array([3, -5], np.int32)
    rolled = jd.roll(picture, offset)
    np.testing.assert_allclose(objective.value(tiny, rolled, offset=offset), still, rtol=1e-5)
    assert abs(float(objective.value(tiny, rolled)) - float(still)) > 0.1
    assert not objective.local
    assert objective.layers == ()


def test_a_dream_without_a_boundary_fades_to_grey(tiny, picture):
    options = {"steps": 30, "octaves": 1, "jitter": 6}
    out = np.asarray(jd.dream(0, tiny, picture, -boundary(4), **options))
    # The blur of what is at the edge sees two pixels more.
    np.testing.assert_array_equal(out[6:-6, 6:-6], picture[6:-6, 6:-6])
    edge = np.abs(out[:, :3] - 127.5).mean()
    assert edge < 0.6 * np.abs(picture[:, :3] - 127.5).mean()


def test_a_picture_is_needed():
    with pytest.raises(jd.JaxdreamError, match=r"boundary\(20\) looks at the picture itself"):
        boundary()({})


def test_gradients_and_vmap(picture):
    both = np.stack([picture, np.full_like(picture, 127.5)])
    gradients = jax.jit(jax.vmap(jax.grad(of)))(jnp.asarray(both))
    assert np.isfinite(gradients).all()
    np.testing.assert_allclose(gradients[1], 0, atol=1e-8)


@pytest.mark.parametrize("width", [0, -1, 2.5, True, 10**7])
def test_a_width_is_a_whole_number(width):
    unchecked = inspect.unwrap(boundary)  # annotations are checked in tests only
    with pytest.raises(jd.JaxdreamError, match=f"the boundary's width is .*, not {width}"):
        unchecked(width)
