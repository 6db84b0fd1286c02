"""GoogLeNets of other data sets: recognised by their classes, in Caffe's files and PyTorch's."""

from functools import cache

import numpy as np
import pytest
from safetensors.numpy import save_file

import jaxdream as jd
from jaxdream.models.googlenet import googlenet
from jaxdream.models.resnet import resnet50
from jaxdream.models.weights.check import expected_shapes
from jaxdream.models.weights.porting.caffe import _net_parameter
from jaxdream.models.weights.registry import record_of
from jaxdream.objectives.labels import classes_of


@cache
def weights(classes):
    random = np.random.default_rng(0)
    shapes = expected_shapes(googlenet().with_classes(classes))
    return {
        name: random.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()
    }


def transposed(kernel):
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)


def write_caffemodel(path, classes):
    net = _net_parameter()()
    arrays = weights(classes)
    for scope in googlenet().kernel_shapes:
        layer = net.layer.add(name=scope)
        for array in (transposed(arrays[f"{scope}/kernel"]), arrays[f"{scope}/bias"]):
            blob = layer.blobs.add()
            blob.shape.dim.extend(array.shape)
            blob.data.extend(array.ravel())
    path.write_bytes(net.SerializeToString())


def write_torch(path, classes):
    arrays, state = weights(classes), {}
    for scope in googlenet().kernel_shapes:
        module = scope.replace("/", "_") + ("_3" if scope == "loss3/classifier" else "")
        state[f"{module}.weight"] = transposed(arrays[f"{scope}/kernel"])
        state[f"{module}.bias"] = arrays[f"{scope}/bias"]
    state["loss1_conv.weight"] = np.zeros((2, 2, 1, 1), np.float32)  # used in training only
    save_file(state, path)


@pytest.mark.parametrize(
    ("name", "classes"), [("googlenet_places365", 365), ("googlenet_places205", 205)]
)
def test_a_caffemodel_is_recognised_by_its_classes(tmp_path, name, classes):
    path = tmp_path / "downloaded.caffemodel"
    write_caffemodel(path, classes)
    model = jd.load_model(weights=path)
    assert model.name == name
    assert model.preprocessing == record_of(name).preprocessing
    assert model.graph.channels["loss3/classifier"] == classes
    for scope, layer in model.params.items():
        np.testing.assert_array_equal(layer.kernel[...], weights(classes)[f"{scope}/kernel"])


def test_pytorchs_names_are_read(tmp_path):
    write_torch(tmp_path / "places.safetensors", 365)
    model = jd.load_model(weights=tmp_path / "places.safetensors")
    assert model.name == "googlenet_places365"
    np.testing.assert_array_equal(
        model.params["inception_4a/3x3"].kernel[...], weights(365)["inception_4a/3x3/kernel"]
    )
    for text in ("temple/asia", "Temple asia", 'class("temple_asia")', "logit(330)"):
        assert repr(jd.parse_objective(text, model)) == "logit(330)"
    with pytest.raises(jd.JaxdreamError, match="no class 'banana'"):
        jd.parse_objective("banana", model)


def test_the_resnet_of_places_is_recognised(tmp_path):
    shapes = expected_shapes(resnet50().with_classes(365))
    save_file({n: np.zeros(s, np.float32) for n, s in shapes.items()}, tmp_path / "x.safetensors")
    model = jd.load_model(weights=tmp_path / "x.safetensors")
    assert model.name == "resnet50_places365"
    assert repr(jd.parse_objective("temple/asia", model)) == "logit(330)"


def test_205_places_have_no_names_here():
    with pytest.raises(jd.JaxdreamError, match=r"205 classes of its own.*logit\(INDEX\)"):
        classes_of(record_of("googlenet_places205").build())


def test_other_numbers_of_classes_are_googlenet(tmp_path):
    write_torch(tmp_path / "mine.safetensors", 7)
    assert jd.load_model(weights=tmp_path / "mine.safetensors").name == "googlenet"
