from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.models.ops import LocalResponseNorm


def norm_by_hand(radius, bias, scale, power, x):
    summed = np.zeros_like(x)
    for c in range(x.shape[-1]):
        summed[..., c] = (x[..., max(c - radius, 0) : c + radius + 1] ** 2).sum(-1)
    return x / (bias + scale * summed) ** power


CAFFE = LocalResponseNorm(), partial(norm_by_hand, 2, 1, 1e-4 / 5, 0.75)
INCEPTION5H = LocalResponseNorm(11, 1e-4, 0.5, 2.0), partial(norm_by_hand, 5, 2, 1e-4, 0.5)
norms = pytest.mark.parametrize(("norm", "by_hand"), [CAFFE, INCEPTION5H])


@norms
def test_values_follow_the_formula(norm, by_hand):
    x = np.random.default_rng(0).normal(0, 100, (1, 2, 3, 19)).astype(np.float32)
    np.testing.assert_allclose(norm.apply(jnp.asarray(x)), by_hand(x), rtol=1e-5)


@norms
def test_gradient_is_that_of_the_formula(norm, by_hand):
    random = np.random.default_rng(0)
    x = random.normal(0, 100, (1, 2, 2, 17))
    cotangent = random.normal(size=x.shape)
    _, pull = jax.vjp(norm.apply, jnp.asarray(x, jnp.float32))
    (gradient,) = pull(jnp.asarray(cotangent, jnp.float32))
    expected = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-3
        difference = by_hand(x + step) - by_hand(x - step)
        expected[place] = (difference * cotangent).sum() / 2e-3
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_bfloat16_stays_bfloat16():
    x = jnp.full((1, 1, 1, 5), 100, jnp.bfloat16)
    assert LocalResponseNorm().apply(x).dtype == jnp.bfloat16
