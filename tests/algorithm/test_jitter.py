import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream import JaxdreamError, draw_offsets, roll


def test_first_number_rolls_the_width():
    image = jnp.zeros((4, 5, 3)).at[0, 0].set(1)
    rolled = roll(image, jnp.array([2, -1]))
    assert np.argwhere(np.asarray(rolled[..., 0])).tolist() == [[3, 2]]


def test_rolls_back():
    image = jnp.arange(60.0).reshape(4, 5, 3)
    offset = jnp.array([-7, 3])
    np.testing.assert_array_equal(roll(roll(image, offset), -offset), image)


def test_offsets_reach_both_ends_and_repeat():
    offsets = np.asarray(draw_offsets(jax.random.key(0), count=2000, jitter=3))
    assert set(offsets.ravel().tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    np.testing.assert_array_equal(offsets, draw_offsets(jax.random.key(0), count=2000, jitter=3))
    assert not np.array_equal(offsets, draw_offsets(jax.random.key(1), count=2000, jitter=3))


def test_a_jitter_below_0_is_refused():
    with pytest.raises(JaxdreamError, match="jitter must be at least 0 pixels, not -1"):
        draw_offsets(jax.random.key(0), count=1, jitter=-1)
