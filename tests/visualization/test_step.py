import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.visualization.step import roughness, similarity


def test_similarity_is_the_mean_cosine_of_gram_matrices():
    features = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    grams = [f.reshape(-1, 2).T @ f.reshape(-1, 2) for f in features]
    unit = [gram / np.linalg.norm(gram) for gram in grams]
    cosines = [(unit[i] * unit[j]).sum() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert similarity(jnp.asarray(features)) == pytest.approx(np.mean(cosines), rel=1e-5)


def test_similarity_of_silence_has_a_gradient():
    gradient = jax.grad(similarity)(jnp.zeros((2, 3, 3, 4)))
    assert np.isfinite(gradient).all()


def test_roughness_is_the_sum_of_differences_and_smooth_where_there_are_none():
    image = np.zeros((4, 5, 3), np.float32)
    image[:, 2:] = 100
    assert roughness(jnp.asarray(image)) == pytest.approx(4 * 3 * 99, rel=0.01)
    gradient = jax.grad(roughness)(jnp.asarray(image))
    assert (gradient[:, :1] == 0).all()
    np.testing.assert_allclose(gradient[:, 1], -1, atol=1e-3)
