"""Pictures of units: each depends on its own number and objective, and on nothing beside it."""

import numpy as np
import pytest

import jaxdream as jd
from jaxdream import objectives
from jaxdream.units import visualizations
from jaxdream.units.visualizations import visualize_many

SETTINGS = jd.VisualizeSettings(steps=2, transforms=False)


def drawn(model, numbers, objective=lambda number: objectives.channel("second", number)):
    """The pictures by their numbers, and the shares that were told."""
    wanted = [(number, objective(number)) for number in numbers]
    found, shares = {}, []
    for share, pictures in visualize_many(model, wanted, settings=SETTINGS, size=(8, 8), seed=3):
        shares.append(share)
        found |= {number: picture.pixels for number, picture in pictures.items()}
    return found, shares


@pytest.fixture
def two_at_once(monkeypatch):
    monkeypatch.setattr(visualizations, "most_at_once", lambda *_, **__: 2)


@pytest.mark.usefixtures("two_at_once")
def test_the_last_batch_is_filled_up_and_all_are_told_once(tiny):
    found, shares = drawn(tiny, [0, 3, 4])
    assert set(found) == {0, 3, 4}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares[1] == pytest.approx(2 / 3), "two of three"


@pytest.mark.usefixtures("two_at_once")
def test_a_picture_does_not_depend_on_those_made_with_it(tiny):
    together, _ = drawn(tiny, [0, 3])
    others, _ = drawn(tiny, [3, 4])
    np.testing.assert_array_equal(together[3], others[3])
    assert np.abs(together[0] - together[3]).max() > 1


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("two_at_once")
def test_a_dead_unit_keeps_its_noise_without_a_word(tiny):
    dead, _ = drawn(tiny, [0, 3], lambda number: 0.0 * objectives.channel("second", number))
    assert all(np.isfinite(picture).all() for picture in dead.values())
    assert np.abs(dead[0] - dead[3]).max() > 1, "noise of their own"


def test_of_nothing_there_is_no_picture(tiny):
    assert drawn(tiny, []) == ({}, [])
