import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from weight_files import DENSE, OURS, RANDOM

from jaxdream import JaxdreamError
from jaxdream.models.inception_v3 import inception_v3, torch_names
from jaxdream.models.resnet import resnet50
from jaxdream.models.vgg import vgg
from jaxdream.models.weights.check import check_weights
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.porting.torch import from_torch
from jaxdream.models.weights.porting.torch_tables import TABLES, table_of


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
        normed = gamma * (kernel[:, :, 0, 0] @ x - mean) / np.sqrt(variance + TABLES[0].epsilon)
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


def test_state_dict_with_folded_norms(tmp_path):
    state, expected = tiny_torch_state()
    save_file({n: np.ascontiguousarray(a) for n, a in state.items()}, tmp_path / "x.safetensors")
    check_folded(read_weights(tmp_path / "x.safetensors"), expected)


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_torch_checkpoint(tmp_path, suffix):
    torch = pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")
    state, expected = tiny_torch_state()
    tensors = {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in state.items()}
    torch.save(tensors, tmp_path / f"x{suffix}")
    check_folded(read_weights(tmp_path / f"x{suffix}"), expected)


def test_torch_checkpoint_of_bfloat16(tmp_path):
    torch = pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")
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


@pytest.mark.parametrize("table", TABLES, ids=lambda table: next(iter(table.layers)))
def test_names_of_torch_are_those_of_the_graph(table):
    assert table.layers.keys() == table.build().kernel_shapes.keys()


def test_no_network_is_taken_for_another():
    for table in TABLES:
        names = [f"{layer.modules[0]}.weight" for layer in table.layers.values()]
        assert table_of(names) is table
    assert table_of(["conv/kernel"]) is None


@pytest.mark.slow
def test_the_dense_layer_of_vgg_is_a_convolution():
    """By torchvision's names, where it is dense, and by timm's, where it is one."""
    kernel = RANDOM.normal(size=(4096, 512, 7, 7)).astype(np.float32)
    dense = from_torch({"classifier.0.weight": kernel.reshape(4096, -1)}, Path("x"))
    convolution = from_torch({"pre_logits.fc1.weight": kernel}, Path("x"))
    np.testing.assert_array_equal(dense["fc6/kernel"], convolution["fc6/kernel"])
    assert dense["fc6/kernel"].shape == vgg(16).kernel_shapes["fc6"]


def norm_state(conv, norm):
    norms = {"weight": 2.0, "bias": 1.0, "running_mean": 3.0, "running_var": 4.0}
    state = {f"{norm}.{kind}": np.full(64, value) for kind, value in norms.items()}
    return state | {f"{conv}.weight": np.ones((64, 3, 7, 7))}


def test_the_epsilon_of_a_resnet_is_its_own():
    weights = from_torch(norm_state("conv1", "bn1"), Path("x"))
    scale = 2 / np.sqrt(4 + 1e-5)
    np.testing.assert_allclose(weights["conv1/kernel"], np.full((7, 7, 3, 64), scale), rtol=1e-12)
    np.testing.assert_allclose(weights["conv1/bias"], np.full(64, 1 - 3 * scale), rtol=1e-12)


def test_only_the_network_is_taken_of_a_checkpoint(tmp_path):
    """As a training saves it, and Madry's lab, whose network is inside others."""
    torch = pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")
    arrays = norm_state("conv1", "bn1")
    state = {f"module.model.{name}": torch.from_numpy(array) for name, array in arrays.items()}
    state["module.normalizer.new_mean"] = torch.zeros(3)
    state["module.attacker.model.conv1.weight"] = torch.zeros(64, 3, 7, 7)
    torch.save({"model": state, "epoch": 90, "optimizer": {"lr": 0.1}}, tmp_path / "x.ckpt")
    torch.save({"state_dict": state, "arch": "resnet50"}, tmp_path / "x.pth.tar")
    for name in ("x.ckpt", "x.pth.tar"):
        weights = read_weights(tmp_path / name)
        assert weights.keys() == {"conv1/kernel", "conv1/bias"}
        assert weights["conv1/kernel"].shape == resnet50().kernel_shapes["conv1"]


def test_missing_and_unknown_arrays_are_listed(tmp_path):
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
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
def test_code_in_a_pickle_is_not_run(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(pickle.dumps({"w": Bomb(tmp_path / "code was run")}))
    with pytest.raises(JaxdreamError, match=r"needs PyTorch|not a PyTorch file of plain tensors"):
        read_weights(tmp_path / f"x{suffix}")
    assert not (tmp_path / "code was run").exists()


def test_without_torch_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    (tmp_path / "x.pth").write_bytes(pickle.dumps({}))
    with pytest.raises(JaxdreamError, match=r"x\.pth.*pip install torch.*safetensors"):
        read_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("kind", ["names that are numbers", "repeated values", "a list"])
def test_odd_checkpoints_are_one_line(tmp_path, kind):
    torch = pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")
    odd = {
        "names that are numbers": {1: torch.ones(3)},
        "repeated values": {"fc.bias": torch.ones(1).expand(1 << 33)},  # 32 GB of 4 bytes
        "a list": [torch.ones(3)],
    }
    torch.save(odd[kind], tmp_path / "x.pth")
    with pytest.raises(JaxdreamError, match=r"x\.pth is not a PyTorch file of plain tensors"):
        read_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "X"])
def test_a_safetensors_file_of_odd_numbers_is_one_line(tmp_path, kind):
    header = json.dumps({"fc.bias": {"dtype": kind, "shape": [4], "data_offsets": [0, 4]}})
    content = struct.pack("<Q", len(header)) + header.encode() + bytes(4)
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(JaxdreamError, match=r"x\.safetensors is a damaged safetensors file"):
        read_weights(tmp_path / "x.safetensors")
