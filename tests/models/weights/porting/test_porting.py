"""What holds for weight files of every kind."""

import ml_dtypes
import numpy as np
import pytest
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_weights import RECORDED
from safetensors.numpy import save_file
from weight_files import OURS, assert_one_line_about, write_caffemodel, write_onnx

from jaxdream import JaxdreamError
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import Conv, Dense, Input
from jaxdream.models.weights.check import check_weights, expected_shapes
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.registry import record_of


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16])
def test_our_own_layout(tmp_path, dtype):
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
def test_values_that_float32_cannot_hold_are_refused(tmp_path, spoiled, says):
    path = tmp_path / "X.SAFETENSORS"  # and the suffix may be in capitals
    save_file(OURS | {"conv/kernel": spoiled}, path)
    build = GraphBuilder()
    x = build.add("conv", Conv(4, (3, 5)), build.add("data", Input()))
    build.add("top", Dense(7), x)
    with pytest.raises(JaxdreamError, match=says):
        check_weights(read_weights(path), Graph(build.nodes), source="x")


WRITERS = {
    ".caffemodel": lambda path: write_caffemodel(path, old=False),
    ".onnx": write_onnx,
    ".pb": lambda path: path.write_bytes((RECORDED / "small_graph.pb").read_bytes()),
    ".safetensors": lambda path: save_file(OURS, path),
}


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


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.h5", "not a kind of weight file that jaxdream knows"),
        ("x.onnx", "no such file"),
        (".", "is a folder"),
    ],
)
def test_other_files_are_refused(tmp_path, name, says):
    if name == "x.h5":
        (tmp_path / name).touch()
    with pytest.raises(JaxdreamError, match=says):
        read_weights(tmp_path / name)


def test_expected_shapes_of_the_mini_file():
    bundled = ROOT / "weights" / "googlenet_mini.safetensors"
    shapes = expected_shapes(record_of("googlenet_mini").build())
    assert {n: a.shape for n, a in read_weights(bundled).items()} == shapes
