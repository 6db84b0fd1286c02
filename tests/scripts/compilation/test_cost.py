"""What a step does, counted in small programs by hand."""

import pytest

from compilation.cost import step_cost

ROW = 4 * 10  # bytes of f32[10]
MAP = 100 * ROW


def test_kernels_of_a_step_with_those_of_a_loop_in_it(gpu_text):
    # Two fusions, a convolution and a reduction; an addition three times.
    assert step_cost(gpu_text).kernels == 4 + 3


def test_bytes_of_a_step(gpu_text):
    sliced = 3 * ROW  # one row of the map, the other operand, the result
    updated = ROW + 4 + ROW  # the row and its place; the map is changed where it is
    convolution = MAP + MAP // 2
    reduced = MAP + 4 + ROW
    loop = 3 * 2 * ROW
    assert step_cost(gpu_text).hbm_bytes == sliced + updated + convolution + reduced + loop


def test_what_stays_on_the_chip_is_not_counted(tpu_text):
    cost = step_cost(tpu_text)
    assert cost.kernels == 2  # the transfers run beside them
    tiled = 4 * 16 * 128  # of f32[16,100]: rows of 100 lie in tiles of 8x128
    copied, cut, written = tiled, tiled // 2, tiled
    assert cost.hbm_bytes == copied + cut + written


def test_collectives_of_a_step(several_text, gpu_text):
    cost = step_cost(several_text)
    assert cost.collectives == {"collective-permute": 1, "all-reduce": 2}
    assert cost.collective_bytes == 3 * 4 * ROW
    assert step_cost(gpu_text).collectives == {}


def test_a_program_without_a_loop_has_no_steps(gpu_text):
    with pytest.raises(ValueError, match="no loop"):
        step_cost(gpu_text.split("ENTRY")[0].split("%body")[0])
