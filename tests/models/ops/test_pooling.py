import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxdream.models.ops import AveragePool, GlobalAveragePool, MaxPool


def max_pool_by_hand(x, op, seed):
    """Caffe's max-pool and its gradient, one window at a time."""
    _, height, width, channels = x.shape
    out_h, out_w = op.output_size((height, width))
    out = np.zeros((1, out_h, out_w, channels))
    gradient = np.zeros(x.shape)
    for i, j, c in np.ndindex(out_h, out_w, channels):
        top, left = i * op.stride - op.padding[0], j * op.stride - op.padding[1]
        best, place = -np.inf, None
        for y in range(max(top, 0), min(top + op.window[0], height)):
            for z in range(max(left, 0), min(left + op.window[1], width)):
                if x[0, y, z, c] > best:
                    best, place = x[0, y, z, c], (y, z)
        out[0, i, j, c] = best
        gradient[0, place[0], place[1], c] += seed[0, i, j, c]
    return out, gradient


@pytest.mark.parametrize(
    "op", [MaxPool((3, 3), 2, ceil=True), MaxPool((3, 3), 1, (1, 1)), MaxPool((3, 3), 2)]
)
@pytest.mark.parametrize("size", [(3, 3), (4, 7), (5, 6), (8, 9)])
def test_max_pool_with_ties(op, size):
    height, width = size
    random = np.random.default_rng(height * 10 + width)
    # Few different values, as after a ReLU: most windows hold ties.
    x = random.integers(0, 3, (1, height, width, 2)).astype(np.float32)
    seed = random.normal(size=jax.eval_shape(op.apply, x).shape).astype(np.float32)

    @jax.jit
    def both(x, seed):
        out, pullback = jax.vjp(op.apply, x)
        return out, pullback(seed)[0]

    out, found = both(x, seed)
    expected, gradient = max_pool_by_hand(x, op, seed)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_allclose(found, gradient, atol=1e-6)


def test_second_derivative_of_max_pool():
    op = MaxPool((3, 3), 2, ceil=True)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 7, 7, 2)), jnp.float32)

    def slope_norm(x):
        return (jax.grad(lambda x: (op.apply(x) ** 2).sum())(x) ** 2).sum()

    # The gradient is 2 * max at each winner: the sum of its squares has slope 8 * max there,
    # times the square of how many windows it wins.
    wins = jax.grad(lambda x: op.apply(x).sum())(x)
    np.testing.assert_allclose(jax.grad(slope_norm)(x), 8 * x * wins**2, rtol=1e-4, atol=1e-5)


def test_second_derivative_of_max_pool_by_differences():
    random = np.random.default_rng(0)
    x, towards = (jnp.asarray(random.normal(size=(1, 7, 9, 2)), jnp.float32) for _ in range(2))

    @jax.jit
    @jax.grad
    def gradient(x):
        return 0.5 * jnp.square(MaxPool((3, 3), 2).apply(x)).sum()

    second = jax.grad(lambda x: (gradient(x) * towards).sum())(x)
    epsilon = 1e-3  # the gradient is linear as long as no maximum changes place
    numeric = (gradient(x + epsilon * towards) - gradient(x - epsilon * towards)) / (2 * epsilon)
    np.testing.assert_allclose(second, numeric, atol=1e-3)


@pytest.mark.parametrize("counts_padding", [True, False])
def test_average_pool(counts_padding):
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype(np.float32)
    window = np.ones((1, 3, 3, 1))
    total = ndimage.convolve(x, window, mode="constant")
    count = 9 if counts_padding else ndimage.convolve(np.ones_like(x), window, mode="constant")
    pooled, pull = jax.vjp(AveragePool(counts_padding).apply, jnp.asarray(x))
    np.testing.assert_allclose(pooled, total / count, atol=1e-6)
    gradient = ndimage.convolve(np.ones_like(x) / count, window, mode="constant")
    np.testing.assert_allclose(pull(jnp.ones_like(pooled))[0], gradient, atol=1e-6)


def test_average_pool_of_valid_values_only():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, :2, :2, 0] = [[1, 2], [3, 6]]
    valid = np.zeros((4, 4, 1), bool)
    valid[:2, :2] = True
    pooled = AveragePool(counts_padding=False).masked_apply(jnp.asarray(x), jnp.asarray(valid))
    np.testing.assert_array_equal(pooled[0, :2, :2, 0], np.full((2, 2), 3))
    assert np.isfinite(pooled).all()


def test_global_average_pool():
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    pooled = GlobalAveragePool().apply(jnp.asarray(x))
    np.testing.assert_allclose(pooled, x.mean((1, 2), keepdims=True))
    valid = np.asarray([[True, True, False], [False, False, False]])[..., None]
    masked = GlobalAveragePool().masked_apply(jnp.asarray(x * valid), jnp.asarray(valid))
    np.testing.assert_allclose(masked, x[:, :1, :2].mean((1, 2), keepdims=True))


def test_global_average_pool_sums_bfloat16_exactly():
    x = jnp.ones((1, 64, 64, 1), jnp.bfloat16)  # a sum in bfloat16 stops at 256
    assert float(GlobalAveragePool().apply(x)[0, 0, 0, 0]) == 1
