"""Inception v4 (Szegedy et al. 2016), by the blocks' names in TensorFlow's models.

Inside a block the names are timm's: see ``inception_branches``. timm's own names of the blocks
(``features.6`` for ``Mixed_5b``) are aliases.
"""

from functools import cache

from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.inception_branches import (
    Unit,
    branch,
    halving,
    halving_pool,
    pooled_branch,
)
from jaxdream.models.ops import Concat, Dense, GlobalAveragePool, Input, Softmax

CLASSES = 1000
GOOD_LAYERS = ("Mixed_5b", "Mixed_5d", "Mixed_5e", "Mixed_6b", "Mixed_6d")
# In the order of timm's ``features``.
BLOCKS = (
    *("Conv2d_1a", "Conv2d_2a", "Conv2d_2b", "Mixed_3a", "Mixed_4a", "Mixed_5a"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_5e", "Mixed_6a"),
    *("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_6f", "Mixed_6g", "Mixed_6h"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "Mixed_7d"),
)


def _stem(build: GraphBuilder) -> str:
    x = build.conv_relu("Conv2d_1a", build.add("data", Input()), *halving(32))
    x = build.conv_relu("Conv2d_2a", x, 32, (3, 3), same=False)
    x = build.conv_relu("Conv2d_2b", x, 64, (3, 3))
    pooled = halving_pool(build, "Mixed_3a.maxpool", x)
    x = build.add("Mixed_3a", Concat(), pooled, branch(build, "Mixed_3a.conv", x, halving(96)))
    last = Unit(96, (3, 3), same=False)
    three = branch(build, "Mixed_4a.branch0", x, Unit(64), last)
    seven = Unit(64), Unit(64, (1, 7)), Unit(64, (7, 1)), last
    x = build.add("Mixed_4a", Concat(), three, branch(build, "Mixed_4a.branch1", x, *seven))
    conv = branch(build, "Mixed_5a.conv", x, halving(192))
    return build.add("Mixed_5a", Concat(), conv, halving_pool(build, "Mixed_5a.maxpool", x))


def _block_35(build: GraphBuilder, scope: str, x: str) -> str:
    three = Unit(96, (3, 3))
    branches = (
        branch(build, f"{scope}.branch0", x, Unit(96)),
        branch(build, f"{scope}.branch1", x, Unit(64), three),
        branch(build, f"{scope}.branch2", x, Unit(64), three, three),
        pooled_branch(build, f"{scope}.branch3", x, 96),
    )
    return build.add(scope, Concat(), *branches)


def _block_35_to_17(build: GraphBuilder, scope: str, x: str) -> str:
    double = Unit(192), Unit(224, (3, 3)), halving(256)
    branches = (
        branch(build, f"{scope}.branch0", x, halving(384)),
        branch(build, f"{scope}.branch1", x, *double),
        halving_pool(build, f"{scope}.branch2", x),
    )
    return build.add(scope, Concat(), *branches)


def _block_17(build: GraphBuilder, scope: str, x: str) -> str:
    seven = Unit(192), Unit(224, (1, 7)), Unit(256, (7, 1))
    double = Unit(192), Unit(192, (7, 1)), Unit(224, (1, 7)), Unit(224, (7, 1)), Unit(256, (1, 7))
    branches = (
        branch(build, f"{scope}.branch0", x, Unit(384)),
        branch(build, f"{scope}.branch1", x, *seven),
        branch(build, f"{scope}.branch2", x, *double),
        pooled_branch(build, f"{scope}.branch3", x, 128),
    )
    return build.add(scope, Concat(), *branches)


def _block_17_to_8(build: GraphBuilder, scope: str, x: str) -> str:
    seven = Unit(256), Unit(256, (1, 7)), Unit(320, (7, 1)), halving(320)
    branches = (
        branch(build, f"{scope}.branch0", x, Unit(192), halving(192)),
        branch(build, f"{scope}.branch1", x, *seven),
        halving_pool(build, f"{scope}.branch2", x),
    )
    return build.add(scope, Concat(), *branches)


def _block_8(build: GraphBuilder, scope: str, x: str) -> str:
    def unit(name: str, x: str, *unit) -> str:
        return build.conv_relu(f"{scope}.{name}", x, *unit)

    one = unit("branch0", x, 256)
    three = unit("branch1_0", x, 384)
    five = unit("branch2_1", unit("branch2_0", x, 384), 448, (3, 1))
    five = unit("branch2_2", five, 512, (1, 3))
    branches = (
        one,
        unit("branch1_1a", three, 256, (1, 3)),
        unit("branch1_1b", three, 256, (3, 1)),
        unit("branch2_3a", five, 256, (1, 3)),
        unit("branch2_3b", five, 256, (3, 1)),
        pooled_branch(build, f"{scope}.branch3", x, 256),
    )
    return build.add(scope, Concat(), *branches)


@cache
def inception_v4() -> Graph:
    """The graph of Inception v4."""
    build = GraphBuilder()
    x = _stem(build)
    for scope in BLOCKS[BLOCKS.index("Mixed_5b") :]:
        if scope == "Mixed_6a":
            x = _block_35_to_17(build, scope, x)
        elif scope == "Mixed_7a":
            x = _block_17_to_8(build, scope, x)
        else:
            block = {"Mixed_5": _block_35, "Mixed_6": _block_17, "Mixed_7": _block_8}[scope[:-1]]
            x = block(build, scope, x)
    x = build.add("last_linear", Dense(CLASSES), build.add("pool", GlobalAveragePool(), x))
    build.add("prob", Softmax(), x)
    aliases = {f"features.{i}": block for i, block in enumerate(BLOCKS)}
    return Graph(build.nodes, aliases | {"logits": "last_linear"}, GOOD_LAYERS, looked_at=False)


def torch_names() -> dict[str, str]:
    """The module in timm of every layer with weights but the last, by our name."""
    names = {}
    for scope in inception_v4().kernel_shapes:
        block, dot, rest = scope.partition(".")
        if block in BLOCKS:
            names[scope] = f"features.{BLOCKS.index(block)}{dot}{rest}"
    return names
