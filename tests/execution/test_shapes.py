import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.execution.shapes import ExactLayout, PaddedLayout, ShapeBuckets, plan_shapes

sides = st.integers(1, 5000)


def pixels(sizes):
    return sum(height * width for height, width in sizes)


@given(sides, sides)
def test_a_padded_shape_is_not_much_larger_than_the_picture(height, width):
    shape = ShapeBuckets().padded((height, width))
    for side, padded in zip((height, width), shape, strict=True):
        assert side <= padded < max(17, 2 * side)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4))
def test_pictures_of_any_sizes_come_back_from_a_padded_array(sizes):
    random = np.random.default_rng(0)
    pictures = [random.uniform(0, 255, (*size, 3)).astype(np.float32) for size in sizes]
    layout = PaddedLayout((10, 12), tuple(sizes))
    array = layout.put(pictures)
    assert array.shape == (len(sizes), 10, 12, 3)
    for picture, back in zip(pictures, layout.take(array), strict=True):
        np.testing.assert_array_equal(back, picture)
    assert np.asarray(array).sum() == pytest.approx(sum(p.sum() for p in pictures), rel=1e-5)


def test_an_exact_array_is_the_pictures_and_no_view_of_them():
    pictures = list(np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype(np.float32))
    layout = ExactLayout((4, 5), ((4, 5), (4, 5)))
    array = layout.put(pictures)
    assert layout.region() is None
    before = np.array(array)
    pictures[0][:] = 0
    np.testing.assert_array_equal(array, before)


def test_a_region_is_shared_where_all_pictures_have_one_size():
    same = PaddedLayout((8, 8), ((5, 6), (5, 6)), one_size=True).region()
    each = PaddedLayout((8, 8), ((5, 6), (6, 5))).region()
    assert same.size.tolist() == [5, 6]
    assert each.size.tolist() == [[5, 6], [6, 5]]


@pytest.mark.parametrize("seed", range(4))
def test_twenty_photographs_of_any_sizes_share_twenty_shapes(seed):
    sizes = np.random.default_rng(seed).integers(250, 1300, (20, 2)).tolist()
    octaves = [shape for size in sizes for shape in plan_octaves(tuple(size))]
    planned = plan_shapes(map(tuple, sizes))
    used = [planned.padded(shape) for shape in octaves]
    assert len(set(used)) <= 20
    assert set(used) <= set(planned.shapes)
    assert pixels(used) <= 1.3 * pixels(octaves)


def test_no_pictures_need_no_shapes():
    assert plan_shapes([]) == ShapeBuckets()


def test_another_picture_finds_a_planned_shape():
    planned = plan_shapes([(480, 640), (600, 800)])
    assert planned.padded((470, 640)) == planned.padded((480, 640))
    assert planned.padded((2000, 100)) == ShapeBuckets().padded((2000, 100))


def test_many_pictures_are_planned_at_once():
    sizes = np.random.default_rng(0).integers(300, 1500, (1000, 2)).tolist()
    assert 10 < len(plan_shapes(map(tuple, sizes)).shapes) < 50


@given(st.lists(st.tuples(sides, sides), max_size=5))
def test_buckets_as_text_come_back(shapes):
    buckets = ShapeBuckets(tuple(shapes))
    assert ShapeBuckets.from_text(buckets.text()) == buckets


@pytest.mark.parametrize("text", ["384", "384x", "axb", "384x512,5x5", "1x1 ", "-3x4"])
def test_other_text_is_refused(text):
    with pytest.raises(JaxdreamError, match="such as 384x512 512x640"):
        ShapeBuckets.from_text(text)
