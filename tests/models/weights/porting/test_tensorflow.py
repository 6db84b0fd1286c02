"""Constants of TensorFlow's graphs, from a file that TensorFlow wrote (``small_graph``)."""

import numpy as np
import pytest
from random_weights import RECORDED

from jaxdream import JaxdreamError
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.porting.tensorflow import _graph_def


def test_constants_of_every_kind():
    weights = read_weights(RECORDED / "small_graph.pb")
    kernel = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    expected = {
        "conv2d1_pre_relu/kernel": kernel,
        "conv2d1_pre_relu/bias": np.full(4, 0.5),  # one value in the file
        "softmax2_pre_activation/kernel": np.asarray([[1, 2, 3], [4, 5, 6]]),  # float16
        "softmax2_pre_activation/bias": np.asarray([7, 8, 9]),  # float64
        "another": np.asarray([1.5]),  # unknown: for the strict check to refuse
        "scalar": np.asarray(2.5),
    }
    assert weights.keys() == expected.keys()  # no auxiliary head, and no whole numbers
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name].reshape(array.shape), array)


def spoiled(**changes):
    graph = _graph_def()()
    tensor = graph.node.add(name="conv2d0_w", op="Const").attr.add(key="value").value.tensor
    tensor.dtype = 1
    for size in changes.pop("sizes", [4]):
        tensor.tensor_shape.dim.add(size=size)
    for name, value in changes.items():
        if isinstance(value, list):
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return graph


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tensor_content": b"1234567"}, "half a number at its end"),
        ({"tensor_content": bytes(12)}, r"3 values for a shape of \(4,\)"),
        ({"float_val": [1.0], "sizes": [1 << 20, 1 << 20]}, "1 values for a shape of"),
        ({"float_val": [1.0], "sizes": [-1]}, r"1 values for a shape of \(-1,\)"),
        ({}, r"0 values for a shape of \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, changes, says):
    (tmp_path / "x.pb").write_bytes(spoiled(**changes).SerializeToString())
    with pytest.raises(JaxdreamError, match=rf"x\.pb: 'conv2d0_w': {says}"):
        read_weights(tmp_path / "x.pb")


def test_a_constant_that_is_there_twice(tmp_path):
    graph = spoiled(float_val=[1.0])
    graph.node.append(graph.node[0])
    (tmp_path / "x.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(JaxdreamError, match=r"x\.pb has two constants named 'conv2d0_w'"):
        read_weights(tmp_path / "x.pb")


def test_a_constant_without_a_value(tmp_path):
    graph = _graph_def()()
    graph.node.add(name="conv2d0_w", op="Const")
    (tmp_path / "x.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(JaxdreamError, match=r"x\.pb is a damaged graph of TensorFlow or none"):
        read_weights(tmp_path / "x.pb")
