import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError, octave_bases, plan_octaves, resize
from jaxdream.algorithm.octaves import check_work


def test_sizes_of_2015():
    assert plan_octaves((575, 1024)) == ((210, 373), (294, 522), (411, 731), (575, 1024))


@given(
    st.tuples(st.integers(10, 3000), st.integers(10, 3000)),
    st.integers(1, 8),
    st.floats(1.01, 4),
    st.integers(1, 10),
)
def test_sizes_grow_to_the_picture_and_stay_over_the_minimum(size, octaves, scale, minimum):
    sizes = plan_octaves(size, octaves=octaves, octave_scale=scale, minimum=minimum)
    assert 1 <= len(sizes) <= octaves
    assert sizes[-1] == size
    assert all(min(s) >= minimum for s in sizes)
    for smaller, larger in itertools.pairwise(sizes):
        assert smaller == tuple(round(n / scale) for n in larger)
    if len(sizes) < octaves:
        assert min(round(n / scale) for n in sizes[0]) < minimum


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"octaves": 0}, "octaves is a whole number from 1 to 100, not 0"),
        ({"octave_scale": 1.0}, "octave_scale is a number over 1"),
        ({"octave_scale": float("nan")}, "octave_scale is a number over 1"),
        ({"minimum": 21}, "the picture is 30x20 pixels and the layer needs at least 21x21"),
    ],
)
def test_bad_settings_say_so(options, message):
    with pytest.raises(JaxdreamError, match=message):
        plan_octaves((20, 30), **options)


def test_a_dream_that_would_take_years_is_refused():
    check_work(((3000, 4000),), 10**6)
    with pytest.raises(JaxdreamError, match=r"1,000,000 steps .* compute 1\.2e\+15 pixels"):
        check_work(((30_000, 40_000),), 10**6)


def test_each_base_is_resampled_from_the_next_larger_one():
    image = jnp.asarray(np.random.default_rng(0).uniform(0, 255, (28, 42, 3)), jnp.float32)
    sizes = plan_octaves((28, 42), octaves=3)
    small, middle, large = octave_bases(image, sizes)
    np.testing.assert_array_equal(large, image)
    np.testing.assert_array_equal(middle, resize(image, sizes[1]))
    np.testing.assert_array_equal(small, resize(middle, sizes[0]))
