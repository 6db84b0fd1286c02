"""What of a visualisation is computed at once, and what of each picture the network sees."""

import math
from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.settings import VisualizeSettings
from jaxdream.types import Size
from jaxdream.visualization.crops import RandomCrops
from jaxdream.visualization.step import Transforms
from jaxdream.visualization.transforms import RandomTransforms

_DEFAULT_SIDE = 224  # pixels; the size that the networks were trained with
_BATCH_PIXELS = 16 * 224 * 224  # of the pictures made at once: under 2 GB with GoogLeNet


def transforms_of(
    given: bool | Transforms, crops: bool, model: Network, objectives: Sequence[Objective]
) -> Transforms | None:
    """The random transforms, as the network takes pictures; ``crops`` are those of ``True``."""
    if isinstance(given, bool):
        transforms = (RandomCrops() if crops else RandomTransforms()) if given else None
    else:
        transforms = given
    fixed = fixed_size_of(model, objectives)
    if fixed is None or transforms is None:
        return transforms
    if isinstance(transforms, RandomCrops):
        return replace(transforms, side=fixed[0])
    return replace(transforms, pad=0)  # it takes no picture with a border


def seen_size(transforms: Transforms | None, size: Size) -> Size:
    """Height and width of what the network sees of a picture of this size."""
    return transforms.seen(size) if isinstance(transforms, RandomCrops) else size


def picture_size(
    given: int | Size | None,
    transforms: Transforms | None,
    model: Network,
    objectives: Sequence[Objective],
    settings: VisualizeSettings,
) -> Size:
    """Height and width of the pictures.

    Args:
        given: in pixels: a side, or height and width; by default the one size that the network
            takes, unless it sees crops, or that of the settings.

    Raises:
        JaxdreamError: an objective cannot be computed on what the network sees of such pictures.
    """
    if given is None:
        fixed = None if isinstance(transforms, RandomCrops) else fixed_size_of(model, objectives)
        given = fixed or settings.side
    size = (given, given) if isinstance(given, int) else given
    for one in objectives:
        one.check_size(model.graph, seen_size(transforms, size))
    return size


def fixed_size_of(model: Network, objectives: Sequence[Objective]) -> Size | None:
    """The one size that the network takes, if it does."""
    return next(filter(None, (one.fixed_size(model.graph) for one in objectives)), None)


def batches_of(
    objectives: Sequence[Objective],
    settings: VisualizeSettings,
    size: Size,
    transforms: Transforms | None,
) -> list[list[int]]:
    """Which objectives are made at once, by their indices.

    Raises:
        JaxdreamError: only one is, of pictures that look at one another.
    """
    needs_batch = next((one for one in objectives if one.needs_batch), None)
    at_once = needs_batch is not None or settings.diversity
    batch = len(objectives) if at_once else _most_at_once(size, transforms)
    batches = plan_batches(objectives, batch=batch)
    if at_once and (len(objectives) == 1 or len(batches) > 1):
        what = f"diversity is {settings.diversity}" if needs_batch is None else repr(needs_batch)
        raise JaxdreamError(
            f"{what}, but there is only one picture of an objective: give the same objective "
            "several times, as in [objective] * 4"
        )
    return batches


def most_at_once(
    model: Network,
    objective: Objective,
    *,
    settings: VisualizeSettings,
    size: Size,
) -> int:
    """How many pictures ``iterate_visualize`` makes at once from noise, at most.

    Args:
        size: their height and width.
    """
    crops = settings.parametrization == "maco"
    return _most_at_once(size, transforms_of(settings.transforms, crops, model, [objective]))


def _most_at_once(size: Size, transforms: Transforms | None) -> int:
    views = transforms.count if isinstance(transforms, RandomCrops) else 1
    pixels = max(math.prod(size), views * math.prod(seen_size(transforms, size)))
    return max(1, _BATCH_PIXELS // max(1, pixels))


def plan_batches(
    objectives: Sequence[Objective], *, size: int | Size = _DEFAULT_SIDE, batch: int | None = None
) -> list[list[int]]:
    """Which of these objectives to visualise at once, by their indices in the sequence.

    Those that differ in their numbers only share a program and are made in one vmapped call; each
    layer has a program of its own.

    Args:
        size: of the pictures, in pixels: a side, or height and width.
        batch: the most pictures of one call; by default 16 of 224x224 or as many pixels, which
            take under 2 GB with GoogLeNet.
    """
    size = (size, size) if isinstance(size, int) else size
    limit = _most_at_once(size, None) if batch is None else batch
    groups: dict[object, list[int]] = {}
    for i, objective in enumerate(objectives):
        shapes = tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(objective))
        groups.setdefault((jax.tree.structure(objective), shapes), []).append(i)
    return [
        [int(i) for i in indices]
        for group in groups.values()
        for indices in np.array_split(group, math.ceil(len(group) / limit))
    ]
