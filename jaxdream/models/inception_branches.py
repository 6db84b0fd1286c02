"""Branches of the Inception blocks in timm, by the names of its modules.

A name (``Mixed_5b.branch1.0``) is a convolution with its BatchNorm (folded into the weights) and
its ReLU; the activation is after the ReLU.
"""

from typing import NamedTuple

from jaxdream.models.graph import GraphBuilder
from jaxdream.models.ops import AveragePool, MaxPool


class Unit(NamedTuple):
    """One convolution with its ReLU."""

    features: int
    window: tuple[int, int] = (1, 1)
    stride: int = 1
    same: bool = True


def halving(features: int) -> Unit:
    """The convolution with which a branch halves the map."""
    return Unit(features, (3, 3), 2, same=False)


def branch(build: GraphBuilder, name: str, x: str, *units: Unit) -> str:
    """Units one after the other; of several, each has its number as well."""
    for i, unit in enumerate(units):
        x = build.conv_relu(f"{name}.{i}" if len(units) > 1 else name, x, *unit)
    return x


def pooled_branch(build: GraphBuilder, name: str, x: str, features: int) -> str:
    """An average pool, whose mean leaves the padding out, and a 1x1 convolution."""
    x = build.add(f"{name}.0", AveragePool(counts_padding=False), x)
    return build.conv_relu(f"{name}.1", x, features)


def halving_pool(build: GraphBuilder, name: str, x: str) -> str:
    """The max-pool with which a block halves the map."""
    return build.add(name, MaxPool((3, 3), 2), x)
