"""One picture dreamed in several ways: other settings, objectives or seeds.

Variants that differ in numbers only (the step size, the seed, the jitter, a channel, a weight) are
one batch of one compiled program. The others share what they can through the cache of programs.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxdream.algorithm.finishing import Finishing
from jaxdream.algorithm.keys import drawn_offsets, single_key
from jaxdream.algorithm.octaves import octave_options, octave_sizes
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.deepdream import checked_states, dream_pictures
from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import available
from jaxdream.execution.planner import plan_layouts, useful_batch
from jaxdream.images.pixels import as_pixels
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.objectives.stacking import stack_objectives
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, DreamSettings, takes_settings
from jaxdream.types import AnyArray, OneKey


class Variant(NamedTuple):
    """One way to dream a picture."""

    objective: Objective | str | None = None  # as of ``dream``
    settings: DreamSettings = DreamSettings()
    key: OneKey | int = 0


class VariantsState(NamedTuple):
    """Some of the variants, after a step."""

    indices: tuple[int, ...]  # which of the variants these are
    dream: DreamState  # with a picture for each of them
    done: float  # share of all variants, 0..1


@takes_settings(compute=Compute)
def dream_variants(
    model: Network,
    image: Float[AnyArray, "h w 3"],
    variants: Sequence[Variant],
    *,
    compute: Compute,
) -> list[Float[Array, "h w 3"]]:
    """Dream a picture in several ways, each as ``dream`` with its key would.

        sizes = [jd.Variant("4c", jd.DreamSettings(step_size=size)) for size in (0.5, 1.0, 2.0)]
        pictures = jd.dream_variants(model, image, sizes)

    Args:
        model: from ``load_model`` or ``wrap``.
        image: RGB, 0..255.
        {settings}

    Returns:
        The dreams, RGB, 0..255, not rounded, in the order of the variants.

    Raises:
        JaxdreamError: as of ``dream``, for the first variant that has a reason.
    """
    dreams: dict[int, Array] = {}
    for state in iterate_variants(model, image, variants, compute=compute):
        if state.dream.done == 1:
            dreams.update(zip(state.indices, state.dream.at_octave, strict=True))
    return [dreams[index] for index in range(len(variants))]


@takes_settings(compute=Compute)
def iterate_variants(
    model: Network,
    image: Float[AnyArray, "h w 3"],
    variants: Sequence[Variant],
    *,
    compute: Compute,
) -> Iterator[VariantsState]:
    """Dream as ``dream_variants`` does, yielding the state after every step.

    Args:
        {settings}

    Raises:
        JaxdreamError: as of ``dream``, when it is called; a gradient that was zero or not finite
            throughout, when all states of a batch have been given.
    """
    if compute.shard is not None:
        raise JaxdreamError("variants are computed by one device: leave out shard")
    pixels = as_pixels(image)
    objectives = [as_objective(variant.objective, model) for variant in variants]
    planned = []
    for indices in _groups(variants, objectives):
        first = variants[indices[0]].settings
        sizes = octave_sizes(model, objectives[indices[0]], pixels.shape[:2], first)
        limit = useful_batch(model, objectives[indices[0]], sizes[-1], available(compute.memory))
        parts = np.array_split(indices, -(-len(indices) // limit))
        planned += [([int(index) for index in part], sizes) for part in parts]
    return _run(model, pixels, variants, objectives, planned, compute)


def _groups(variants: Sequence[Variant], objectives: Sequence[Objective]) -> list[list[int]]:
    """The variants that can share a program, by their indices."""
    groups: dict[object, list[int]] = {}
    for index, (variant, objective) in enumerate(zip(variants, objectives, strict=True)):
        settings = variant.settings
        leaves, structure = jax.tree.flatten(objective)
        program = (
            structure,
            tuple((np.shape(leaf), leaf.dtype) for leaf in leaves),
            tuple(octave_options(settings).items()),
            settings.steps,
            settings.seamless,
            StepRule.of(settings),
            Finishing.of(settings),
            # What it maximises is found out before each dream.
            index if objective.depends_on_picture else None,
        )
        groups.setdefault(program, []).append(index)
    return list(groups.values())


def _run(
    model: Network,
    pixels: Float[np.ndarray, "h w 3"],
    variants: Sequence[Variant],
    objectives: Sequence[Objective],
    planned: Sequence[tuple[list[int], Sequence[tuple[int, int]]]],
    compute: Compute,
) -> Iterator[VariantsState]:
    finished = 0
    for indices, sizes in planned:
        settings = [variants[index].settings for index in indices]
        offsets = np.concatenate([
            drawn_offsets([single_key(variants[index].key)], [[size] for size in sizes], each)
            for index, each in zip(indices, settings, strict=True)
        ], axis=1)  # fmt: skip
        objective, axes = stack_objectives([objectives[index] for index in indices])
        layouts = plan_layouts(
            sizes, len(indices), model=model, rule=StepRule.of(settings[0]), objective=objective,
            steps=settings[0].steps, shapes=compute.shapes,
        )  # fmt: skip
        step_sizes = np.array([each.step_size for each in settings], np.float32)
        states = dream_pictures(
            offsets, model, [pixels] * len(indices), objective, layouts,
            settings=settings[0], compute=compute, objective_axes=axes,
            step_size=step_sizes if len(set(step_sizes)) > 1 else step_sizes[:1].reshape(()),
        )  # fmt: skip
        for state in checked_states(states, objectives[indices[0]]):
            done = (finished + len(indices) * state.done) / len(variants)
            yield VariantsState(tuple(indices), state, done)
        finished += len(indices)
