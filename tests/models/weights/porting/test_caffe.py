import pytest
from weight_files import assert_one_line_about, assert_ours, write_caffemodel

from jaxdream import JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.weights.check import check_weights, expected_shapes
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.porting.caffe import _net_parameter


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
        ([], "damaged caffemodel|holds no weights|is empty"),
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


def test_blobs_after_the_bias_are_kept_for_the_strict_check(tmp_path):
    net = _net_parameter()()
    caffe_layer(net, "norm", [2], [1, 2], blobs=3)
    (tmp_path / "x.caffemodel").write_bytes(net.SerializeToString())
    assert read_weights(tmp_path / "x.caffemodel").keys() == {
        "norm/kernel", "norm/bias", "norm/blob_2"
    }  # fmt: skip


def test_a_file_without_permission_to_read(tmp_path, monkeypatch):
    path = tmp_path / "x.caffemodel"
    write_caffemodel(path, old=False)

    def refuse(path, _):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(JaxdreamError, match=r"cannot read .*x\.caffemodel: Permission denied"):
        read_weights(path)
