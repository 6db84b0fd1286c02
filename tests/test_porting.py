import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from jaxdream import JaxdreamError
from jaxdream.models.inception_v3 import inception_v3, torch_names
from jaxdream.models.loader import check_weights, expected_shapes
from jaxdream.models.porting import read_weights
from jaxdream.models.porting.caffe import _net_parameter
from jaxdream.models.porting.torch import BATCH_NORM_EPSILON

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(3, 5, 2, 4)).astype(np.float32)  # (height, width, in, out)
DENSE = RANDOM.normal(size=(6, 7)).astype(np.float32)  # (in, out)
OURS = {
    "conv/kernel": KERNEL,
    "conv/bias": RANDOM.normal(size=4).astype(np.float32),
    "top/kernel": DENSE,
    "top/bias": RANDOM.normal(size=7).astype(np.float32),
}


def assert_ours(weights):
    assert weights.keys() == OURS.keys()
    for name, expected in OURS.items():
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], expected)


def write_caffemodel(path: Path, *, old: bool, double: bool = False) -> None:
    net = _net_parameter()()
    for name in ("conv", "loss1/conv", "pool", "top"):
        layer = (net.layers if old else net.layer).add(name=name)
        if name == "pool":
            continue
        scope = name.removeprefix("loss1/")
        kernel = OURS[f"{scope}/kernel"]
        kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        for array in (kernel, OURS[f"{scope}/bias"]):
            blob = layer.blobs.add()
            if old:
                shape = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = shape
            else:
                blob.shape.dim.extend(array.shape)
            (blob.double_data if double else blob.data).extend(array.ravel().tolist())
    path.write_bytes(net.SerializeToString())


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("double", [False, True])
def test_caffemodel(tmp_path, old, double):
    write_caffemodel(tmp_path / "x.caffemodel", old=old, double=double)
    assert_ours(read_weights(tmp_path / "x.caffemodel"))


def test_the_real_caffemodel(shared):
    weights = read_weights(shared / "weights" / "bvlc_googlenet.caffemodel")
    assert sum(array.size for array in weights.values()) == 6_998_552
    assert len(weights) == 2 * 58


def test_onnx(tmp_path):
    arrays = {
        "conv_w_0": KERNEL.transpose(3, 2, 0, 1),
        "conv_b_0": OURS["conv/bias"],
        "top_w_0": DENSE.T,
        "top_b_0": OURS["top/bias"],
        "loss2/fc_w_0": DENSE.T,
        "OC2_DUMMY_1": np.array([1, 1024]),
    }
    tensors = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in arrays.items()]
    graph = onnx.helper.make_graph([], "net", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "x.onnx")
    assert_ours(read_weights(tmp_path / "x.onnx"))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_our_own(tmp_path, dtype):
    save_file({n: a.astype(dtype) for n, a in OURS.items()}, tmp_path / "x.safetensors")
    weights = read_weights(tmp_path / "x.safetensors")
    for name, expected in OURS.items():
        np.testing.assert_array_equal(weights[name], expected.astype(dtype).astype(np.float32))


def tiny_torch_state():
    """An Inception v3's names with kernels of 2x3x1x1, and the convolution they amount to."""
    state, expected = {}, {}
    for scope, module in torch_names().items():
        if module == "fc":
            state |= {"fc.weight": DENSE.T, "fc.bias": OURS["top/bias"]}
            expected |= {f"{scope}/kernel": DENSE, f"{scope}/bias": OURS["top/bias"]}
            continue
        kernel = RANDOM.normal(size=(2, 3, 1, 1))
        gamma, variance = RANDOM.uniform(0.5, 1.5, (2, 2))
        beta, mean = RANDOM.normal(size=(2, 2))
        state[f"{module}.conv.weight"] = kernel
        for name, value in [("weight", gamma), ("bias", beta), ("running_mean", mean),
                            ("running_var", variance)]:  # fmt: skip
            state[f"{module}.bn.{name}"] = value
        state[f"{module}.bn.num_batches_tracked"] = np.array(1)
        x = RANDOM.normal(size=3)
        normed = gamma * (kernel[:, :, 0, 0] @ x - mean) / np.sqrt(variance + BATCH_NORM_EPSILON)
        expected[scope] = (x, normed + beta)
    state["AuxLogits.conv0.conv.weight"] = RANDOM.normal(size=(2, 3, 1, 1))
    return {n: np.asarray(a, np.float32) for n, a in state.items()}, expected


def check_folded(weights, expected):
    assert len(weights) == 2 * len(torch_names())
    for scope, value in expected.items():
        if "/kernel" in scope or "/bias" in scope:
            np.testing.assert_array_equal(weights[scope], value)
            continue
        x, y = value
        out = x @ weights[f"{scope}/kernel"][0, 0] + weights[f"{scope}/bias"]
        np.testing.assert_allclose(out, y, rtol=1e-4, atol=1e-4)


def test_torch_state_dict_with_its_norms_folded(tmp_path):
    state, expected = tiny_torch_state()
    save_file({n: np.ascontiguousarray(a) for n, a in state.items()}, tmp_path / "x.safetensors")
    check_folded(read_weights(tmp_path / "x.safetensors"), expected)


def test_torch_checkpoint(tmp_path):
    torch = pytest.importorskip("torch")
    state, expected = tiny_torch_state()
    tensors = {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in state.items()}
    torch.save(tensors, tmp_path / "x.pth")
    check_folded(read_weights(tmp_path / "x.pth"), expected)


def test_names_of_torch_are_those_of_the_graph():
    assert torch_names().keys() == inception_v3().kernel_shapes.keys()


def test_what_a_torch_file_lacks_or_has_too_much_is_listed(tmp_path):
    state, _ = tiny_torch_state()
    del state["Conv2d_1a_3x3.bn.weight"]
    state["surprise.weight"] = np.zeros(3, np.float32)
    save_file({n: np.ascontiguousarray(a) for n, a in state.items()}, tmp_path / "x.safetensors")
    with pytest.raises(JaxdreamError) as error:
        check_weights(read_weights(tmp_path / "x.safetensors"), inception_v3(), source="x")
    assert "missing conv/bias, conv/kernel;" in str(error.value)
    assert "surprise.weight" in str(error.value)
    assert "Conv2d_1a_3x3.conv.weight" in str(error.value)


class Bomb:
    """Does something when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_a_pickle_is_never_just_opened(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(pickle.dumps({"w": Bomb(tmp_path / "gone off")}))
    with pytest.raises(JaxdreamError, match=r"takes PyTorch|not a PyTorch file of plain tensors"):
        read_weights(tmp_path / f"x{suffix}")
    assert not (tmp_path / "gone off").exists()


@pytest.mark.parametrize("suffix", [".caffemodel", ".onnx", ".safetensors"])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_caffemodel(path, old=False)
    whole = path.read_bytes()
    for content in (b"", b"nonsense" * 9, whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(JaxdreamError) as error:
            read_weights(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_blob_of_the_wrong_length(tmp_path):
    net = _net_parameter()()
    blob = net.layer.add(name="conv").blobs.add()
    blob.shape.dim.extend([2, 2])
    blob.data.extend([1.0, 2.0, 3.0])
    (tmp_path / "x.caffemodel").write_bytes(net.SerializeToString())
    with pytest.raises(JaxdreamError, match=r"conv: 3 values for a shape of \(2, 2\)"):
        read_weights(tmp_path / "x.caffemodel")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.h5", "not a weight file jaxdream knows"),
        ("x.onnx", "no such file"),
        (".", "is a folder"),
    ],
)
def test_what_is_no_weight_file(tmp_path, name, says):
    if name == "x.h5":
        (tmp_path / name).touch()
    with pytest.raises(JaxdreamError, match=says):
        read_weights(tmp_path / name)


def test_expected_shapes_of_the_mini_file():
    bundled = Path(__file__).parents[1] / "weights" / "googlenet_mini.safetensors"
    from jaxdream.models.registry import record_of

    shapes = expected_shapes(record_of("googlenet_mini").build())
    assert {n: a.shape for n, a in read_weights(bundled).items()} == shapes
