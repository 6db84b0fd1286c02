"""Pictures in padded arrays, and tiles of pictures: the same numbers as in exact arrays."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.ops import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Input,
    LocalResponseNorm,
    MaxPool,
    PadSame,
    Relu,
)
from jaxdream.models.regions import Region, full_region, rectangle_mask
from jaxdream.models.weights.registry import CAFFE

LAYERS = ("early", "out", "data")
PADDED = (48, 64)


def caffe_zoo(build):
    """A small network with Caffe's operations."""
    x = build.add("early", Conv(4, (7, 7), 2, (3, 3)), build.add("data", Input()))
    x = build.add("pool", MaxPool((3, 3), 2, ceil=True), build.add("relu", Relu(), x))
    x = build.add("norm", LocalResponseNorm(), x)
    one = build.add("wide", Conv(4, (1, 7), 1, (0, 3)), x)
    two = build.add("average", AveragePool(counts_padding=False), x)
    three = build.add("average_all", AveragePool(counts_padding=True), x)
    four = build.add("around", MaxPool((3, 3), 1, (1, 1)), x)
    x = build.add("concat", Concat(), one, two, three, four)
    x = build.add("out", Conv(5, (3, 3)), x)
    return x


def residual_zoo(build):
    """One with residual blocks, a max-pool around its border, and TensorFlow's padding."""

    def same(name, op, x):
        return build.add(name, op, build.add(f"{name}_pad", PadSame(op.window[0], op.stride), x))

    x = same("early", Conv(4, (7, 7), 2), build.add("data", Input()))
    x = build.add("norm", LocalResponseNorm(11, 1e-4, 0.5, 2.0), build.add("relu", Relu(), x))
    x = same("pool", MaxPool((3, 3), 2), x)
    y = build.add("branch", Conv(4, (3, 3), 1, (1, 1)), x)
    x = build.add("block", Relu(), build.add("add", Add(0.3), x, y))
    x = build.add("around", MaxPool((3, 3), 2, (1, 1)), x)
    return build.add("out", Add(), build.add("short", Conv(4, (1, 1)), x), x)


@pytest.fixture(scope="module", params=[caffe_zoo, residual_zoo])
def zoo(request):
    """Two small networks with operations of every kind."""
    build = GraphBuilder()
    x = request.param(build)
    x = build.add("mean", GlobalAveragePool(), x)
    build.add("logits", Dense(6), x)
    graph = Graph(build.nodes, {}, ("out",))
    random = np.random.default_rng(0)
    weights = {}
    for scope, shape in graph.kernel_shapes.items():
        weights[f"{scope}/kernel"] = random.normal(0, 0.2, shape).astype(np.float32)
        weights[f"{scope}/bias"] = random.normal(0, 0.3, shape[-1:]).astype(np.float32)
    return GraphNetwork("zoo", graph, CAFFE, "out", weights, "no file")


def energy(layers, model, x, region=None):
    acts = model(model.preprocess(x)[None], layers=layers, region=region)
    return sum(0.5 * jnp.sum(jnp.square(a)) for a in acts.values()), acts


@partial(jax.jit, static_argnums=0)
def measure(layers, model, x, region=None):
    """The energy of layers, their activations, and the energy's gradient."""
    return jax.value_and_grad(partial(energy, layers), argnums=1, has_aux=True)(model, x, region)


def picture_of(height, width):
    # Few levels and a flat part, so that maxima are often equal.
    random = np.random.default_rng(height * 100 + width)
    picture = random.integers(0, 4, (height, width, 3)).astype(np.float32) * 80
    picture[: height // 3] = 120
    return picture


def pad(picture, shape=PADDED):
    array = np.full((*shape, 3), 77, np.float32)  # values outside the picture must not matter
    array[: picture.shape[0], : picture.shape[1]] = picture
    return array


def close(actual, expected, tolerance=1e-5):
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(actual, expected, atol=tolerance * scale)


@pytest.mark.parametrize(("height", "width"), [(20, 53), (47, 32), (33, 46)])
def test_a_picture_in_a_padded_array(zoo, height, width):
    picture = picture_of(height, width)
    (value, acts), gradient = measure((*LAYERS, "logits"), zoo, picture)
    region = full_region(np.array([height, width]))
    (value_p, acts_p), gradient_p = measure((*LAYERS, "logits"), zoo, pad(picture), region)
    assert value_p == pytest.approx(float(value), rel=1e-5)
    close(gradient_p[:height, :width], gradient)
    assert not gradient_p[height:].any()
    assert not gradient_p[:, width:].any()
    close(acts_p["logits"], acts["logits"])
    for name in LAYERS:
        _, h, w, _ = acts[name].shape
        close(acts_p[name][:, :h, :w], acts[name])
        assert not acts_p[name][:, h:].any()
        assert not acts_p[name][:, :, w:].any()


def test_the_tiles_of_a_picture_add_up(zoo):
    height, width, step, halo = 101, 70, 32, 32
    picture = picture_of(height, width)
    (value, _), gradient = measure(LAYERS, zoo, picture)
    total, summed = 0.0, np.zeros_like(picture)
    shape = (step + 2 * halo,) * 2
    for top in range(0, height, step):
        for left in range(0, width, step):
            start = np.array([top, left])
            origin = np.maximum(start - halo, 0)
            region = Region(np.array([height, width]), origin, start, start + step)
            tile = picture[origin[0] :, origin[1] :][: shape[0], : shape[1]]
            (tile_value, _), tile_gradient = measure(LAYERS, zoo, pad(tile, shape), region)
            total += float(tile_value)
            h, w = tile.shape[:2]
            summed[origin[0] :, origin[1] :][:h, :w] += tile_gradient[:h, :w]
    assert total == pytest.approx(float(value), rel=1e-5)
    close(summed, gradient)


def test_pictures_of_different_sizes_in_one_batch(zoo):
    sizes = [(48, 64), (33, 40)]
    pictures = [picture_of(*size) for size in sizes]
    batch = np.stack([pad(picture) for picture in pictures])
    regions = jax.vmap(full_region)(np.array(sizes))
    (_, _), gradients = jax.vmap(partial(measure, LAYERS), (None, 0, 0))(zoo, batch, regions)
    for picture, gradient in zip(pictures, gradients, strict=True):
        h, w = picture.shape[:2]
        close(gradient[:h, :w], measure(LAYERS, zoo, picture)[1])


def test_rectangle_mask():
    mask = rectangle_mask(np.array([1, 0]), np.array([3, 2]), (4, 3, 5))
    expected = np.zeros((4, 3), bool)
    expected[1:3, :2] = True
    np.testing.assert_array_equal(mask[..., 0], expected)
    assert mask.shape == (4, 3, 1)
