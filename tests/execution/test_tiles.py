"""Tiles: each position is owned once, and the sum is the gradient of the whole picture."""

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import jaxdream as jd
from jaxdream.algorithm.jitter import roll
from jaxdream.execution.tiles import TiledGradient, Tiling, lower_tiles, rolled_part
from jaxdream.objectives import layer


@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_every_position_is_owned_by_one_tile_that_has_its_halo(side, length, before, after):
    stride = 8
    length, before, after = length * stride, before * stride, after * stride
    assume(length > before + after)
    tiling = Tiling((length, length), (before, before), (after, after))
    regions = tiling.regions((side, 1))
    owners = np.zeros(side, int)
    for region in regions:
        origin, start, stop = (
            int(value[0]) for value in (region.origin, region.owned_start, region.owned_stop)
        )
        owners[start:stop] += 1
        assert origin % stride == start % stride == 0
        assert origin <= max(start - before, 0)
        assert min(stop + after, side) <= origin + length
    assert (owners == 1).all()
    assert tiling.count((side, 1)) == len(regions)
    assert tiling.extent((side, 1))[0] == int(regions[-1].origin[0]) + length >= min(side, length)


@settings(deadline=None)
@given(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), st.integers(1, 6), st.integers(1, 6))
def test_a_part_of_a_rolled_picture(offset, height, width):
    image = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    padded = np.pad(image, [(0, 2), (0, 3), (0, 0)])
    part = rolled_part(
        padded, np.array(offset), size=np.array([height, width]), origin=np.zeros(2, int),
        shape=(height, width),
    )  # fmt: skip
    np.testing.assert_array_equal(part, roll(image, np.array(offset)))


def tiled(model, objective, tiling, images, offsets):
    count, size = len(images), images.shape[1:3]
    programs = [p.compile() for p in lower_tiles(model, objective, tiling, size, count, None)]
    return TiledGradient(model, objective, tiling, size, None, *programs)(images, offsets)


def near_ties(model, image, objective):
    """Pixels whose gradient a max-pool may move by rounding: two noises of a millionth differ."""
    gradient = jax.jit(jd.objective_and_gradient)
    noise = np.random.default_rng(0).normal(0, 2e-5, (2, *image.shape)).astype(np.float32)
    one, other = (np.asarray(gradient(model, objective, image + n)[1]) for n in noise)
    scale = np.abs(one).max()
    return np.abs(one - other).max(axis=-1) > 2e-5 * scale


@pytest.mark.parametrize("name", ["city.jpg", "dog.jpg", "flowers.jpg"])
def test_googlenets_gradient_is_the_sum_over_tiles(shared, googlenet, name):
    """On a photograph, within 1e-4 of its maximum; two layers with different strides.

    Where two values of a max-pool's window are equal except for rounding, arrays of another size
    may let the other one win: such pixels are found by tiny noise, and are few.
    """
    objective = layer("inception_3b/output") + layer("conv2/3x3")
    assert googlenet.graph.halo(*objective.layers) == ((39, 51), (39, 51))
    tiling = Tiling((192, 224), (56, 56), (56, 56))
    photo = jd.read_image(shared / "photos" / name)[:250, :330]
    value, gradient = jax.jit(jd.objective_and_gradient)(googlenet, objective, photo)
    summed_value, summed = tiled(googlenet, objective, tiling, photo[None], np.zeros((1, 2), int))
    assert float(summed_value[0]) == pytest.approx(float(value), rel=1e-5)
    error = np.abs(summed[0, :250, :330] - gradient).max(axis=-1) / np.abs(gradient).max()
    wrong = error > 1e-4
    assert error.max() < 1e-2
    assert wrong.mean() < 0.005
    assert not (wrong & ~grown(near_ties(googlenet, photo, objective))).any()


def grown(mask, by=48):
    """A mask with its surroundings, as far as a maximum in another place reaches."""
    out = mask.copy()
    for row, column in np.argwhere(mask):
        out[max(0, row - by) : row + by + 1, max(0, column - by) : column + by + 1] = True
    return out
