"""Inception v3 against recordings of torchvision and timm, and the real network of 2015."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import jaxdream as jd
from jaxdream.objectives import layer

BLOCKS = 18


@pytest.fixture(scope="module", autouse=True)
def exact_matmul():
    with jax.default_matmul_precision("highest"):
        yield


def state_dict(golden):
    """The weights of the recording, drawn again by its recipe (../shared/README.md)."""
    random = np.random.RandomState(2015)
    state = {}
    for key, text in zip(golden["state_keys"], golden["state_shapes"], strict=True):
        shape = tuple(int(n) for n in text.strip("[]").split(",") if n.strip())
        if key.endswith("num_batches_tracked"):
            value = np.zeros(shape)
        elif len(shape) == 4:
            value = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif len(shape) == 2:
            value = random.normal(0, np.sqrt(1 / shape[1]), shape)
        elif key.endswith((".bn.weight", "running_var")):
            value = random.uniform(0.5, 1.5, shape)
        elif key.endswith((".bn.bias", "running_mean")):
            value = random.normal(0, 0.1, shape)
        else:
            value = random.normal(0, 0.01, shape)
        state[str(key)] = value.astype(np.float32)
    return state


@pytest.fixture(scope="module", params=["torchvision", "timm"])
def recorded(request, shared, tmp_path_factory):
    """A recording, and our network with its weights by way of a file."""
    with np.load(shared / "golden" / f"{request.param}_inception_v3_golden.npz") as arrays:
        golden = dict(arrays)
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.safetensors"
    save_file(state_dict(golden), path)
    return golden, jd.load_model("inception_v3", weights=path)


def network_input():
    x = np.random.RandomState(3).normal(0, 1, (1, 3, 160, 192))
    return jnp.asarray(x.astype(np.float32).transpose(0, 2, 3, 1))


def relative_error(got, expected):
    return np.abs(np.asarray(got, np.float64) - expected).max() / np.abs(expected).max()


def test_activations_of_every_block(recorded):
    golden, model = recorded
    x = network_input()
    assert str(golden["input_recipe"]).startswith("RandomState(3).normal(0,1,(1,3,160,192))")
    assert float(np.asarray(x, np.float64).sum()) == pytest.approx(float(golden["input_sum"]))
    blocks = [str(block) for block in golden["blocks"]]
    assert len(blocks) == BLOCKS
    acts = jax.jit(lambda model, x: model(x, layers=(*blocks, "logits")))(model, x)
    for block in blocks:
        act = np.asarray(acts[block][0], np.float64).transpose(2, 0, 1)
        assert act.shape == tuple(golden[f"{block}|shape"])
        assert relative_error(act.mean((1, 2)), golden[f"{block}|chan_mean"]) < 1e-4, block
        l2 = np.sqrt((act**2).sum((1, 2)))
        assert relative_error(l2, golden[f"{block}|chan_l2"]) < 1e-4, block
        c, h, w = golden[f"{block}|stride_chw"]
        assert relative_error(act[::c, ::h, ::w], golden[f"{block}|sub"]) < 1e-4, block
    assert relative_error(acts["logits"][0], golden["logits"]) < 1e-4


def test_gradient(recorded):
    golden, model = recorded
    block = str(golden["grad|block"])

    @jax.jit
    def gradient(model, x):
        return jax.grad(lambda x: 0.5 * (model(x, layers=(block,))[block] ** 2).sum())(x)

    expected = golden["grad"].reshape(3, 160, 192).transpose(1, 2, 0)
    assert relative_error(gradient(model, network_input())[0], expected) < 1e-3


def test_the_real_network_of_2015(shared):
    """Through mixed_8, and its first layers against a convolution written out by hand."""
    path = shared / "weights" / "inception_v3_2015_to_mixed_8.safetensors"
    model = jd.load_model(weights=path)
    assert model.name == "inception_v3_2015"
    image = jd.read_image(shared / "photos" / "cat.jpg")[40:140, 30:150]
    x = model.preprocess(image)
    names = ("conv", "conv_2", "mixed_2/tower_2/pool", "mixed_8")
    acts = model(x[None], layers=names)
    assert acts["mixed_8"].shape == (1, 1, 2, 1280)
    assert all(np.isfinite(acts[name]).all() for name in names)

    weights = load_file(path)
    kernel = weights["conv/kernel"].astype(np.float64)
    patch = np.asarray(x, np.float64)[10:13, 20:23]
    by_hand = np.maximum(np.einsum("hwi,hwio->o", patch, kernel) + weights["conv/bias"], 0)
    np.testing.assert_allclose(acts["conv"][0, 5, 10], by_hand, rtol=1e-4, atol=1e-4)
    # The average pool of 2015 leaves the padding out: at a corner it is the mean of four.
    before = np.asarray(model(x[None], layers=("mixed_1",))["mixed_1"][0])
    pooled = np.asarray(acts["mixed_2/tower_2/pool"][0])
    np.testing.assert_allclose(pooled[0, 0], before[:2, :2].mean((0, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pooled[3, 3], before[2:5, 2:5].mean((0, 1)), rtol=1e-4, atol=1e-5)


def test_the_real_network_dreams(shared):
    path = shared / "weights" / "inception_v3_2015_to_mixed_8.safetensors"
    model = jd.load_model(weights=path)
    image = jd.read_image(shared / "photos" / "cat.jpg")[40:140, 30:150]
    objective = layer("mixed4")
    states = list(
        jd.iterate_dream(
            jax.random.key(0), model, image, objective=objective, steps=4, octaves=1, scan=False
        )
    )
    assert states[-1].info.loss > 1.5 * states[0].info.loss
