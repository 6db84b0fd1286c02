"""Inception v3 (Szegedy et al. 2015), by the layer names of TensorFlow's 2015 graph.

A scope (``mixed_4/tower_1/conv_2``) is a convolution with its BatchNorm (folded into the weights)
and its ReLU, as in the graph and in torchvision; the activation is after the ReLU. The spellings
``mixed4`` and ``Mixed_6b`` are aliases.
"""

from functools import cache

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.ops import (
    AveragePool,
    Concat,
    Dense,
    GlobalAveragePool,
    Identity,
    Input,
    MaxPool,
    Softmax,
)

CLASSES = 1000
GOOD_LAYERS = ("mixed", "mixed_2", "mixed_3", "mixed_4")

# TensorFlow's scope and torchvision's module, for the layers outside blocks.
_STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "pool": "maxpool1",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
    "pool_1": "maxpool2",
}
_BLOCKS = {
    "mixed": "Mixed_5b",
    "mixed_1": "Mixed_5c",
    "mixed_2": "Mixed_5d",
    "mixed_3": "Mixed_6a",
    "mixed_4": "Mixed_6b",
    "mixed_5": "Mixed_6c",
    "mixed_6": "Mixed_6d",
    "mixed_7": "Mixed_6e",
    "mixed_8": "Mixed_7a",
    "mixed_9": "Mixed_7b",
    "mixed_10": "Mixed_7c",
}
# Inside a block: TensorFlow's scope and torchvision's, by the kind of block.
_BRANCHES_35 = {
    "conv": "branch1x1",
    "tower/conv": "branch5x5_1",
    "tower/conv_1": "branch5x5_2",
    "tower_1/conv": "branch3x3dbl_1",
    "tower_1/conv_1": "branch3x3dbl_2",
    "tower_1/conv_2": "branch3x3dbl_3",
    "tower_2/conv": "branch_pool",
}
_BRANCHES_35_TO_17 = {
    "conv": "branch3x3",
    "tower/conv": "branch3x3dbl_1",
    "tower/conv_1": "branch3x3dbl_2",
    "tower/conv_2": "branch3x3dbl_3",
}
_BRANCHES_17 = {
    "conv": "branch1x1",
    "tower/conv": "branch7x7_1",
    "tower/conv_1": "branch7x7_2",
    "tower/conv_2": "branch7x7_3",
    "tower_1/conv": "branch7x7dbl_1",
    "tower_1/conv_1": "branch7x7dbl_2",
    "tower_1/conv_2": "branch7x7dbl_3",
    "tower_1/conv_3": "branch7x7dbl_4",
    "tower_1/conv_4": "branch7x7dbl_5",
    "tower_2/conv": "branch_pool",
}
_BRANCHES_17_TO_8 = {
    "tower/conv": "branch3x3_1",
    "tower/conv_1": "branch3x3_2",
    "tower_1/conv": "branch7x7x3_1",
    "tower_1/conv_1": "branch7x7x3_2",
    "tower_1/conv_2": "branch7x7x3_3",
    "tower_1/conv_3": "branch7x7x3_4",
}
_BRANCHES_8 = {
    "conv": "branch1x1",
    "tower/conv": "branch3x3_1",
    "tower/mixed/conv": "branch3x3_2a",
    "tower/mixed/conv_1": "branch3x3_2b",
    "tower_1/conv": "branch3x3dbl_1",
    "tower_1/conv_1": "branch3x3dbl_2",
    "tower_1/mixed/conv": "branch3x3dbl_3a",
    "tower_1/mixed/conv_1": "branch3x3dbl_3b",
    "tower_2/conv": "branch_pool",
}
_BRANCHES = dict(
    zip(
        _BLOCKS,
        [
            *[_BRANCHES_35] * 3,
            _BRANCHES_35_TO_17,
            *[_BRANCHES_17] * 4,
            _BRANCHES_17_TO_8,
            *[_BRANCHES_8] * 2,
        ],
        strict=True,
    )
)


def torch_names() -> dict[str, str]:
    """The module in torchvision and timm of every layer with weights, by our name."""
    names = {ours: theirs for ours, theirs in _STEM.items() if ours.startswith("conv")}
    for block, branches in _BRANCHES.items():
        names |= {f"{block}/{ours}": f"{_BLOCKS[block]}.{b}" for ours, b in branches.items()}
    return names | {"softmax/logits": "fc"}


class _Builder(GraphBuilder):
    """Adds convolutions under the scope of a block."""

    def chain(self, scope: str, x: str, *convs: tuple[int, tuple[int, int]]) -> str:
        """Convolutions of (features, window) one after the other: conv, conv_1, conv_2, ..."""
        for i, (features, window) in enumerate(convs):
            x = self.conv_relu(f"{scope}/conv" + (f"_{i}" if i else ""), x, features, window)
        return x

    def halve(self, scope: str, x: str, number: int, features: int) -> str:
        """The last convolution of a branch that halves the map."""
        return self.conv_relu(f"{scope}/conv_{number}", x, features, (3, 3), stride=2, same=False)


def _stem(build: _Builder) -> str:
    x = build.conv_relu("conv", build.add("data", Input()), 32, (3, 3), stride=2, same=False)
    x = build.conv_relu("conv_1", x, 32, (3, 3), same=False)
    x = build.conv_relu("conv_2", x, 64, (3, 3))
    x = build.conv_relu("conv_3", build.add("pool", MaxPool((3, 3), 2), x), 80, same=False)
    x = build.conv_relu("conv_4", x, 192, (3, 3), same=False)
    return build.add("pool_1", MaxPool((3, 3), 2), x)


def _block_35(build: _Builder, scope: str, x: str, pool: AveragePool, pool_features: int) -> str:
    one = build.conv_relu(f"{scope}/conv", x, 64)
    five = build.chain(f"{scope}/tower", x, (48, (1, 1)), (64, (5, 5)))
    double = build.chain(f"{scope}/tower_1", x, (64, (1, 1)), (96, (3, 3)), (96, (3, 3)))
    pooled = build.add(f"{scope}/tower_2/pool", pool, x)
    pooled = build.conv_relu(f"{scope}/tower_2/conv", pooled, pool_features)
    return build.add(scope, Concat(), one, five, double, pooled)


def _block_35_to_17(build: _Builder, scope: str, x: str) -> str:
    three = build.conv_relu(f"{scope}/conv", x, 384, (3, 3), stride=2, same=False)
    double = build.chain(f"{scope}/tower", x, (64, (1, 1)), (96, (3, 3)))
    double = build.halve(f"{scope}/tower", double, 2, 96)
    pooled = build.add(f"{scope}/pool", MaxPool((3, 3), 2), x)
    return build.add(scope, Concat(), three, double, pooled)


def _block_17(build: _Builder, scope: str, x: str, pool: AveragePool, n: int) -> str:
    one = build.conv_relu(f"{scope}/conv", x, 192)
    seven = build.chain(f"{scope}/tower", x, (n, (1, 1)), (n, (1, 7)), (192, (7, 1)))
    double = [(n, (1, 1)), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))]
    double = build.chain(f"{scope}/tower_1", x, *double)
    pooled = build.add(f"{scope}/tower_2/pool", pool, x)
    pooled = build.conv_relu(f"{scope}/tower_2/conv", pooled, 192)
    return build.add(scope, Concat(), one, seven, double, pooled)


def _block_17_to_8(build: _Builder, scope: str, x: str) -> str:
    three = build.chain(f"{scope}/tower", x, (192, (1, 1)))
    three = build.halve(f"{scope}/tower", three, 1, 320)
    seven = build.chain(f"{scope}/tower_1", x, (192, (1, 1)), (192, (1, 7)), (192, (7, 1)))
    seven = build.halve(f"{scope}/tower_1", seven, 3, 192)
    pooled = build.add(f"{scope}/pool", MaxPool((3, 3), 2), x)
    return build.add(scope, Concat(), three, seven, pooled)


def _block_8(build: _Builder, scope: str, x: str, pool: AveragePool | MaxPool) -> str:
    def fork(scope: str, x: str) -> str:
        wide = build.conv_relu(f"{scope}/mixed/conv", x, 384, (1, 3))
        tall = build.conv_relu(f"{scope}/mixed/conv_1", x, 384, (3, 1))
        return build.add(f"{scope}/mixed", Concat(), wide, tall)

    one = build.conv_relu(f"{scope}/conv", x, 320)
    three = fork(f"{scope}/tower", build.chain(f"{scope}/tower", x, (384, (1, 1))))
    double = build.chain(f"{scope}/tower_1", x, (448, (1, 1)), (384, (3, 3)))
    double = fork(f"{scope}/tower_1", double)
    pooled = build.add(f"{scope}/tower_2/pool", pool, x)
    pooled = build.conv_relu(f"{scope}/tower_2/conv", pooled, 192)
    return build.add(scope, Concat(), one, three, double, pooled)


@cache
def inception_v3(*, torch: bool = True, last: str | None = None) -> Graph:
    """The graph of Inception v3.

    Args:
        torch: compute as torchvision and timm do; otherwise as TensorFlow's 2015 graph, whose
            average pools leave the padding out of the mean and whose last block has a max-pool.
        last: the last block, for weight files that end early; by default the classifier is last.
    """
    build = _Builder()
    average = AveragePool(counts_padding=torch)
    x = _stem(build)
    for i, (block, pool_features) in enumerate(zip(_BLOCKS, (32, 64, 64) + (0,) * 8, strict=True)):
        if i < 3:
            x = _block_35(build, block, x, average, pool_features)
        elif i == 3:
            x = _block_35_to_17(build, block, x)
        elif i < 8:
            x = _block_17(build, block, x, average, {4: 128, 5: 160, 6: 160, 7: 192}[i])
        elif i == 8:
            x = _block_17_to_8(build, block, x)
        else:
            has_max_pool = i == 10 and not torch
            x = _block_8(build, block, x, MaxPool((3, 3), 1, (1, 1)) if has_max_pool else average)
        if block == last:
            break
    if last is None:
        x = build.add("pool_3", GlobalAveragePool(), x)
        x = build.add("softmax/logits", Dense(CLASSES), build.add("dropout", Identity(), x))
        build.add("softmax", Softmax(), x)
    return Graph(build.nodes, _aliases(build), GOOD_LAYERS)


def _aliases(build: GraphBuilder) -> dict[str, str]:
    aliases = {theirs: ours for ours, theirs in (_STEM | _BLOCKS | torch_names()).items()}
    aliases |= {f"mixed{i}": block for i, block in enumerate(_BLOCKS)}
    aliases |= {"mixed_0": "mixed", "Pool1": "pool", "Pool2": "pool_1", "logits": "softmax/logits"}
    return {alias: name for alias, name in aliases.items() if name in build.nodes}
