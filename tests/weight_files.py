"""Small weight files of every kind, all with the same weights."""

from pathlib import Path

import numpy as np
import onnx

from jaxdream.models.weights.porting.caffe import _net_parameter

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


def assert_one_line_about(path, error):
    assert str(path) in str(error)
    assert "\n" not in str(error)
