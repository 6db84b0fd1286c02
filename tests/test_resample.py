import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from jaxdream import resize


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_is_scipy_zoom_without_the_black_edge(size, new_size):
    image = np.random.default_rng(0).uniform(0, 255, (*size, 3)).astype(np.float32)
    ratios = (new_size[0] / size[0], new_size[1] / size[1], 1)
    expected = ndimage.zoom(image, ratios, order=1, mode="nearest")
    assert expected.shape[:2] == new_size
    np.testing.assert_allclose(resize(jnp.asarray(image), new_size), expected, atol=1e-3)


@pytest.mark.parametrize("n", [56, 111, 121, 128])
def test_last_row_is_kept_where_scipys_default_zeroes_it(n):
    image = jnp.full((round(n / 1.4), 8, 3), 100.0)
    np.testing.assert_allclose(resize(image, (n, 8)), 100, rtol=1e-6)


def test_leading_axes_and_gradient():
    batch = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 7, 3)), jnp.float32)
    out = resize(batch, (9, 4))
    np.testing.assert_array_equal(out[1], resize(batch[1], (9, 4)))
    # Linear: the gradient of a weighted sum is the transpose, whose own sum is that of the weights.
    gradient = jax.grad(lambda x: resize(x, (9, 4)).sum())(batch)
    np.testing.assert_allclose(gradient.sum(), out.size, rtol=1e-5)
