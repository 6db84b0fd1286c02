from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream.curves.easing import KEY_EASINGS, ease
from jaxdream.settings import EASINGS


def test_every_easing_of_a_zoom_is_one_of_a_key():
    assert (*EASINGS, "hold") == KEY_EASINGS


@pytest.mark.parametrize("easing", KEY_EASINGS)
@given(
    shares=st.lists(st.fractions(0, 1, max_denominator=1000), min_size=2, max_size=2).map(sorted)
)
def test_easings_rise_from_0_to_1_in_exact_fractions(easing, shares):
    assert ease(easing, Fraction(0)) == 0
    assert ease(easing, Fraction(1)) == 1
    before, after = (ease(easing, share) for share in shares)
    assert isinstance(after, Fraction)
    assert 0 <= before <= after <= 1
    assert ease(easing, float(shares[1])) == pytest.approx(float(after))


def test_hold_moves_at_the_end():
    assert [ease("hold", share) for share in (0.0, 0.5, 0.999, 1.0)] == [0, 0, 0, 1]
