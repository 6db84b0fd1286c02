import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.models.ops import LocalResponseNorm


def norm_by_hand(x):
    summed = np.zeros_like(x)
    for c in range(x.shape[-1]):
        summed[..., c] = (x[..., max(c - 2, 0) : c + 3] ** 2).sum(-1)
    return x / (1 + 1e-4 / 5 * summed) ** 0.75


def test_values_follow_the_formula():
    x = np.random.default_rng(0).normal(0, 100, (1, 2, 3, 9)).astype(np.float32)
    out = LocalResponseNorm().apply(jnp.asarray(x))
    np.testing.assert_allclose(out, norm_by_hand(x), rtol=1e-5)


def test_gradient_is_that_of_the_formula():
    random = np.random.default_rng(0)
    x = random.normal(0, 100, (1, 2, 2, 7))
    cotangent = random.normal(size=x.shape)
    _, pull = jax.vjp(LocalResponseNorm().apply, jnp.asarray(x, jnp.float32))
    (gradient,) = pull(jnp.asarray(cotangent, jnp.float32))
    expected = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-3
        difference = norm_by_hand(x + step) - norm_by_hand(x - step)
        expected[place] = (difference * cotangent).sum() / 2e-3
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_bfloat16_stays_bfloat16():
    x = jnp.full((1, 1, 1, 5), 100, jnp.bfloat16)
    assert LocalResponseNorm().apply(x).dtype == jnp.bfloat16
