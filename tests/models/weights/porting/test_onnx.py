import numpy as np
from weight_files import OURS, assert_ours, write_onnx

from jaxdream.models.weights.porting import read_weights


def test_onnx(tmp_path):
    write_onnx(tmp_path / "x.onnx")
    assert_ours(read_weights(tmp_path / "x.onnx"))


def test_unknown_arrays_are_kept_for_the_strict_check(tmp_path):
    write_onnx(tmp_path / "x.onnx", scale=np.ones(2, np.float32), small_w_0=np.ones((2, 3), "int8"))
    weights = read_weights(tmp_path / "x.onnx")
    assert weights.keys() - OURS.keys() == {"scale", "small/kernel"}
    assert weights["small/kernel"].dtype == np.int8
