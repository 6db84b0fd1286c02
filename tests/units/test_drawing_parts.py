"""Parts of units: who is drawn with whom does not depend on what is missing."""

import pytest

import jaxdream as jd
from jaxdream.recipe import provenance
from jaxdream.units.drawing_parts import Drawing, parts_of


@pytest.fixture
def drawing(tiny, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", 2 * 16 * 16)  # two at once
    return Drawing(jd.VisualizeSettings(steps=2), (16, 16), 3, provenance(tiny))


def test_a_part_is_a_batch(tiny, drawing):
    found = parts_of(tiny, "second", range(5), range(5), drawing)
    assert [part.channels for part in found] == [(0, 1), (2, 3), (4,)]
    assert [part.together for part in found] == [2, 2, 2]
    assert [part.label() for part in found][1:] == [
        "channels 2 to 3 of second", "channels 4 to 4 of second",
    ]  # fmt: skip


def test_only_parts_with_something_missing_are_left(tiny, drawing):
    found = parts_of(tiny, "second", range(5), [3, 4], drawing)
    assert [(part.channels, set(part.missing)) for part in found] == [((2, 3), {3}), ((4,), {4})]
    assert parts_of(tiny, "second", range(5), [], drawing) == []
    assert parts_of(tiny, "second", [], [], drawing) == []
