"""Objectives of several pictures as one, whose leaves have an axis of pictures.

The weights of a network in them are never copied where all pictures share it.
"""

from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.objectives.base import Objective

Axes = tuple[int | None, ...]  # of the leaves of an objective: 0 where each picture has its own


def stack_objectives(each: Sequence[Objective]) -> tuple[Objective, Axes | None]:
    """Objectives that differ in their numbers only as one, and which of its leaves are stacked.

    A leaf that all of them share is kept once. A single objective stays as it is.
    """
    if len(each) == 1:
        return each[0], None
    # Not by their values: other pictures must not need another program, and may be traced.
    stacked, axes = _stacked(each, lambda leaves: all(leaf is leaves[0] for leaf in leaves))
    return stacked, axes if 0 in axes else None


def stack_for_visualize(each: Sequence[Objective]) -> tuple[Objective, Axes]:
    """Objectives that differ in their numbers only as one, and which of its leaves are stacked.

    All are, whether they are equal or not, except the weights of a network that all of them share.
    """
    weights = _weights(each)
    return _stacked(
        each,
        lambda leaves: id(leaves[0]) in weights and all(leaf is leaves[0] for leaf in leaves),
    )


def with_own_numbers(objective: Objective) -> Objective:
    """A copy whose leaves are its own, so that they are stacked, except the weights of networks."""
    weights = _weights([objective])
    return jax.tree.map(lambda leaf: leaf if id(leaf) in weights else np.array(leaf), objective)


def _stacked(each: Sequence[Objective], is_shared) -> tuple[Objective, Axes]:
    leaves, structures = zip(*map(jax.tree.flatten, each), strict=True)
    columns = list(zip(*leaves, strict=True))
    axes = tuple(None if is_shared(column) else 0 for column in columns)
    stacked = [
        column[0] if axis is None else jnp.stack(column)
        for axis, column in zip(axes, columns, strict=True)
    ]
    return jax.tree.unflatten(structures[0], stacked), axes


def _weights(objectives: Iterable[Objective]) -> set[int]:
    """The identities of the arrays of networks in objectives."""
    networks = (model for one in objectives for model, _ in one.other_networks)
    return {id(leaf) for model in networks for leaf in jax.tree.leaves(model)}
