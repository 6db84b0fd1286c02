import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.units import buckets

SHARES = np.array([0.001, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0])


def counted(values):
    found = np.asarray(buckets.bucket_of(jnp.asarray(values, jnp.float32)))
    return np.bincount(found, minlength=buckets.COUNT)[None].astype(np.int64)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e4])
def test_quantiles_are_within_the_stated_error(spread):
    values = (spread * np.random.default_rng(0).normal(size=10_001)).astype(np.float32)
    found = buckets.quantiles(counted(values), SHARES)[0]
    exact = np.quantile(values, SHARES, method="inverted_cdf")
    assert (np.abs(found - exact) <= np.abs(exact) * buckets.RELATIVE_ERROR * 1.0001).all()


def test_buckets_are_in_the_order_of_the_numbers():
    values = np.array([-1e30, -3, -1, -0.99, -1e-9, 0, 1e-9, 0.99, 1, 3, 1e30, np.inf], np.float32)
    found = np.asarray(buckets.bucket_of(jnp.asarray(values)))
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] == buckets.COUNT - 1
    assert (found[4:7] == buckets.COUNT // 2).all()


def test_without_numbers_there_are_no_quantiles():
    assert np.isnan(buckets.quantiles(np.zeros((2, buckets.COUNT), np.int64), SHARES)).all()
