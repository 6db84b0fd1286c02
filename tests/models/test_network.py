import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from jaxdream import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.models.ops import AveragePool, LocalResponseNorm
from jaxdream.models.weights import registry


def test_activations_by_the_names_asked_for(tiny, picture):
    x = tiny.preprocess(picture)[None]
    acts = tiny(x, layers=("alias", "relu", "data"))
    assert list(acts) == ["alias", "relu", "data"]
    assert acts["alias"].shape == (1, 12, 15, 5)
    np.testing.assert_array_equal(acts["data"], x)
    assert float(acts["relu"].min()) == 0


def test_computes_no_further_than_needed(tiny, picture):
    x = tiny.preprocess(picture)[None]
    traced = str(jax.make_jaxpr(lambda x: tiny(x, layers=("relu",)))(x))
    assert traced.count("conv_general_dilated") == 1


def test_unknown_layer(tiny, picture):
    with pytest.raises(JaxdreamError, match="no layer 'seconds': the nearest are second"):
        tiny(tiny.preprocess(picture)[None], layers=("seconds",))


def test_is_a_pytree_whose_leaves_are_its_weights(tiny):
    assert sum(leaf.size for leaf in jax.tree.leaves(tiny)) == 3 * 3 * 3 * 4 + 4 + 3 * 3 * 4 * 5 + 5
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(tiny))


def test_other_weights_of_the_same_network_do_not_compile_anew(tiny, picture):
    traces = []

    @jax.jit
    def run(model, x):
        traces.append(model)
        return model(x, layers=("second",))["second"].sum()

    x = tiny.preprocess(picture)[None]
    first = run(tiny, x)
    second = run(jax.tree.map(lambda w: 2 * w, tiny), x)
    assert first != second
    assert len(traces) == 1


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_deprocess_inverts_preprocess(tiny, seed):
    levels = np.random.default_rng(seed).integers(0, 256, (5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(tiny.deprocess(tiny.preprocess(levels)), levels)
    for pixels in (registry.MINUS_ONE_TO_ONE, registry.IMAGENET):
        weights = {
            f"{scope}/{part}": getattr(layer, part)[...]
            for scope, layer in tiny.layers.items()
            for part in ("kernel", "bias")
        }
        model = Network("other", tiny.graph, pixels, "second", weights, "")
        np.testing.assert_allclose(model.deprocess(model.preprocess(levels)), levels, atol=1e-4)


def test_what_each_network_sees():
    pixel = np.array([[[10.0, 20.0, 30.0]]], np.float32)
    expected = {
        "googlenet": [30 - 104, 20 - 116, 10 - 122],
        "googlenet_mini": [30 - 104, 20 - 117, 10 - 123],
        "inception_v3": [10 / 127.5 - 1, 20 / 127.5 - 1, 30 / 127.5 - 1],
        "inception_v3_gluon": [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224,
                               (30 / 255 - 0.406) / 0.225],
    }  # fmt: skip
    for name, values in expected.items():
        pixels = registry.record_of(name).pixels
        seen = Network.preprocess(_Sees(pixels), pixel)  # type: ignore[arg-type]
        np.testing.assert_allclose(seen[0, 0], values, rtol=1e-5, atol=1e-6)


class _Sees:
    """As much of a network as ``preprocess`` reads."""

    _pixel_mean = Network._pixel_mean
    _pixel_scale = Network._pixel_scale

    def __init__(self, pixels):
        self.pixels = pixels


def test_local_response_norm_by_the_formula():
    x = np.random.default_rng(0).normal(0, 100, (1, 2, 3, 9)).astype(np.float32)
    summed = np.zeros_like(x)
    for c in range(9):
        summed[..., c] = (x[..., max(c - 2, 0) : c + 3] ** 2).sum(-1)
    expected = x / (1 + 1e-4 / 5 * summed) ** 0.75
    np.testing.assert_allclose(LocalResponseNorm().apply(jnp.asarray(x)), expected, rtol=1e-5)


@pytest.mark.parametrize("counts_padding", [True, False])
def test_average_pool(counts_padding):
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype(np.float32)
    window = np.ones((1, 3, 3, 1))
    total = ndimage.convolve(x, window, mode="constant")
    count = 9 if counts_padding else ndimage.convolve(np.ones_like(x), window, mode="constant")
    pooled = AveragePool(counts_padding).apply(jnp.asarray(x))
    np.testing.assert_allclose(pooled, total / count, atol=1e-6)
