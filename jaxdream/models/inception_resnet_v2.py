"""Inception-ResNet v2 (Szegedy et al. 2016), by the names of timm's modules.

``repeat``, ``repeat_1`` and ``repeat_2`` are rows of residual blocks: ``repeat.3`` is the output of
the fourth, after its ReLU, ``repeat.3.add`` the sum before it, and ``repeat`` that of the last. For
names inside a block see ``inception_branches``; ``repeat.3.conv2d`` is the branches' last
convolution, which has neither BatchNorm nor ReLU.
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
from jaxdream.models.ops import (
    Add,
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Identity,
    Input,
    Relu,
    Softmax,
)

CLASSES = 1000
GOOD_LAYERS = ("mixed_5b", "repeat.4", "repeat.9", "mixed_6a", "repeat_1.4", "repeat_1.9")

# Of each row of residual blocks: how many, the scale of what they add, channels, and branches.
_Row = tuple[int, float, int, tuple[tuple[Unit, ...], ...]]
_ROWS: dict[str, _Row] = {
    "repeat": (
        10,
        0.17,
        320,
        (
            (Unit(32),),
            (Unit(32), Unit(32, (3, 3))),
            (Unit(32), Unit(48, (3, 3)), Unit(64, (3, 3))),
        ),
    ),
    "repeat_1": (20, 0.1, 1088, ((Unit(192),), (Unit(128), Unit(160, (1, 7)), Unit(192, (7, 1))))),
    "repeat_2": (9, 0.2, 2080, ((Unit(192),), (Unit(192), Unit(224, (1, 3)), Unit(256, (3, 1))))),
}


def _residual(build: GraphBuilder, scope: str, x: str, row: str, *, last: bool = False) -> str:
    """One residual block; the last one adds its branch as it is, and has no ReLU."""
    _, scale, channels, branches = _ROWS[row]
    ends = [branch(build, f"{scope}.branch{i}", x, *units) for i, units in enumerate(branches)]
    y = build.add(f"{scope}.concat", Concat(), *ends)
    y = build.add(f"{scope}.conv2d", Conv(channels, (1, 1)), y)
    y = build.add(f"{scope}.add", Add(1.0 if last else scale), x, y)
    return build.add(scope, Identity() if last else Relu(), y)


def _row(build: GraphBuilder, name: str, x: str) -> str:
    for i in range(_ROWS[name][0]):
        x = _residual(build, f"{name}.{i}", x, name)
    return x


def _stem(build: GraphBuilder) -> str:
    x = build.conv_relu("conv2d_1a", build.add("data", Input()), *halving(32))
    x = build.conv_relu("conv2d_2a", x, 32, (3, 3), same=False)
    x = halving_pool(build, "maxpool_3a", build.conv_relu("conv2d_2b", x, 64, (3, 3)))
    x = build.conv_relu("conv2d_4a", build.conv_relu("conv2d_3b", x, 80), 192, (3, 3), same=False)
    return halving_pool(build, "maxpool_5a", x)


def _mixed_5b(build: GraphBuilder, scope: str, x: str) -> str:
    branches = (
        branch(build, f"{scope}.branch0", x, Unit(96)),
        branch(build, f"{scope}.branch1", x, Unit(48), Unit(64, (5, 5))),
        branch(build, f"{scope}.branch2", x, Unit(64), Unit(96, (3, 3)), Unit(96, (3, 3))),
        pooled_branch(build, f"{scope}.branch3", x, 64),
    )
    return build.add(scope, Concat(), *branches)


def _mixed_6a(build: GraphBuilder, scope: str, x: str) -> str:
    branches = (
        branch(build, f"{scope}.branch0", x, halving(384)),
        branch(build, f"{scope}.branch1", x, Unit(256), Unit(256, (3, 3)), halving(384)),
        halving_pool(build, f"{scope}.branch2", x),
    )
    return build.add(scope, Concat(), *branches)


def _mixed_7a(build: GraphBuilder, scope: str, x: str) -> str:
    branches = (
        branch(build, f"{scope}.branch0", x, Unit(256), halving(384)),
        branch(build, f"{scope}.branch1", x, Unit(256), halving(288)),
        branch(build, f"{scope}.branch2", x, Unit(256), Unit(288, (3, 3)), halving(320)),
        halving_pool(build, f"{scope}.branch3", x),
    )
    return build.add(scope, Concat(), *branches)


@cache
def inception_resnet_v2() -> Graph:
    """The graph of Inception-ResNet v2."""
    build = GraphBuilder()
    x = _mixed_5b(build, "mixed_5b", _stem(build))
    x = _mixed_6a(build, "mixed_6a", _row(build, "repeat", x))
    x = _mixed_7a(build, "mixed_7a", _row(build, "repeat_1", x))
    x = _residual(build, "block8", _row(build, "repeat_2", x), "repeat_2", last=True)
    x = build.conv_relu("conv2d_7b", x, 1536)
    x = build.add("classif", Dense(CLASSES), build.add("pool", GlobalAveragePool(), x))
    build.add("prob", Softmax(), x)
    aliases = {name: f"{name}.{count - 1}" for name, (count, *_) in _ROWS.items()}
    return Graph(build.nodes, aliases | {"logits": "classif"}, GOOD_LAYERS, looked_at=False)


def torch_names() -> dict[str, str]:
    """The module in timm of every convolution with a BatchNorm, by our name: the same."""
    scopes = inception_resnet_v2().kernel_shapes
    return {s: s for s in scopes if s != "classif" and not s.endswith(".conv2d")}
