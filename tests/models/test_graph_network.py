import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_network import weights_of

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.regions import full_region
from jaxdream.models.weights import registry
from jaxdream.models.weights.registry import CAFFE


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
    with pytest.raises(JaxdreamError, match="no layer 'seconds': the nearest is second"):
        tiny(tiny.preprocess(picture)[None], layers=("seconds",))


def test_is_a_pytree_whose_leaves_are_its_weights(tiny):
    assert sum(leaf.size for leaf in jax.tree.leaves(tiny)) == 3 * 3 * 3 * 4 + 4 + 3 * 3 * 4 * 5 + 5
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(tiny))


def test_other_weights_of_the_same_network_need_no_new_compilation(tiny, picture):
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


def test_preprocessing_of_each_network(tiny):
    pixel = np.array([[[10.0, 20.0, 30.0]]], np.float32)
    expected = {
        "googlenet": [30 - 104, 20 - 116, 10 - 122],
        "googlenet_mini": [30 - 104, 20 - 117, 10 - 123],
        "inception_v3": [10 / 127.5 - 1, 20 / 127.5 - 1, 30 / 127.5 - 1],
        "inception_v3_gluon": [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224,
                               (30 / 255 - 0.406) / 0.225],
    }  # fmt: skip
    weights = weights_of(tiny)
    for name, values in expected.items():
        preprocessing = registry.record_of(name).preprocessing
        model = GraphNetwork(name, tiny.graph, preprocessing, "second", weights, "")
        seen = model.preprocess(pixel)
        np.testing.assert_allclose(seen[0, 0], values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 30, 3), (1, 24, 30, 1), (1, 24, 30, 4)])
def test_input_of_another_shape_is_refused(tiny, shape):
    with pytest.raises(JaxdreamError, match=r"x has the shape .*give a batch of pictures"):
        tiny(jnp.zeros(shape), layers=("relu",))


def test_layers(tiny):
    assert [(info.name, info.channels, info.stride) for info in tiny.layers()] == [
        ("data", 3, 1), ("first", 4, 1), ("relu", 4, 1), ("pool", 4, 2), ("second", 5, 2)
    ]  # fmt: skip


def test_with_precision(tiny, picture):
    assert tiny.with_precision("float32") is tiny
    half = tiny.with_precision("bfloat16")
    assert half.precision == "bfloat16"
    assert half.with_precision("bfloat16") is half
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(half))
    loaded = GraphNetwork(
        "tiny", tiny.graph, CAFFE, "second", weights_of(tiny), "no file", precision="bfloat16"
    )
    x = tiny.preprocess(picture)[None]
    exact, got, expected = (
        model(x, layers=("second",))["second"] for model in (tiny, half, loaded)
    )
    np.testing.assert_array_equal(got, expected)
    difference = float(jnp.abs(got - exact).max())
    assert 0 < difference < 0.05 * float(jnp.abs(exact).max())


def test_lost_digits_do_not_come_back(tiny):
    with pytest.raises(JaxdreamError, match="load it again with precision='float32'"):
        tiny.with_precision("bfloat16").with_precision("float32")


def test_repr_is_one_line(tiny):
    assert repr(tiny) == "Network('tiny', 297 parameters, float32)"


@pytest.mark.parametrize("region", [None, full_region(jnp.array([40, 50]))])
def test_a_merged_network_has_the_same_activations_and_gradients(region):
    model = jd.load_model("googlenet_mini")
    layers = ("inception_3b/5x5_reduce", "inception_4a/1x1", "inception_4a/output")
    merged = model.merged(layers)
    assert len(merged.params) > len(model.params) - 9
    x = jnp.asarray(np.random.default_rng(0).uniform(-100, 100, (1, 48, 64, 3)), jnp.float32)

    @jax.jit
    def found(network, x):
        def total(x):
            maps = network(x, layers=layers, region=region)
            return sum(jnp.sum(jnp.square(one)) for one in maps.values()), maps

        return jax.grad(total, has_aux=True)(x)

    (gradient, maps), (got_gradient, got) = found(model, x), found(merged, x)
    for name in layers:
        np.testing.assert_allclose(got[name], maps[name], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got_gradient, gradient, rtol=1e-3, atol=1e-3 * abs(gradient).max())
