"""Parts of a folder: where they begin depends on the number of pictures, and not on who goes on."""

from pathlib import Path

import numpy as np
import pytest

import jaxdream as jd
from jaxdream.folder.inputs import Input, find_inputs
from jaxdream.units.example_parts import find_in, parts_of, read_part
from jaxdream.units.examples import Pass


def bounds(count, first=0, batch=16):
    found = parts_of([Input(Path("a.png"), "a.png")] * count, first, None, batch=batch)
    return [(part.first, part.first + len(part.inputs)) for part in found]


@pytest.mark.parametrize(("count", "size"), [(5, 16), (1000, 16), (2000, 32), (10**5, 512)])
def test_there_are_many_parts_and_none_is_large(count, size):
    found = bounds(count)
    assert found[0] == (0, min(size, count))
    assert [end for _, end in found[:-1]] == [first for first, _ in found[1:]]
    assert found[-1][1] == count
    assert {end - first for first, end in found[:-1]} <= {size}


def test_a_batch_is_never_cut():
    assert bounds(2000, batch=700) == [(0, 700), (700, 1400), (1400, 2000)]
    assert bounds(2, batch=700) == [(0, 2)]
    assert bounds(0) == []


def test_what_is_left_ends_where_it_would_have():
    whole = bounds(1000)
    assert bounds(1000, first=32) == whole[2:]
    assert bounds(1000, first=40) == [(40, 48), *whole[3:]]


def test_a_part_is_told_batch_by_batch(tiny, folder):
    work = Pass.planned(tiny, "second", jd.ExamplesSettings(size="16", batch=3, top=2))
    inputs = find_inputs([folder])
    (part,) = parts_of(inputs, 0, None, batch=len(inputs))
    assert part.label() == "pictures 1 to 11"
    found = list(find_in(work, part, read_part(work, part)))
    assert [one.read for one in found] == [3, 3, 3, 2]
    assert [one.whole for one in found] == [False, False, False, True]
    assert [one.name for each in found for one in each.failed] == ["broken.png"]
    # Begun by one and ended by another it is the same.
    rest = part._replace(first=6, inputs=inputs[6:], begun=found[1].states)
    *_, last = find_in(work, rest, read_part(work, rest))
    for name, array in found[-1].states["second"].arrays().items():
        np.testing.assert_array_equal(last.states["second"].arrays()[name], array)
