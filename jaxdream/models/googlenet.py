"""GoogLeNet (Szegedy et al. 2014) as BVLC trained it in Caffe: the network of DeepDream.

And as torchvision has it, which is another network with other weights.

Layer names are Caffe's. A convolution is named before its ReLU, which has a name of its own;
``.../output`` is the concatenation of the four branches, after their ReLUs. ``4c``,
``inception_4c`` and ``mixed4c`` (the name in lucid) are aliases of ``inception_4c/output``.
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
    Relu,
    Softmax,
)

# Channels of 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj.
INCEPTION_WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
CLASSES = 1000

GOOD_LAYERS = (
    "conv2/3x3",
    "inception_3a/output",
    "inception_3b/5x5_reduce",
    "inception_3b/output",
    "inception_4a/output",
    "inception_4b/output",
    "inception_4c/output",
    "inception_4d/output",
    "inception_4e/output",
)


@cache
def googlenet(
    width: float | tuple[float, float, float] = 1.0, lrn: bool = True, torch: bool = False
) -> Graph:
    """The graph of GoogLeNet, or of a sibling with every width scaled (to multiples of 8).

    Args:
        width: factor on the channels of every convolution; 1 is the original. Three factors apply
            to the layers through 3b, to 4a to 4e, and to 5a and 5b.
        lrn: whether it has the two local response normalisations; without them, their names are
            kept for layers that do nothing.
        torch: as torchvision's: a BatchNorm, folded into the weights, after every convolution;
            kernels of 3x3 where the names say 5x5; a window of 2x2 in the last max-pool.
    """
    build = GraphBuilder()
    early, middle, late = width if isinstance(width, tuple) else (width,) * 3

    def scaled(name: str, features: int) -> int:
        factor = {"inception_4": middle, "inception_5": late}.get(name[:11], early)
        return features if factor == 1 else max(8, round(features * factor / 8) * 8)

    def conv(name: str, relu: str, x: str, features: int, side: int, stride: int = 1) -> str:
        pad = side // 2
        op = Conv(scaled(name, features), (side, side), stride, (pad, pad))
        return build.add(relu, Relu(), build.add(name, op, x))

    def inception(block: str, x: str) -> str:
        ones, reduce_3, threes, reduce_5, fives, projection = INCEPTION_WIDTHS[block]
        scope = f"inception_{block}"

        def branch(kind: str, x: str, features: int, side: int) -> str:
            return conv(f"{scope}/{kind}", f"{scope}/relu_{kind}", x, features, side)

        one = branch("1x1", x, ones, 1)
        three = branch("3x3", branch("3x3_reduce", x, reduce_3, 1), threes, 3)
        five = branch("5x5", branch("5x5_reduce", x, reduce_5, 1), fives, 3 if torch else 5)
        pooled = build.add(f"{scope}/pool", MaxPool((3, 3), 1, (1, 1)), x)
        pool = branch("pool_proj", pooled, projection, 1)
        return build.add(f"{scope}/output", Concat(), one, three, five, pool)

    def halve(name: str, x: str, side: int = 3) -> str:
        return build.add(name, MaxPool((side, side), 2, ceil=True), x)

    norm = LocalResponseNorm() if lrn else Identity()
    x = build.add("data", Input())
    x = conv("conv1/7x7_s2", "conv1/relu_7x7", x, 64, 7, stride=2)
    x = build.add("pool1/norm1", norm, halve("pool1/3x3_s2", x))
    x = conv("conv2/3x3_reduce", "conv2/relu_3x3_reduce", x, 64, 1)
    x = conv("conv2/3x3", "conv2/relu_3x3", x, 192, 3)
    x = halve("pool2/3x3_s2", build.add("conv2/norm2", norm, x))
    for block in INCEPTION_WIDTHS:
        if block in ("4a", "5a"):
            stage = int(block[0]) - 1
            x = halve(f"pool{stage}/3x3_s2", x, 2 if torch and stage == 4 else 3)
        x = inception(block, x)
    x = build.add("pool5/7x7_s1", GlobalAveragePool(), x)
    x = build.add("pool5/drop_7x7_s1", Identity(), x)
    x = build.add("loss3/classifier", Dense(CLASSES), x)
    build.add("prob", Softmax(), x)
    return Graph(build.nodes, _aliases(), GOOD_LAYERS, looked_at=not torch)


def torch_googlenet() -> Graph:
    """The graph of torchvision's GoogLeNet."""
    return googlenet(lrn=False, torch=True)


_TORCH_BRANCHES = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
}
_TORCH_STEM = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2", "conv2/3x3": "conv3"}


def torch_names() -> dict[str, str]:
    """The module in torchvision of every layer with weights but the last, by our name."""
    names = dict(_TORCH_STEM)
    for block in INCEPTION_WIDTHS:
        for ours, theirs in _TORCH_BRANCHES.items():
            names[f"inception_{block}/{ours}"] = f"inception{block}.{theirs}"
    return names


def _aliases() -> dict[str, str]:
    aliases = {"logits": "loss3/classifier"}
    for block in INCEPTION_WIDTHS:
        for alias in (block, f"inception_{block}", f"inception{block}", f"mixed{block}"):
            aliases[alias] = f"inception_{block}/output"
        for branch in ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool", "pool_proj"):
            aliases[f"{block}/{branch}"] = f"inception_{block}/{branch}"
        aliases[f"{block}/output"] = f"inception_{block}/output"
    return aliases
