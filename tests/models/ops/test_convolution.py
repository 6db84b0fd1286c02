import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdream.models.ops import Conv, Dense, Weights
from jaxdream.models.ops.convolution import (
    convolve,
    gathered_gradient,
    transposed_gradient,
)


def padded(x, padding):
    return np.pad(x.astype(np.float64), [(0, 0), *((pad, pad) for pad in padding), (0, 0)])


def taps(window, stride, size):
    """For every place in a window, the index of the values that all windows have there."""
    for row, column in np.ndindex(*window):
        rows = slice(row, row + stride * (size[0] - 1) + 1, stride)
        columns = slice(column, column + stride * (size[1] - 1) + 1, stride)
        yield (row, column), (slice(None), rows, columns)


def convolution_by_hand(x, kernel, stride, padding):
    """The convolution in NumPy, in float64."""
    x, window = padded(x, padding), kernel.shape[:2]
    size = [(n - length) // stride + 1 for n, length in zip(x.shape[1:3], window, strict=True)]
    out = np.zeros((len(x), *size, kernel.shape[-1]))
    for place, where in taps(window, stride, size):
        out += x[where] @ kernel[place]
    return out


def gradients_by_hand(x, kernel, stride, padding, cotangent):
    """The gradients with respect to ``x`` and the kernel in NumPy, in float64."""
    wide, cotangent = padded(x, padding), cotangent.astype(np.float64)
    of_x, of_kernel = np.zeros_like(wide), np.zeros(kernel.shape)
    for place, where in taps(kernel.shape[:2], stride, cotangent.shape[1:3]):
        of_x[where] += cotangent @ kernel[place].T
        of_kernel[place] = np.einsum("nhwc,nhwo->co", wide[where], cotangent)
    (top, left), (height, width) = padding, x.shape[1:3]
    return of_x[:, top : top + height, left : left + width], of_kernel


def check(side, window, stride, padding, channels):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *side, channels)).astype(np.float32)
    kernel = random.normal(size=(*window, channels, 5)).astype(np.float32)
    out, pull = jax.vjp(
        lambda x, k: convolve(x, k, stride, padding), jnp.asarray(x), jnp.asarray(kernel)
    )
    np.testing.assert_allclose(out, convolution_by_hand(x, kernel, stride, padding), atol=1e-4)
    cotangent = random.normal(size=out.shape).astype(np.float32)
    expected = gradients_by_hand(x, kernel, stride, padding, cotangent)
    for got, by_hand in zip(pull(jnp.asarray(cotangent)), expected, strict=True):
        assert got.shape == by_hand.shape
        np.testing.assert_allclose(got, by_hand, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(
    side=st.tuples(st.integers(7, 16), st.integers(7, 16)),
    window=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.integers(1, 3),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_values_and_gradients_on_a_picture(side, window, stride, padding):
    check(side, window, stride, padding, channels=3)


# Not any shape: jaxlib 0.10's gradient of a strided convolution over many channels ends the
# process for some, such as a 7x2 window with stride 2 and padding 1 on 8x16.
@pytest.mark.parametrize(
    ("window", "stride", "padding"),
    [((3, 3), 1, (1, 1)), ((3, 3), 2, (0, 0)), ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))],
)
def test_values_and_gradients_on_many_channels(window, stride, padding):
    check((13, 10), window, stride, padding, channels=6)


@pytest.mark.parametrize("channels", [3, 6])
def test_second_derivative(channels):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(1, 9, 9, channels)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(3, 3, channels, 5)), jnp.float32)

    def slope_norm(x):
        return (jax.grad(lambda x: (convolve(x, kernel, 2, (1, 1)) ** 3).sum())(x) ** 2).sum()

    step = 1e-2 * np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    slope = float((jax.grad(slope_norm)(x) * step).sum())
    difference = float(slope_norm(x + step) - slope_norm(x - step)) / 2
    assert slope == pytest.approx(difference, rel=2e-2)


@pytest.mark.parametrize(
    "op", [Conv(5, (1, 1)), Conv(5, (3, 5), 1, (1, 2)), Conv(5, (7, 7), 2, (3, 3))]
)
def test_conv_adds_its_bias(op):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 9, 11, 3)).astype(np.float32)
    kernel = random.normal(size=op.kernel_shape(3)).astype(np.float32)
    bias = random.normal(size=5).astype(np.float32)
    out = op.apply(jnp.asarray(x), Weights(jnp.asarray(kernel), jnp.asarray(bias)))
    expected = convolution_by_hand(x, kernel, op.stride, op.padding) + bias
    assert out.shape[1:3] == op.output_size((9, 11))
    np.testing.assert_allclose(out, expected, atol=1e-4)


def test_dense_is_a_matrix_product():
    op = Dense(2)
    assert op.kernel_shape(3) == (3, 2)
    kernel = jnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    out = op.apply(jnp.asarray([[[[1.0, 0.0, 2.0]]]]), Weights(kernel, jnp.asarray([10.0, 20.0])))
    np.testing.assert_array_equal(out, [[21, 34]])


@settings(deadline=None, max_examples=10)
@given(
    side=st.tuples(st.integers(12, 20), st.integers(12, 20)),
    form=st.sampled_from([((7, 7), 2, (3, 3)), ((3, 3), 2, (0, 0)), ((5, 3), 3, (2, 1))]),
)
def test_both_forms_of_the_gradient_on_a_picture_are_the_same(side, form):
    """One is compiled on CPUs and TPUs, the other on GPUs."""
    window, stride, padding = form
    random = np.random.default_rng(0)
    kernel = jnp.asarray(random.normal(size=(*window, 3, 5)), jnp.float32)
    shape = jax.eval_shape(lambda x: convolve(x, kernel, stride, padding), jnp.zeros((2, *side, 3)))
    cotangent = jnp.asarray(random.normal(size=shape.shape), jnp.float32)
    options = {"stride": stride, "padding": padding, "size": side}
    got = [form(cotangent, kernel, **options) for form in (gathered_gradient, transposed_gradient)]
    np.testing.assert_allclose(*got, atol=1e-4)


def test_one_traced_function_has_the_form_of_each_platform():
    kernel = jnp.zeros((7, 7, 3, 8))

    def gradient(x):
        return jax.vjp(lambda x: convolve(x, kernel, 2, (3, 3)), x)[1](jnp.zeros((1, 16, 16, 8)))[0]

    traced = jax.jit(gradient).trace(jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    forms = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "tpu", "cuda")
    }
    # As a transposed convolution, of a picture with zeros between its pixels.
    dilated = {name for name, text in forms.items() if "lhs_dilate = [2, 2]" in text}
    assert dilated == {"cuda"}
    compiled = jax.jit(gradient).lower(jnp.zeros((1, 32, 32, 3))).compile().as_text()
    assert "conditional" not in compiled  # the compiler never sees the choice
