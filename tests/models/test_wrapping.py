import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from own_networks import LinenNet, OwnNet, own_net, token_network, token_params

import jaxdream as jd
from jaxdream import JaxdreamError, Preprocessing

X = np.random.default_rng(0).uniform(0, 1, (2, 10, 12, 3)).astype(np.float32)


def names(model):
    return [info.name for info in model.layers()]


def called(net, x):
    """The output of a module that sows."""
    return nnx.capture(net, nnx.Intermediate)(x)[0]


def double(x):
    return {"small": x[:, ::2, ::2], "double": 2 * x}


def test_the_outputs_of_all_submodules_in_the_order_of_computation():
    model = jd.wrap(own_net())
    of_a_block = ["first", "norm", "relu", "drop", "second", "second.2"]
    found = names(model)
    assert found[0] == "data"
    assert found[-4:] == ["blocks/1", "features", "head", "output"]
    for number in (0, 1):
        inside = [name for name in found if name.startswith(f"blocks/{number}/")]
        assert sorted(inside) == sorted(f"blocks/{number}/{name}" for name in of_a_block)
        order = [inside.index(f"blocks/{number}/{name}") for name in ("first", "norm", "second.2")]
        assert order == sorted(order)
    assert model.default_layer == "features"
    assert model.name == "OwnNet"


def test_activations_of_a_module():
    net = own_net()
    activations = jd.wrap(net)(X, layers=("blocks/0", "blocks/0/relu", "features", "logits"))
    block = net.blocks[0]
    relu = nnx.relu(block.norm(block.first(X)))
    np.testing.assert_allclose(activations["blocks/0/relu"], relu, atol=1e-5)
    np.testing.assert_allclose(activations["blocks/0"], called(block, X), atol=1e-5)
    np.testing.assert_allclose(
        activations["features"], nnx.capture(net.features, nnx.Intermediate)(X)[0], atol=1e-5
    )
    np.testing.assert_allclose(activations["logits"], called(net, X), atol=1e-5)


def test_a_module_in_training_mode_is_evaluated_and_stays_in_it():
    net = OwnNet()
    with pytest.warns(jd.JaxdreamWarning, match="OwnNet is in training mode"):
        model = jd.wrap(net)
    kept = nnx.Any(nnx.Param, nnx.BatchStat, nnx.RngCount)
    before = jax.tree.map(np.array, nnx.state(net, kept))
    got = model(X, layers=("logits",))["logits"]
    np.testing.assert_allclose(got, called(own_net(), X), atol=1e-5)
    assert not net.blocks[0].drop.deterministic
    assert not net.blocks[0].norm.use_running_average
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(net, kept))


def test_a_module_whose_call_takes_the_mode():
    class Switched(nnx.Module):
        def __init__(self):
            self.drop = nnx.Dropout(0.5, deterministic=True, rngs=nnx.Rngs(0))

        def __call__(self, x, *, training=True):
            return self.drop(x, deterministic=not training)

    np.testing.assert_array_equal(jd.wrap(Switched())(X, layers=("drop",))["drop"], X)


def test_a_single_name_is_one_layer():
    assert names(jd.wrap(own_net(), layers="blocks/1")) == ["data", "blocks/1"]
    one = jd.wrap(lambda x: x + 1, layers="one_more")
    assert names(one) == ["data", "one_more"]


def test_linen():
    net = LinenNet()
    variables = net.init(jax.random.key(0), X, train=False)
    model = jd.wrap(net, variables=variables)
    assert names(model) == ["data", "zeroth", "Dropout_0", "dropped", "dense", "output"]
    activations = model(X, layers=("zeroth", "dropped", "logits"))
    np.testing.assert_allclose(activations["dropped"], nnx.relu(activations["zeroth"]), atol=1e-6)
    expected = net.apply(variables, X, train=False)
    np.testing.assert_allclose(activations["logits"], expected, atol=1e-5)
    assert len(jax.tree.leaves(model)) == 4
    with pytest.raises(JaxdreamError, match="LinenNet is a Linen module: give its arrays as well"):
        jd.wrap(net)


def test_a_function_gives_the_layers_in_its_order():
    model = jd.wrap(double)
    assert names(model) == ["data", "small", "double"]
    assert model.default_layer == "double"
    assert model.name == "double"
    np.testing.assert_array_equal(model(X, layers=("double",))["double"], 2 * X)


def test_a_function_that_gives_one_array():
    vector = jd.wrap(lambda x: x.mean(axis=(1, 2)))
    assert names(vector) == ["data", "output"]
    assert vector(X, layers=("logits",))["logits"].shape == (2, 3)
    named = jd.wrap(lambda x: x + 1, layers=("one_more",), name="more")
    assert (names(named), named.name) == (["data", "one_more"], "more")


def test_arrays_can_be_variables_closed_over_or_of_a_callable_pytree():
    params = token_params()
    given = jd.wrap(token_network, variables=params, size=12)
    bound = jd.wrap(jax.tree_util.Partial(token_network, params), size=12)
    closed = jd.wrap(partial(token_network, params), size=12, name="closed")
    x = np.random.default_rng(1).uniform(0, 1, (1, 12, 12, 3)).astype(np.float32)
    expected = token_network(params, x)["mixed"]
    for model, leaves in ((given, 2), (bound, 2), (closed, 0)):
        np.testing.assert_allclose(model(x, layers=("mixed",))["mixed"], expected, atol=1e-5)
        assert len(jax.tree.leaves(model)) == leaves
    others = jax.tree.map(lambda array: array + 1, params)
    changed = jd.wrap(partial(token_network, others), size=12)
    assert given.weights_sha256 == bound.weights_sha256
    assert len({given.weights_sha256, changed.weights_sha256}) == 2
    assert closed.weights_sha256 != changed.weights_sha256


def test_variables_may_hold_what_is_no_array():
    def scaled(variables, x):
        return {"scaled": variables["function"](x) * variables["scale"]}

    model = jd.wrap(scaled, variables={"scale": np.float32([2]), "function": jnp.negative})
    np.testing.assert_array_equal(model(X, layers=("scaled",))["scaled"], -2 * X)
    assert len(jax.tree.leaves(model)) == 1


def test_the_hash_is_of_the_weights_and_not_of_what_training_draws():
    net = OwnNet()
    net.eval()
    before = jd.wrap(net).weights_sha256
    assert jd.wrap(own_net()).weights_sha256 == before
    net.blocks[0].drop(X, deterministic=False)
    assert jd.wrap(net).weights_sha256 == before
    net.head.bias[...] = jnp.ones(4)
    assert jd.wrap(net).weights_sha256 != before


class Several(nnx.Module):
    """A head whose output is a tuple, in a module whose output is a dictionary."""

    class Head(nnx.Module):
        def __call__(self, x):
            return x.mean(axis=(1, 2)), 2 * x

    def __init__(self):
        self.head = self.Head()

    def __call__(self, x):
        pooled, doubled = self.head(x)
        return {"pooled": pooled, "maps": [x + 1, doubled], "count": 3}


def test_the_parts_of_an_output_are_layers():
    model = jd.wrap(Several())
    parts = ["output/maps/0", "output/maps/1", "output/pooled"]
    assert sorted(names(model)) == ["data", "head/0", "head/1", *parts]
    np.testing.assert_allclose(model(X, layers=(parts[0],))[parts[0]], X + 1)

    class OfLinen(linen.Module):
        @linen.compact
        def __call__(self, x):
            return {"maps": linen.Conv(4, (1, 1), name="conv")(x)}

    net = OfLinen()
    model = jd.wrap(net, variables=net.init(jax.random.key(0), X))
    assert names(model) == ["data", "conv", "output/maps"]


def test_some_layers_and_another_default():
    model = jd.wrap(own_net(), layers=("blocks/1", "blocks/0"), default_layer="blocks/1")
    assert names(model) == ["data", "blocks/1", "blocks/0"]
    assert model.default_layer == "blocks/1"
    with pytest.raises(JaxdreamError, match="no layer 'blocks/2': the nearest are blocks/"):
        jd.wrap(own_net(), layers=("blocks/2",))
    with pytest.raises(JaxdreamError, match="no layer 'head'"):
        jd.wrap(own_net(), layers=("blocks/1",), default_layer="head")


def without_checks(network, **options):
    """``wrap`` as users call it: annotations are checked in tests only."""
    return inspect.unwrap(jd.wrap)(network, **options)


@pytest.mark.parametrize("pixels", ["RGB", (0.5, 0.5, 0.5), (0, 1), {"mean": 0}, lambda x: x / 255])
def test_pixels_are_a_preprocessing(pixels):
    with pytest.raises(JaxdreamError, match=r"pixels is a Preprocessing, such as .*, and not "):
        without_checks(double, pixels=pixels)


@pytest.mark.parametrize("size", ["24", 0, -3, (24,), (24, 0), (24, 24, 3), 24.0, (12.5, 12)])
def test_a_size_is_of_pixels(size):
    with pytest.raises(JaxdreamError, match=r"size is a side or \(height, width\) in pixels"):
        without_checks(double, size=size)


def test_pixels():
    image = np.array([[[0.0, 51.0, 255.0]]], np.float32)
    seen = {
        None: [0, 0.2, 1],
        Preprocessing.of_unit_pixels((0.5, 0.5, 0.5), (0.5, 0.5, 0.25)): [-1, -0.6, 2],
        Preprocessing("BGR", (5, 1, 0)): [250, 50, 0],
    }
    for pixels, expected in seen.items():
        model = jd.wrap(double, pixels=pixels)
        np.testing.assert_allclose(model.preprocess(image)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (3, {}, "of type int cannot be wrapped, since it cannot be called: give a Flax"),
        (lambda _: {"a": 1.0}, {}, "gives a float for the layer 'a'"),
        (
            lambda x: {"a": x[0]},
            {},
            r"'a' is float32 of the shape \(224, 224, 3\) for a batch of 2",
        ),
        (lambda x: {"a": x > 0}, {}, "'a' is bool of the shape"),
        (lambda _: {}, {}, "no layers whose activations"),
        (lambda x: x @ x, {"size": 8}, r"fails on pictures of 8x8 pixels \(.*: TypeError: "),
        (
            lambda x: x.reshape(len(x), 4, 5, 3),
            {},
            r"of 224x224 pixels \(given as \(n, 224, 224, 3\); if it takes one size only",
        ),
        (
            lambda x: jax.lax.conv(x, np.ones((4, 3, 1, 1), np.float32), (1, 1), "SAME"),
            {"size": 8},
            r"fails on pictures of 8x8 pixels \(given as \(n, 8, 8, 3\)\): ",
        ),
        (nnx.Conv, {}, "Conv is a class: make a module of it"),
        (LinenNet(), {"variables": {"zeroth": {}}}, r"what init gave, .*, and not \['zeroth'\]"),
        (double, {"layers": ()}, "no layers whose activations"),
        (own_net(), {"variables": {}}, "OwnNet is an NNX module, which has its arrays"),
    ],
)
def test_what_cannot_be_wrapped(network, options, message):
    with pytest.raises(JaxdreamError, match=message) as raised:
        jd.wrap(network, **options)
    assert "\n" not in str(raised.value)


def test_one_of_jaxdreams_networks_is_not_wrapped(tiny):
    with pytest.raises(JaxdreamError, match="is one of jaxdream's networks: use it as it is"):
        jd.wrap(tiny)


def test_a_picture_on_which_it_fails():
    def halves(x):
        return x.reshape(len(x), x.shape[1] // 2, 2, *x.shape[2:]).sum(axis=2)

    model = jd.wrap(halves)
    with pytest.raises(JaxdreamError, match="the network fails on pictures of 8x7 pixels"):
        jd.dream(0, model, np.ones((7, 8, 3), np.float32), octaves=1)
