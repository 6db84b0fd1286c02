import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.inception_v3 import inception_v3
from jaxdream.models.weights import check
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.registry import MINI_WIDTHS

SMALL = googlenet(width=0.05, lrn=False)


def weights_for(graph):
    random = np.random.default_rng(0)
    return {
        name: random.normal(size=shape).astype(np.float32)
        for name, shape in check.expected_shapes(graph).items()
    }


@pytest.fixture
def weights():
    return weights_for(SMALL)


def test_fitting_weights_pass(weights):
    check.check_weights(weights, SMALL, source="file")


def spoil(weights, how):
    name = "inception_3a/1x1/kernel"
    if how == "missing":
        del weights[name], weights["conv1/7x7_s2/bias"]
    elif how == "extra":
        weights |= {"b": np.zeros(1, np.float32), "a": np.zeros(1, np.float32)}
    elif how == "shape":
        weights[name] = weights[name][..., :-1]
    elif how == "dtype":
        weights[name] = weights[name].astype(int)
    else:
        weights[name][0, 0, 0, 0] = {"nan": np.nan, "inf": np.inf}[how]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "missing conv1/7x7_s2/bias, inception_3a/1x1/kernel$"),
        ("extra", "extra a, b$"),
        ("shape", r"misshapen: inception_3a/1x1/kernel is \(1, 1, 8, 7\), not \(1, 1, 8, 8\)"),
        ("dtype", "not floating-point: inception_3a/1x1/kernel"),
        ("nan", "not finite: inception_3a/1x1/kernel"),
        ("inf", "not finite: inception_3a/1x1/kernel"),
    ],
)
def test_every_misfit_is_listed(weights, how, says):
    spoil(weights, how)
    with pytest.raises(JaxdreamError, match=f"^file does not fit the network: {says}"):
        check.check_weights(weights, SMALL, source="file")


def test_long_lists_are_cut():
    with pytest.raises(JaxdreamError) as error:
        check.check_weights({}, SMALL, source="file")
    assert "and 108 more" in str(error.value)
    assert len(str(error.value)) < 350


def test_a_name_with_a_line_break_is_still_one_line(weights):
    weights["a\nb"] = np.zeros(1, np.float32)
    with pytest.raises(JaxdreamError, match=r"extra 'a\\nb'$"):
        check.check_weights(weights, SMALL, source="file")


@pytest.mark.parametrize(
    ("graph", "model"),
    [
        (googlenet(), "googlenet"),
        (googlenet(width=MINI_WIDTHS, lrn=False), "googlenet_mini"),
        (inception_v3(), "inception_v3"),
        (inception_v3(torch=False, last="mixed_8"), "inception_v3_2015"),
    ],
)
def test_a_model_is_known_by_its_shapes(graph, model):
    shapes = check.expected_shapes(graph)
    weights = {n: np.broadcast_to(np.float32(0), shape) for n, shape in shapes.items()}
    assert check.identify(weights, source="file") == model


def test_weights_of_an_unknown_model_name_the_nearest(weights):
    with pytest.raises(JaxdreamError, match=r"file \(nearest to googlenet"):
        check.identify(weights, source="file")


def test_written_weights_are_read_again(tmp_path, weights):
    path = tmp_path / "x.safetensors"
    check.write_weights(path, weights, model="googlenet_mini")
    again = read_weights(path)
    assert again.keys() == weights.keys()
    assert check.weights_sha256(again) == check.weights_sha256(weights)
    assert check.read_metadata(path) == {
        "jaxdream_model": "googlenet_mini",
        "weights_sha256": check.weights_sha256(weights),
    }
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_float16_is_hashed_as_it_is_read_again(tmp_path, weights):
    path = tmp_path / "x.safetensors"
    check.write_weights(path, weights, model="googlenet_mini", dtype="float16")
    with safe_open(path, framework="np") as file:
        noted = file.metadata()["weights_sha256"]
        assert file.get_tensor("conv1/7x7_s2/bias").dtype == np.float16
    assert noted == check.weights_sha256(read_weights(path))


def test_values_too_large_for_float16_are_not_written(tmp_path, weights):
    weights["conv1/7x7_s2/bias"][0] = 1e6
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"as it was")
    with pytest.raises(JaxdreamError, match="not finite as float16: conv1/7x7_s2/bias"):
        check.write_weights(path, weights, model="googlenet_mini", dtype="float16")
    assert path.read_bytes() == b"as it was"


def test_the_hash_depends_on_the_values_only(weights):
    first = check.weights_sha256(weights)
    reordered = dict(reversed(weights.items()))
    doubles = {n: a.astype(np.float64) for n, a in weights.items()}
    assert first == check.weights_sha256(reordered) == check.weights_sha256(doubles)
    weights["conv1/7x7_s2/bias"][0] += 1e-3
    assert check.weights_sha256(weights) != first


def test_unwritable(tmp_path, weights):
    with pytest.raises(JaxdreamError, match="cannot write"):
        check.write_weights(tmp_path / "no" / "x.safetensors", weights, model="m")


def test_files_of_other_programs_have_no_metadata(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")
    assert check.read_metadata(tmp_path / "x.safetensors") == {}
    assert check.read_metadata(tmp_path / "x.onnx") == {}


@pytest.mark.parametrize("classes", [365, None])
def test_another_classifier_or_none_makes_a_network_all_the_same(tmp_path, classes):
    """As GoogLeNet was trained on other data sets: a dream needs no classifier."""
    model = jd.load_model("googlenet_mini")
    weights = {
        f"{scope}/{part}": np.asarray(getattr(layer, part)[...])
        for scope, layer in model.params.items()
        for part in ("kernel", "bias")
    }
    kernel, bias = weights.pop("loss3/classifier/kernel"), weights.pop("loss3/classifier/bias")
    if classes:
        weights["loss3/classifier/kernel"] = kernel[:, :classes]
        weights["loss3/classifier/bias"] = bias[:classes]
    save_file(weights, tmp_path / "places.safetensors")
    other = jd.load_model(weights=tmp_path / "places.safetensors")
    assert other.name == "googlenet_mini"
    assert other.graph is jd.load_model(weights=tmp_path / "places.safetensors").graph
    assert "inception_4c/output" in other.graph.nodes
    if classes:
        assert other.graph.channels[other.graph.resolve("logits")] == classes
    else:
        with pytest.raises(jd.JaxdreamError, match="no classifier"):
            jd.objectives.logit(0).check(other.graph)
