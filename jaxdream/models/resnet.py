"""ResNet50 (He et al. 2015) as torchvision has it, by the names of its modules.

``layer3.5.conv2`` is a convolution with its BatchNorm (folded into the weights), before its ReLU,
which is ``layer3.5.relu2``. ``layer3.5.add`` is the sum of the block's input and its branch, and
``layer3.5`` the block's output, after the ReLU; ``layer3`` is that of its last block. The stride of
a block is that of its 3x3 convolution.
"""

from functools import cache

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import Add, Conv, Dense, GlobalAveragePool, Input, MaxPool, Relu, Softmax

CLASSES = 1000
STAGES = {"layer1": (3, 64), "layer2": (4, 128), "layer3": (6, 256), "layer4": (3, 512)}
EXPANSION = 4  # channels of a block's output, in widths of its 3x3 convolution
GOOD_LAYERS = ("layer2.1", "layer2.3", "layer3.0", "layer3.2", "layer3.5", "layer4.0")


def _block(build: GraphBuilder, scope: str, x: str, width: int, stride: int, first: bool) -> str:
    def conv(number: int, x: str, op: Conv) -> str:
        return build.add(f"{scope}.conv{number}", op, x)

    y = build.add(f"{scope}.relu1", Relu(), conv(1, x, Conv(width, (1, 1))))
    y = build.add(f"{scope}.relu2", Relu(), conv(2, y, Conv(width, (3, 3), stride, (1, 1))))
    y = conv(3, y, Conv(EXPANSION * width, (1, 1)))
    if first:
        x = build.add(f"{scope}.downsample", Conv(EXPANSION * width, (1, 1), stride), x)
    return build.add(scope, Relu(), build.add(f"{scope}.add", Add(), x, y))


@cache
def resnet50() -> Graph:
    """The graph of ResNet50."""
    build = GraphBuilder()
    aliases = {"logits": "fc"}
    x = build.add("conv1", Conv(64, (7, 7), 2, (3, 3)), build.add("data", Input()))
    x = build.add("maxpool", MaxPool((3, 3), 2, (1, 1)), build.add("relu", Relu(), x))
    for stage, (count, width) in STAGES.items():
        for i in range(count):
            stride = 2 if i == 0 and stage != "layer1" else 1
            x = _block(build, f"{stage}.{i}", x, width, stride, first=i == 0)
        aliases[stage] = x
    x = build.add("fc", Dense(CLASSES), build.add("avgpool", GlobalAveragePool(), x))
    build.add("prob", Softmax(), x)
    return Graph(build.nodes, aliases, GOOD_LAYERS, looked_at=False)


def torch_norms() -> dict[str, tuple[str, str]]:
    """The convolution and its BatchNorm in torchvision of every layer with weights but the last."""
    names = {}
    for scope in resnet50().kernel_shapes:
        if scope.endswith(".downsample"):
            names[scope] = f"{scope}.0", f"{scope}.1"
        elif scope != "fc":
            names[scope] = scope, scope.replace("conv", "bn")
    return names
