"""The programs of each case, lowered for devices that are not here by a JAX that has a CPU."""

import re

import jax
import pytest
from jax.sharding import SingleDeviceSharding

from compilation.programs import CASES, PHOTO, Machine, traced


@pytest.mark.parametrize(("kind", "platform"), [("tpu", "tpu"), ("gpu", "cuda")])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_default_dream_is_one_loop_on_the_device(tiny, kind, platform, precision):
    programs = CASES["dream"](tiny.with_precision(precision), Machine(kind))
    assert programs.shape[0] >= PHOTO[0]
    assert programs.shape[1] >= PHOTO[1]
    text = lowered(programs.calls[-1], platform)
    assert text.count("stablehlo.while") == 1
    assert "callback" not in text
    assert "f64" not in text
    half = {"float32": None, "bfloat16": "bf16", "float16": "f16"}[precision]
    convolutions = re.findall(r"stablehlo.convolution.*-> tensor<[\dx]+x(\w+)>", text)
    assert set(convolutions) == {half or "f32"}


def test_octaves_share_a_program_where_compiling_costs_more(tiny):
    assert len(CASES["dream"](tiny, Machine("cpu")).calls) == 4
    assert len(CASES["dream"](tiny, Machine("tpu")).calls) < 4


@pytest.mark.parametrize(("case", "pictures"), [("batch-8", 8), ("batch-32", 32)])
def test_a_batch_is_one_program(tiny, case, pictures):
    programs = CASES[case](tiny, Machine("gpu"))
    assert programs.pictures == pictures
    (call,) = programs.calls
    assert f"tensor<{pictures}x224x384x3xf32>" in lowered(call, "cuda")


def test_frames_of_several_scenes_have_masks_and_step_sizes_of_their_own(tiny):
    programs = CASES["video"](tiny, Machine("gpu"))
    (call,) = programs.calls
    text = lowered(call, "cuda")
    scenes, (height, width) = programs.pictures, programs.shape
    assert scenes == 4
    assert height >= 360
    assert width >= 640
    assert f"tensor<{scenes}x{height}x{width}x3xf32>" in text
    assert f"tensor<{scenes}x{height}x{width}x1xf32>" in text
    assert f"tensor<{scenes}xf32>" in text
    assert text.count("stablehlo.while") == 1


def test_visualize(tiny):
    programs = CASES["visualize"](tiny, Machine("tpu"))
    (call,) = programs.calls
    # Only traced: where annotations are checked, JAX cannot describe a picture's shape.
    text = str(traced(call, "tpu").jaxpr)
    assert f"f32[{programs.pictures},224,224,3]" in text
    assert text.count("scan[") == 1
    assert "callback" not in text
    assert "f64" not in text


def test_arguments_are_shapes_on_the_device_that_is_compiled_for(tiny):
    device = jax.devices()[0]
    (call,) = CASES["batch-8"](tiny, Machine("cpu", [device])).calls
    leaves = jax.tree.leaves(call.args)
    assert {type(leaf) for leaf in leaves} == {jax.ShapeDtypeStruct}
    assert {leaf.sharding for leaf in leaves} == {SingleDeviceSharding(device)}


def lowered(call, platform):
    kind = "gpu" if platform == "cuda" else platform
    return traced(call, kind).lower(lowering_platforms=(platform,)).as_text()


def test_exact_products_are_those_of_the_platform(tiny):
    """Three bfloat16 products on a TPU; HIGH on a GPU might be TF32."""
    (call, *_) = CASES["dream"](tiny, Machine("tpu")).calls
    found = {platform: lowered(call, platform) for platform in ("cpu", "tpu", "cuda")}
    assert {name for name, text in found.items() if "HIGHEST" not in text} == {"tpu"}
