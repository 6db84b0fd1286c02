import pickle
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from jaxdream import JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.inception_v3 import inception_v3, torch_names
from jaxdream.models.ops import Conv, Dense, Input
from jaxdream.models.weights.check import check_weights, expected_shapes
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.porting.caffe import _net_parameter
from jaxdream.models.weights.porting.torch import BATCH_NORM_EPSILON

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
    assert {n: a.shape for n, a in weights.items()} == expected_shapes(googlenet())
    check_weights(weights, googlenet(), source="the caffemodel")


def write_onnx(path: Path, **more: np.ndarray) -> None:
    arrays = {
        "conv_w_0": KERNEL.transpose(3, 2, 0, 1),
        "conv_b_0": OURS["conv/bias"],
        "top_w_0": DENSE.T,
        "top_b_0": OURS["top/bias"],
        "loss2/fc_w_0": DENSE.T,
        "OC2_DUMMY_1": np.array([1, 1024]),
        **more,
    }
    tensors = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in arrays.items()]
    graph = onnx.helper.make_graph([], "net", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph), path)


def test_onnx(tmp_path):
    write_onnx(tmp_path / "x.onnx")
    assert_ours(read_weights(tmp_path / "x.onnx"))


def test_what_an_onnx_file_has_too_much_is_kept_for_the_strict_check(tmp_path):
    write_onnx(tmp_path / "x.onnx", scale=np.ones(2, np.float32), small_w_0=np.ones((2, 3), "int8"))
    weights = read_weights(tmp_path / "x.onnx")
    assert weights.keys() - OURS.keys() == {"scale", "small/kernel"}
    assert weights["small/kernel"].dtype == np.int8


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16])
def test_our_own(tmp_path, dtype):
    save_file({n: a.astype(dtype) for n, a in OURS.items()}, tmp_path / "x.safetensors")
    weights = read_weights(tmp_path / "x.safetensors")
    for name, expected in OURS.items():
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], expected.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        (np.ones((3, 5, 2, 4), np.int32), "not floating-point: conv/kernel"),
        (np.full((3, 5, 2, 4), 1e300), "not finite: conv/kernel"),  # more than float32 holds
    ],
)
def test_what_float32_cannot_hold_is_refused(tmp_path, spoiled, says):
    path = tmp_path / "X.SAFETENSORS"  # and the suffix may be in capitals
    save_file(OURS | {"conv/kernel": spoiled}, path)
    build = GraphBuilder()
    x = build.add("conv", Conv(4, (3, 5)), build.add("data", Input()))
    build.add("top", Dense(7), x)
    with pytest.raises(JaxdreamError, match=says):
        check_weights(read_weights(path), Graph(build.nodes), source="x")


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


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_torch_checkpoint(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    state, expected = tiny_torch_state()
    tensors = {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in state.items()}
    torch.save(tensors, tmp_path / f"x{suffix}")
    check_folded(read_weights(tmp_path / f"x{suffix}"), expected)


def test_torch_checkpoint_of_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"fc.bias": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "x.pth")
    np.testing.assert_array_equal(read_weights(tmp_path / "x.pth")["softmax/logits/bias"], 1)


def test_a_state_dict_without_its_classifier_is_still_known(tmp_path):
    state, _ = tiny_torch_state()
    state = {n: np.ascontiguousarray(a) for n, a in state.items() if not n.startswith("fc.")}
    save_file(state, tmp_path / "x.safetensors")
    assert "mixed_4/conv/kernel" in read_weights(tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["bn.running_var", "conv.weight"])
def test_a_norm_that_does_not_fit_its_convolution(tmp_path, name):
    state, _ = tiny_torch_state()
    state = {n: np.ascontiguousarray(a) for n, a in state.items()}
    state[f"Conv2d_1a_3x3.{name}"] = np.ones(5, np.float32)
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(
        JaxdreamError, match=r"x\.safetensors: Conv2d_1a_3x3 has shapes that do not"
    ):
        read_weights(tmp_path / "x.safetensors")


def test_a_negative_variance_is_not_finite(tmp_path):
    state, _ = tiny_torch_state()
    state = {n: np.ascontiguousarray(a) for n, a in state.items()}
    state["Conv2d_1a_3x3.bn.running_var"] = -np.ones(2, np.float32)
    save_file(state, tmp_path / "x.safetensors")
    assert np.isnan(read_weights(tmp_path / "x.safetensors")["conv/kernel"]).all()


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


def test_without_torch_a_checkpoint_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    (tmp_path / "x.pth").write_bytes(pickle.dumps({}))
    with pytest.raises(JaxdreamError, match=r"x\.pth.*pip install torch.*safetensors"):
        read_weights(tmp_path / "x.pth")


WRITERS = {
    ".caffemodel": lambda path: write_caffemodel(path, old=False),
    ".onnx": write_onnx,
    ".safetensors": lambda path: save_file(OURS, path),
}


def assert_one_line_about(path, error):
    assert str(path) in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    WRITERS[suffix](path)
    whole = path.read_bytes()
    for content in (b"", b"nonsense" * 9, whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(JaxdreamError) as error:
            read_weights(path)
        assert_one_line_about(path, error.value)


@pytest.mark.parametrize("suffix", WRITERS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused_in_one_line(tmp_path, suffix, data):
    path = tmp_path / f"x{suffix}"
    WRITERS[suffix](path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        # Most of a file is values: favour its beginning, where names and shapes are.
        last = data.draw(st.sampled_from([60, len(content) - 1]))
        content[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_weights(path)
    except JaxdreamError as error:
        assert_one_line_about(path, error)


def caffe_layer(net, name, shape, values, blobs=1):
    layer = net.layer.add(name=name)
    for _ in range(blobs):
        blob = layer.blobs.add()
        blob.shape.dim.extend(shape)
        blob.data.extend(values)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([("conv", [2, 2], [1, 2, 3])], r"'conv': 3 values for a shape of \(2, 2\)"),
        ([("conv", [-2, -2], [1, 2, 3, 4])], r"4 values for a shape of \(-2, -2\)"),
        ([("a\nb", [2], [1])], r"'a\\nb': 1 values"),
        ([("conv", [2], [1, 2])] * 2, "two layers named 'conv'"),
        ([], "not a whole caffemodel|holds no weights|is empty"),
    ],
)
def test_a_caffemodel_that_contradicts_itself(tmp_path, layers, says):
    net = _net_parameter()()
    for layer in layers:
        caffe_layer(net, *layer)
    path = tmp_path / "x.caffemodel"
    path.write_bytes(net.SerializeToString())
    with pytest.raises(JaxdreamError, match=says) as error:
        read_weights(path)
    assert_one_line_about(path, error.value)


def test_blobs_past_the_bias_are_kept_for_the_strict_check(tmp_path):
    net = _net_parameter()()
    caffe_layer(net, "norm", [2], [1, 2], blobs=3)
    (tmp_path / "x.caffemodel").write_bytes(net.SerializeToString())
    assert read_weights(tmp_path / "x.caffemodel").keys() == {
        "norm/kernel", "norm/bias", "norm/blob_2"
    }  # fmt: skip


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "x.caffemodel"
    write_caffemodel(path, old=False)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(JaxdreamError, match=r"cannot read .*x\.caffemodel: Permission denied"):
        read_weights(path)


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
    bundled = Path(__file__).parents[3] / "weights" / "googlenet_mini.safetensors"
    from jaxdream.models.weights.registry import record_of

    shapes = expected_shapes(record_of("googlenet_mini").build())
    assert {n: a.shape for n, a in read_weights(bundled).items()} == shapes
