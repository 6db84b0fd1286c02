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


class ByHand:
    """The network of 2015 in plain NumPy, from the facts in ../shared/weights/README.md."""

    def __init__(self, weights):
        self.weights = {name: array.astype(np.float32) for name, array in weights.items()}

    def conv(self, scope, x, stride=1, same=True):
        kernel, bias = self.weights[f"{scope}/kernel"], self.weights[f"{scope}/bias"]
        height, width, _, features = kernel.shape
        if same:
            x = np.pad(x, [(height // 2,) * 2, (width // 2,) * 2, (0, 0)])
        patches = windows(x, height, width, stride).reshape(-1, kernel[..., 0].size)
        # A window has (in, height, width), a kernel (height, width, in, out).
        y = patches @ kernel.transpose(2, 0, 1, 3).reshape(-1, features) + bias
        return np.maximum(y, 0).reshape(*windows(x, height, width, stride).shape[:2], features)

    def chain(self, scope, x, count, halves=False):
        for i in range(count):
            last = halves and i == count - 1
            name = f"{scope}/conv" + (f"_{i}" if i else "")
            x = self.conv(name, x, stride=2, same=False) if last else self.conv(name, x)
        return x

    def stem(self, x):
        x = self.conv("conv", x, stride=2, same=False)
        x = self.conv("conv_2", self.conv("conv_1", x, same=False))
        x = self.conv("conv_4", self.conv("conv_3", max_pool(x)), same=False)
        return max_pool(x)

    def block(self, scope, x, *lengths):
        """A block that keeps its size; ``lengths`` are of its two towers."""
        branches = [self.conv(f"{scope}/conv", x)]
        for tower, length in zip(("tower", "tower_1"), lengths, strict=True):
            branches.append(self.chain(f"{scope}/{tower}", x, length))
        branches.append(self.conv(f"{scope}/tower_2/conv", average_pool(x)))
        return np.concatenate(branches, axis=-1)

    def blocks(self, x):
        """Every block through mixed_8, by name."""
        acts = {}
        x = self.stem(x)
        for scope in ("mixed", "mixed_1", "mixed_2"):
            acts[scope] = x = self.block(scope, x, 2, 3)
        three = self.conv("mixed_3/conv", x, stride=2, same=False)
        double = self.chain("mixed_3/tower", x, 3, halves=True)
        acts["mixed_3"] = x = np.concatenate([three, double, max_pool(x)], axis=-1)
        for scope in ("mixed_4", "mixed_5", "mixed_6", "mixed_7"):
            acts[scope] = x = self.block(scope, x, 3, 5)
        three = self.chain("mixed_8/tower", x, 2, halves=True)
        seven = self.chain("mixed_8/tower_1", x, 4, halves=True)
        acts["mixed_8"] = np.concatenate([three, seven, max_pool(x)], axis=-1)
        return acts


def windows(x, height, width, stride=1):
    view = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(0, 1))
    return view[::stride, ::stride]


def max_pool(x):
    return windows(x, 3, 3, 2).max((-2, -1))


def average_pool(x):
    """The mean without the padding: at a corner it is of four values."""
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)], constant_values=np.nan)
    return np.nanmean(windows(padded, 3, 3), axis=(-2, -1))


@pytest.fixture(scope="module")
def file_2015(shared):
    return shared / "weights" / "inception_v3_2015_to_mixed_8.safetensors"


@pytest.fixture(scope="module")
def photo(shared):
    return jd.read_image(shared / "photos" / "cat.jpg")[40:140, 30:150]


def test_the_real_network_of_2015(file_2015, photo):
    """Every block against the same network written out by hand."""
    model = jd.load_model(weights=file_2015)  # strictly
    assert model.name == "inception_v3_2015"
    expected = ByHand(load_file(file_2015)).blocks(photo / np.float32(127.5) - 1)
    assert len(expected) == 9
    x = model.preprocess(photo)[None]
    acts = jax.jit(lambda model, x: model(x, layers=tuple(expected)))(model, x)
    for name, act in expected.items():
        assert np.isfinite(act).all()
        assert act.max() > 0.1, name
        assert acts[name][0].shape == act.shape
        assert relative_error(acts[name][0], act) < 1e-4, name


@pytest.mark.slow
def test_the_real_network_dreams(file_2015, photo):
    model = jd.load_model(weights=file_2015)
    objective = layer("mixed4")
    states = list(
        jd.iterate_dream(
            jax.random.key(0), model, photo, objective=objective, steps=4, octaves=1, scan=False
        )
    )
    assert states[-1].info.value > 1.5 * states[0].info.value
