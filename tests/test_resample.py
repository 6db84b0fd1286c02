import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from jaxdream import JaxdreamError, resize, zoom


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


def test_classic_zoom_is_the_recorded_frame(shared):
    with np.load(shared / "golden" / "zoom_frame.npz") as golden:
        frame, zoomed = golden["input"].astype(np.float32), golden["zoomed"]
    np.testing.assert_allclose(zoom(frame, 0.05, classic=True), zoomed, atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 0.9), st.booleans())
def test_zoom_is_scipys_affine_transform(height, width, amount, classic):
    image = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    offset = [amount * (n if classic else n - 1) / 2 for n in (height, width)]
    expected = ndimage.affine_transform(
        image, [1 - amount, 1 - amount, 1], [*offset, 0], order=1, mode="nearest"
    )
    np.testing.assert_allclose(zoom(image, amount, classic=classic), expected, atol=2e-3)


def test_zoom_keeps_the_middle_and_mirrors():
    image = jnp.asarray(np.random.default_rng(0).uniform(0, 255, (9, 13, 3)), jnp.float32)
    zoomed = zoom(image, 0.3)
    np.testing.assert_allclose(zoomed[4, 6], image[4, 6], rtol=1e-6)
    np.testing.assert_allclose(zoom(image[::-1, ::-1], 0.3), zoomed[::-1, ::-1], atol=1e-3)


@pytest.mark.parametrize("amount", [-0.1, 1.0, float("nan")])
def test_zoom_out_of_range(amount):
    with pytest.raises(JaxdreamError, match="at least 0 and under 1"):
        zoom(jnp.zeros((2, 2, 3)), amount)
