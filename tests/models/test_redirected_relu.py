import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.models.redirected_relu import redirected_activations, redirected_relu


def gradient(x, cotangent):
    return jax.vjp(redirected_relu, jnp.float32(x))[1](jnp.float32(cotangent))[0]


def test_it_is_a_relu_where_a_gradient_passes():
    x = [-1.0, 0.0, 2.0, -3.0]
    np.testing.assert_array_equal(redirected_relu(jnp.float32(x)), [0, 0, 2, 0])
    np.testing.assert_array_equal(gradient(x, [1, 1, -2, 5]), [0, 0, -2, 0])


def test_without_a_gradient_it_passes_what_would_raise_its_input():
    np.testing.assert_array_equal(gradient([-1, -2, 0], [3, -1, 2]), [3, 0, 2])


def test_each_picture_of_a_batch_is_redirected_by_itself():
    x = jnp.float32([[-1, 1], [-1, -1]])
    _, pull_back = jax.vjp(jax.vmap(redirected_relu), x)
    np.testing.assert_array_equal(pull_back(jnp.ones((2, 2)))[0], [[0, 1], [1, 1]])


def test_activations_are_those_of_the_network(tiny, picture):
    x = tiny.preprocess(picture)[None]
    own = tiny(x, layers=("relu", "alias"))
    redirected = redirected_activations(tiny, x, ("relu", "alias"))
    for name, values in own.items():
        np.testing.assert_allclose(redirected[name], values, rtol=1e-6)
