import IPython.display
import jax
import numpy as np
import pytest

import jaxdream as jd


def test_levels_are_clipped_or_scaled():
    image = np.array([[[-5.0, 100.4, 300.0]]], np.float32)
    np.testing.assert_array_equal(jd.to_uint8(image), [[[0, 100, 255]]])
    wide = np.full((50, 50, 3), 500, np.float32)
    assert set(jd.to_uint8(wide, scaled=True).ravel()) == {255}
    wide[:25] = 250
    assert set(jd.to_uint8(wide, scaled=True).ravel()) == {128, 255}


class Place:
    """What IPython's display gives, remembering what it was shown."""

    def __init__(self, first):
        self.shown = [first]

    def update(self, picture):
        self.shown.append(picture)


@pytest.fixture
def places(monkeypatch):
    places = []

    def display(picture, display_id):
        assert display_id
        places.append(Place(picture))
        return places[-1]

    monkeypatch.setattr(IPython.display, "display", display)
    return places


@pytest.fixture
def states(tiny, picture):
    return jd.iterate_dream(jax.random.key(0), tiny, picture, steps=3, octaves=2, scan=False)


def test_a_dream_changes_in_place(tiny, picture, states, places):
    out = jd.show_dream(states, picture, every=4)
    expected = jd.dream(jax.random.key(0), tiny, picture, steps=3, octaves=2)
    np.testing.assert_allclose(out, expected, atol=1e-3)
    (place,) = places
    assert len(place.shown) == 3  # the first, the fourth, the last
    assert place.shown[-1].size == (30, 24)
    np.testing.assert_array_equal(np.asarray(place.shown[-1]), jd.to_uint8(out))


def test_interrupted_it_keeps_what_it_has(picture, states, places):
    def interrupted():
        yield next(states)
        yield next(states)
        raise KeyboardInterrupt

    out = jd.show_dream(interrupted(), picture, every=5)
    np.testing.assert_array_equal(np.asarray(places[0].shown[-1]), jd.to_uint8(out))


def test_without_states_it_says_so(picture, places):
    with pytest.raises(jd.JaxdreamError, match="no states"):
        jd.show_dream([], picture)
    assert not places
