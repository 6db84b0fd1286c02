import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.models.ops import Add, Concat, Identity, Relu, Softmax


def test_relu_passes_no_gradient_at_zero():
    x = jnp.asarray([-1.0, 0.0, 2.0])
    out, pull = jax.vjp(Relu().apply, x)
    np.testing.assert_array_equal(out, [0, 0, 2])
    np.testing.assert_array_equal(pull(jnp.asarray([3.0, 4.0, 5.0]))[0], [0, 0, 5])


def test_relu_keeps_one_byte_a_value_for_its_gradient():
    _, pull = jax.vjp(Relu().apply, jnp.ones((4, 4)))
    assert {leaf.dtype for leaf in jax.tree.leaves(pull)} == {jnp.dtype(bool)}


def test_concat_is_along_the_channels():
    ones, twos = jnp.ones((1, 2, 2, 1)), 2 * jnp.ones((1, 2, 2, 2))
    out = Concat().apply(ones, twos)
    assert Concat().output_channels(1, 2) == out.shape[-1] == 3
    np.testing.assert_array_equal(out[0, 0, 0], [1, 2, 2])


def test_identity_is_its_input():
    x = jnp.ones((1, 2, 2, 1))
    assert Identity().apply(x) is x


def test_softmax_by_the_formula():
    x = np.asarray([[1.0, 2.0, 4.0]], np.float32)
    expected = np.exp(x) / np.exp(x).sum()
    np.testing.assert_allclose(Softmax().apply(jnp.asarray(x)), expected, rtol=1e-6)


def test_add_scales_its_branch():
    x, y = jnp.asarray([1.0, 2.0]), jnp.asarray([10.0, -20.0])
    np.testing.assert_allclose(Add().apply(x, y), [11, -18])
    np.testing.assert_allclose(Add(0.1).apply(x, y), [2, 0], atol=1e-6)
    assert Add().nonnegative(True, True)
    assert not Add().nonnegative(True, False)
