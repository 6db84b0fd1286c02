"""The student in its two forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distillation import model


@pytest.fixture
def images(pictures):
    return jnp.asarray(pictures.large[:4, :24, :24])


@pytest.fixture
def net(spec):
    return model.random_params(spec, 0)["net"]


def test_the_folded_network_computes_the_same_as_the_trained_one(spec, net, images):
    trained, statistics = model.forward_train(spec, net, images)
    folded = model.forward_folded(spec, model.fold(net, statistics), images)
    for name, value in trained.items():
        np.testing.assert_allclose(folded[name], value, rtol=1e-4, atol=1e-4)


def test_an_exported_network_can_be_trained_further(spec, net, images):
    net = jax.tree.map(lambda leaf: leaf + 0.1, net)
    expected, statistics = model.forward_train(spec, net, images)
    again = model.unfold(spec, model.fold(net, statistics), images)
    found, _ = model.forward_train(spec, again, images)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3)
    assert jax.tree.structure(again) == jax.tree.structure(net)


def test_features_of_the_measured_teacher_have_unit_size(spec, teacher, pictures):
    features = model.teacher_features(spec, teacher, pictures.large[:, :24, :24], None)
    for point in spec.points:
        np.testing.assert_allclose(features[point].mean((0, 1, 2)), 0, atol=1e-4)
        assert float(jnp.square(features[point]).mean()) == pytest.approx(1, rel=1e-3)


def test_large_maps_are_subsampled_and_small_ones_are_not():
    x = jnp.arange(9 * 10).reshape(1, 9, 10, 1)
    np.testing.assert_array_equal(model.subsample(x, jnp.asarray(3)), x[:, 1:8:2, 1::2])
    assert model.subsample(x[:, :7], jnp.asarray(3)).shape == (1, 7, 10, 1)
    assert model.subsample(x, None).shape == x.shape
