"""The GoogLeNet in TensorFlow's ``inception5h.zip``, by the layer names of its graph.

It is the network of Google's DeepDream notebook for TensorFlow, of lucid (as InceptionV1) and of
the articles of Distill, whose channel numbers are those here. Its weights are not those of Caffe's
GoogLeNet, and some widths differ. ``mixed4c_3x3_pre_relu`` is a convolution before its ReLU,
``mixed4c_3x3``; ``mixed4c`` is the concatenation of the four branches. Layers that end in ``_pad``
hold the zeros of TensorFlow's padding, which the graph has inside its operations.
"""

from functools import cache

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import (
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Identity,
    Input,
    LocalResponseNorm,
    MaxPool,
    PadSame,
    Relu,
    Softmax,
)

# Channels of 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce.
WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 204, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 48, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
CLASSES = 1008
GOOD_LAYERS = (
    "conv2d2",
    "mixed3a",
    "mixed3b",
    "mixed4a",
    "mixed4b",
    "mixed4c",
    "mixed4d",
    "mixed4e",
)
# What the graph says of both of its norms.
NORM = LocalResponseNorm(channels=2 * 5 + 1, scale=1e-4, power=0.5, bias=2.0)


@cache
def inception5h() -> Graph:
    """The graph of TensorFlow's inception5h, without its two auxiliary classifiers."""
    build = GraphBuilder()

    def conv(name: str, x: str, features: int, side: int = 1) -> str:
        op = Conv(features, (side, side), 1, (side // 2, side // 2))
        return build.add(name, Relu(), build.add(f"{name}_pre_relu", op, x))

    def halve(name: str, x: str) -> str:
        return build.add(name, MaxPool((3, 3), 2), build.add(f"{name}_pad", PadSame(3, 2), x))

    def inception(block: str, x: str) -> str:
        ones, reduce_3, threes, reduce_5, fives, reduce_pool = WIDTHS[block]
        scope = f"mixed{block}"
        one = conv(f"{scope}_1x1", x, ones)
        three = conv(f"{scope}_3x3", conv(f"{scope}_3x3_bottleneck", x, reduce_3), threes, 3)
        five = conv(f"{scope}_5x5", conv(f"{scope}_5x5_bottleneck", x, reduce_5), fives, 5)
        pooled = build.add(f"{scope}_pool", MaxPool((3, 3), 1, (1, 1)), x)
        pool = conv(f"{scope}_pool_reduce", pooled, reduce_pool)
        return build.add(scope, Concat(), one, three, five, pool)

    x = build.add("conv2d0_pad", PadSame(7, 2), build.add("data", Input()))
    x = build.add("conv2d0", Relu(), build.add("conv2d0_pre_relu", Conv(64, (7, 7), 2), x))
    x = build.add("localresponsenorm0", NORM, halve("maxpool0", x))
    x = conv("conv2d2", conv("conv2d1", x, 64), 192, 3)
    x = halve("maxpool1", build.add("localresponsenorm1", NORM, x))
    for block in WIDTHS:
        if block in ("4a", "5a"):
            x = halve("maxpool4" if block == "4a" else "maxpool10", x)
        x = inception(block, x)
    x = build.add("avgpool0", GlobalAveragePool(), x)
    x = build.add("softmax2_pre_activation", Dense(CLASSES), build.add("dropout", Identity(), x))
    build.add("softmax2", Softmax(), x)
    return Graph(build.nodes, _aliases(), GOOD_LAYERS, looked_at=False)


def _aliases() -> dict[str, str]:
    aliases = {"logits": "softmax2_pre_activation"}
    for block in WIDTHS:
        aliases[block] = f"mixed{block}"
    return aliases


def tensorflow_names() -> dict[str, str]:
    """The name in the graph of every layer's weights, ``NAME_w`` and ``NAME_b``, by our name."""
    return {
        scope: scope.removesuffix("_pre_relu").removesuffix("_pre_activation")
        for scope in inception5h().kernel_shapes
    }


def torch_names() -> dict[str, str]:
    """The module in ports to PyTorch (neural-dream's, lucent's) of every layer with weights."""
    return {
        scope: f"{scope}_matmul" if scope.endswith("_activation") else f"{scope}_conv"
        for scope in inception5h().kernel_shapes
    }
