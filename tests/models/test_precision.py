"""What a network computes with: which precision a device gets, and gradients in float16."""

import inspect
from unittest.mock import Mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import photograph

import jaxdream as jd
from jaxdream.algorithm.ascent import objective_and_gradient
from jaxdream.errors import JaxdreamError
from jaxdream.models.precision import check_precision, resolve_precision
from jaxdream.objectives import layer

gradient_of = jax.jit(objective_and_gradient)


def device(platform, capability=None):
    found = Mock(spec=jax.Device)
    found.platform, found.compute_capability = platform, capability
    return found


@pytest.mark.parametrize(
    ("platform", "capability", "expected"),
    [
        ("tpu", None, "bfloat16"),
        ("gpu", "9.0", "bfloat16"),
        ("gpu", "8.0", "bfloat16"),
        ("gpu", "12.0", "bfloat16"),
        ("gpu", "7.5", "float16"),  # the T4 of free Colab
        ("gpu", "7.0", "float16"),
        ("gpu", "6.1", "float32"),  # multiplies float16 a sixty-fourth as fast
        ("gpu", "gfx90a", "float32"),  # AMD's: not known here
        ("cpu", None, "float32"),
    ],
)
def test_auto_is_what_the_device_multiplies_fast(platform, capability, expected):
    assert resolve_precision("auto", device(platform, capability)) == expected
    assert resolve_precision("float16", device(platform, capability)) == "float16"


def test_auto_on_this_machine_is_exact_and_said():
    lines = []
    model = jd.load_model("googlenet_mini", precision="auto", notify=lines.append)
    assert model.precision == "float32"
    assert "precision float32, which this device multiplies fast" in lines


def test_an_unknown_precision_is_one_line():
    with pytest.raises(JaxdreamError, match="is float32, bfloat16, float16 or auto, not 'half'"):
        # Without the type check of the tests.
        inspect.unwrap(check_precision)("half")


def step(gradient):
    """The step of 1.5 levels for a gradient."""
    return 1.5 * gradient / np.abs(gradient).mean()


@pytest.mark.parametrize("weight", [1e-12, 1.0, 1e12])
def test_float16_gradients_neither_vanish_nor_overflow(tiny, weight):
    """Without the scale all of the first gradient would be zero, and the last infinite."""
    image, half = jnp.asarray(photograph(40, 48)), tiny.with_precision("float16")
    value, exact = gradient_of(tiny, layer("second") * weight, image)
    got_value, got = gradient_of(half, layer("second") * weight, image)
    np.testing.assert_allclose(got_value, value, rtol=0.01)
    assert np.isfinite(got).all()
    assert np.abs(step(np.asarray(got)) - step(np.asarray(exact))).mean() < 0.05


def test_each_picture_of_a_batch_has_a_scale_of_its_own(tiny):
    half = tiny.with_precision("float16")
    bright = jnp.asarray(photograph(40, 48))
    images = jnp.stack([bright, 100 + bright / 1000])  # of gradients of very different sizes

    def gradient(image):
        return objective_and_gradient(half, layer("second"), image)[1]

    together = jax.jit(jax.vmap(gradient))(images)
    for got, image in zip(together, images, strict=True):
        np.testing.assert_allclose(got, jax.jit(gradient)(image), rtol=1e-3, atol=1e-4)


def test_a_float16_gradient_of_zero_is_zero(tiny):
    half = tiny.with_precision("float16")
    value, gradient = gradient_of(half, layer("second") * 0.0, jnp.asarray(photograph(40, 48)))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_objectives_and_pictures_are_float32_in_any_precision(tiny, precision):
    model, image = tiny.with_precision(precision), jnp.asarray(photograph(40, 48))
    value, gradient = gradient_of(model, layer("second"), image)
    assert value.dtype == gradient.dtype == jnp.float32
    text = gradient_of.lower(model, layer("second"), image).as_text()
    kind = {"bfloat16": "bf16", "float16": "f16"}[precision]
    sums = [line for line in text.splitlines() if "stablehlo.reduce(" in line]
    assert sums
    assert not any(f"x{kind}>" in line for line in sums if "add" in line)


def test_weights_of_a_float16_network_have_no_gradient(tiny):
    half, x = tiny.with_precision("float16"), jnp.zeros((1, 24, 24, 3))
    with pytest.raises(Exception, match="custom_vjp"):
        jax.grad(lambda model: model(x, layers=("second",))["second"].sum())(half)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_dream_in_less_precision_is_of_the_same_kind(tiny, precision):
    image, options = photograph(60, 70), {"steps": 3, "octaves": 2}
    exact = jd.dream(0, tiny, image, **options)
    for more in ({}, {"memory": None, "mask": np.tile(np.linspace(0, 1, 70), (60, 1))}):
        exact = jd.dream(0, tiny, image, **options, **more)
        rough = jd.dream(0, tiny, image, precision=precision, **options, **more)
        assert 1e-5 < np.abs(rough - exact).mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("net", ["googlenet_mini", "googlenet"])
def test_a_float16_step_is_near_the_exact_one_for_every_good_layer(net, request):
    """Measured: 0.04 to 0.12 levels of a step of 1.5 (bfloat16: 0.19 to 0.37)."""
    model = request.getfixturevalue("googlenet") if net == "googlenet" else jd.load_model(net)
    half, image = model.with_precision("float16"), jnp.asarray(photograph(160, 200))
    for name in model.graph.good_layers:
        (_, exact), (_, got) = (gradient_of(each, layer(name), image) for each in (model, half))
        assert np.isfinite(got).all(), name
        assert np.abs(step(np.asarray(got)) - step(np.asarray(exact))).mean() < 0.2, name
