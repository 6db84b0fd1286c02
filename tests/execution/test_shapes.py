import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.execution.shapes import Canvases, plan_canvases

sides = st.integers(1, 5000)


def pixels(sizes):
    return sum(height * width for height, width in sizes)


@given(sides, sides)
def test_a_canvas_has_room_and_not_much_more(height, width):
    canvas = Canvases().canvas((height, width))
    assert canvas.size == (height, width)
    for side, room in zip(canvas.size, canvas.shape, strict=True):
        assert side <= room < max(17, 2 * side)


def test_a_picture_comes_back_from_its_canvas():
    picture = np.random.default_rng(0).uniform(0, 255, (2, 20, 33, 3)).astype(np.float32)
    canvas = Canvases().canvas((20, 33))
    array = canvas.put(picture)
    assert array.shape == (2, 32, 48, 3)
    np.testing.assert_array_equal(canvas.take(array), picture)


@pytest.mark.parametrize("seed", range(8))
def test_twenty_photographs_of_any_sizes_share_twenty_canvases(seed):
    sizes = np.random.default_rng(seed).integers(250, 1300, (20, 2)).tolist()
    octaves = [shape for size in sizes for shape in plan_octaves(tuple(size))]
    planned = plan_canvases(map(tuple, sizes))
    used = [planned.canvas(shape).shape for shape in octaves]
    assert len(set(used)) <= 20
    assert set(used) <= set(planned.shapes)
    assert pixels(used) <= 1.3 * pixels(octaves)


def test_no_pictures_need_no_canvases():
    assert plan_canvases([]) == Canvases()


def test_another_picture_finds_a_planned_canvas():
    planned = plan_canvases([(480, 640), (600, 800)])
    assert planned.canvas((470, 640)) == planned.canvas((480, 640))._replace(size=(470, 640))
    assert planned.canvas((2000, 100)).shape == Canvases().canvas((2000, 100)).shape


def test_many_pictures_are_planned_at_once():
    sizes = np.random.default_rng(0).integers(300, 1500, (1000, 2)).tolist()
    assert 10 < len(plan_canvases(map(tuple, sizes)).shapes) < 50


@given(st.lists(st.tuples(sides, sides), max_size=5))
def test_canvases_as_text_come_back(shapes):
    canvases = Canvases(tuple(shapes))
    assert Canvases.from_text(canvases.text()) == canvases


@pytest.mark.parametrize("text", ["384", "384x", "axb", "384x512,5x5", "1x1 ", "-3x4"])
def test_other_text_is_no_canvases(text):
    with pytest.raises(JaxdreamError, match="such as 384x512 512x640"):
        Canvases.from_text(text)


def test_only_the_canvases_that_some_sizes_use():
    canvases = Canvases(((100, 100), (200, 200), (300, 300)))
    assert canvases.only([(90, 150), (80, 20)]) == Canvases(((100, 100), (200, 200)))
