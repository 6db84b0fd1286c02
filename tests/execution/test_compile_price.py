"""Compiling has a price: on accelerators the octaves of a dream share programs."""

import numpy as np
import pytest
from helpers import photograph

import jaxdream as jd
from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.errors import JaxdreamError
from jaxdream.execution import compile_price
from jaxdream.execution.compile_price import pixels_worth_a_program
from jaxdream.execution.shapes import ShapeBuckets, plan_shapes, shared_shapes

OCTAVES = plan_octaves((575, 1024))


def test_a_program_is_worth_more_pixels_the_fewer_steps_it_makes():
    worth = [pixels_worth_a_program(steps, "tpu") for steps in (1, 10, 100)]
    assert worth == sorted(worth, reverse=True)
    assert pixels_worth_a_program(10, "cpu") == 0


def test_a_default_dream_is_one_program_on_a_tpu_and_on_a_gpu():
    for platform in ("tpu", "gpu"):
        assert shared_shapes(OCTAVES, 10, platform=platform) == ShapeBuckets(((576, 1024),))


def test_many_steps_are_worth_several_programs_on_a_gpu():
    counts = [
        len(shared_shapes(OCTAVES, steps, platform="gpu").shapes) for steps in (10, 1000, 10**5)
    ]
    assert counts == sorted(counts)
    assert counts[-1] == 4


def test_on_a_cpu_sides_are_rounded_up_as_ever():
    assert shared_shapes(OCTAVES, 10, platform="cpu") == ShapeBuckets()


@pytest.fixture
def as_on_a_tpu(monkeypatch):
    monkeypatch.setitem(compile_price._PRICES, "cpu", compile_price._PRICES["tpu"])


@pytest.mark.usefixtures("as_on_a_tpu")
def test_a_dream_with_one_program_is_the_same(tiny):
    image, options = photograph(60, 71), {"steps": 2, "octaves": 3, "objective": "second"}
    states = list(jd.iterate_dream(0, tiny, image, **options))
    assert len({state.layout.shape for state in states}) == 1
    several = jd.dream(0, tiny, image, shapes=ShapeBuckets(), **options)
    np.testing.assert_allclose(states[-1].at_octave, several, atol=0.02)


@pytest.mark.usefixtures("as_on_a_tpu")
def test_a_folder_shares_programs_where_compiling_is_dear():
    sizes = [(400, 600), (480, 640), (600, 400), (300, 300)]
    assert len(plan_shapes(sizes).shapes) == 1
    assert len(plan_shapes(sizes, steps=10**6).shapes) > 4


def test_steps_out_of_range_are_one_line():
    with pytest.raises(JaxdreamError, match="steps"):
        plan_shapes([(40, 50)], steps=0)
