"""VGG16 and VGG19 (Simonyan and Zisserman 2014), by the layer names of the paper's Caffe nets.

A convolution (``conv4_3``) is named before its ReLU (``relu4_3``). The classifier slides over
larger pictures, as in timm, and its means are over the places; on 224x224 pixels there is one place
only, as in torchvision, which resizes the map before it on other sizes.
"""

from functools import cache
from typing import Literal

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import Conv, Dense, GlobalAveragePool, Input, MaxPool, Relu, Softmax

CLASSES = 1000
WIDTHS = (64, 128, 256, 512, 512)
LENGTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions of each block, by the depth
GOOD_LAYERS = ("relu3_3", "relu4_1", "relu4_2", "relu4_3", "relu5_1")

Depth = Literal[16, 19]


@cache
def vgg(depth: Depth) -> Graph:
    """The graph of VGG16 or VGG19."""
    build = GraphBuilder()

    def conv(number: str, x: str, features: int) -> str:
        linear = build.add(f"conv{number}", Conv(features, (3, 3), 1, (1, 1)), x)
        return build.add(f"relu{number}", Relu(), linear)

    x = build.add("data", Input())
    for block, (length, width) in enumerate(zip(LENGTHS[depth], WIDTHS, strict=True), start=1):
        for i in range(1, length + 1):
            x = conv(f"{block}_{i}", x, width)
        x = build.add(f"pool{block}", MaxPool((2, 2), 2), x)
    x = build.add("relu6", Relu(), build.add("fc6", Conv(4096, (7, 7)), x))
    x = build.add("relu7", Relu(), build.add("fc7", Conv(4096, (1, 1)), x))
    x = build.add("fc8", Dense(CLASSES), build.add("pool7", GlobalAveragePool(), x))
    build.add("prob", Softmax(), x)
    return Graph(build.nodes, {"logits": "fc8"}, GOOD_LAYERS, looked_at=False, head="fc6")


def torch_names(depth: Depth) -> dict[str, tuple[str, ...]]:
    """The modules in torchvision and timm of every layer with weights, by our name."""
    names, index = {}, 0
    for block, length in enumerate(LENGTHS[depth], start=1):
        for i in range(1, length + 1):
            names[f"conv{block}_{i}"] = (f"features.{index}",)
            index += 2  # and a ReLU
        index += 1  # the max-pool
    return names | {
        "fc6": ("classifier.0", "pre_logits.fc1"),
        "fc7": ("classifier.3", "pre_logits.fc2"),
        "fc8": ("classifier.6", "head.fc"),
    }
