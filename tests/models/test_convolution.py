import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdream.models.ops.convolution_kernel import _convolve, convolve


@settings(deadline=None, max_examples=20)
@given(
    side=st.tuples(st.integers(7, 16), st.integers(7, 16)),
    window=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.integers(1, 3),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_gradients_are_those_of_the_plain_convolution(side, window, stride, padding):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, *side, 3)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(*window, 3, 5)), jnp.float32)
    out, pull = jax.vjp(lambda x, k: convolve(x, k, stride, padding), x, kernel)
    plain, pull_plain = jax.vjp(lambda x, k: _convolve(x, k, stride, padding), x, kernel)
    np.testing.assert_array_equal(out, plain)
    cotangent = jnp.asarray(random.normal(size=out.shape), jnp.float32)
    for got, expected in zip(pull(cotangent), pull_plain(cotangent), strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("apply", [_convolve, convolve])
def test_second_derivative(apply):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(1, 9, 9, 3)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(3, 3, 3, 5)), jnp.float32)

    def slope_norm(x):
        return (jax.grad(lambda x: (apply(x, kernel, 2, (1, 1)) ** 3).sum())(x) ** 2).sum()

    step = 1e-2 * np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    slope = float((jax.grad(slope_norm)(x) * step).sum())
    difference = float(slope_norm(x + step) - slope_norm(x - step)) / 2
    assert slope == pytest.approx(difference, rel=2e-2)
