"""jaxdream's own programs, as they are for devices that are not here."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding

from jaxdream.algorithm.keys import picture_keys
from jaxdream.algorithm.octaves import octave_sizes
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.execution.octave import Octave
from jaxdream.execution.planner import plan_layouts
from jaxdream.execution.shapes import Layout, PaddedLayout, shared_shapes
from jaxdream.execution.sharding import shard_rows
from jaxdream.models.network import Network
from jaxdream.objectives import channel
from jaxdream.objectives.stacking import stack_for_visualize
from jaxdream.objectives.text import as_objective
from jaxdream.settings import DreamSettings, VideoSettings, VisualizeSettings
from jaxdream.types import Device, Size
from jaxdream.video.dreamer import FRAMES_OF_A_PROGRAM
from jaxdream.visualization.fourier import FourierImage
from jaxdream.visualization.step import StepWeights, run_steps, start_batch
from jaxdream.visualization.transforms import RandomTransforms

PHOTO = (575, 1024)
SMALL = (224, 384)  # of each picture of a batch
LARGE = (1024, 1024)  # whose rows are shared
LARGEST = (4096, 4096)  # as a whole, not in tiles
FRAMES = (4, (360, 640))  # of as many scenes at once
VISUALIZED = (16, (224, 224))  # as many pictures as ``visualize`` makes at once
_CHUNK = 16  # steps of ``visualize`` in one call


@dataclass(frozen=True)
class Programs:
    """The programs of one case, as calls; the last is the largest."""

    calls: tuple[partial, ...]
    shape: Size  # of the last one's pictures, as it computes them
    pictures: int = 1


@dataclass(frozen=True)
class Machine:
    """The devices that programs are made for."""

    kind: str  # "cpu", "gpu" or "tpu"
    devices: Sequence[Device] = ()  # none: for wherever the program is lowered


def traced(call: partial, kind: str) -> jax.stages.Traced:
    """The program of a call, traced as where JAX computes on a "cpu", a "gpu" or a "tpu"."""
    jax.clear_caches()  # what was traced as where it computes on another
    with patch("jax.default_backend", lambda: kind):
        return call.func.trace(*call.args, **call.keywords)  # pyright: ignore[reportFunctionMemberAccess]


def _dream(model: Network, machine: Machine) -> Programs:
    """A photograph with the default settings: all its octaves."""
    settings, objective = DreamSettings(), as_objective(None, model)
    sizes = octave_sizes(model, objective, PHOTO, settings)
    return _octaves(model, machine, _layouts(model, machine, sizes, 1, settings.steps))


def _layouts(
    model: Network, machine: Machine, sizes: Sequence[Size], count: int, steps: int
) -> list[Layout]:
    """The layouts of octaves, one of each shape."""
    settings, objective = DreamSettings(), as_objective(None, model)
    layouts = plan_layouts(
        sizes, count,
        model=model, rule=StepRule.of(settings), objective=objective, steps=steps,
        shapes=shared_shapes(sizes, steps, platform=machine.kind),
    )  # fmt: skip
    return list({layout.shape: layout for layout in layouts}.values())


def _video(model: Network, machine: Machine) -> Programs:
    """The last octave of frames of several scenes, each with a mask and step sizes of its own."""
    settings, (count, size) = DreamSettings(), FRAMES
    sizes = octave_sizes(model, as_objective(None, model), size, settings)
    layout = _layouts(model, machine, sizes, count, FRAMES_OF_A_PROGRAM * settings.steps)[-1]
    return _octaves(
        model, machine, [layout],
        steps=math.gcd(settings.steps, VideoSettings().steps_of(settings)),
        step_size=np.full(count, settings.step_size, np.float32),
        masks=(np.ones((*size, 1), np.float32),) * count,
    )  # fmt: skip


def _batch(count: int, model: Network, machine: Machine) -> Programs:
    """The last octave of many small pictures at once."""
    return _octaves(model, machine, [PaddedLayout(SMALL, (SMALL,) * count)])


def _rows(model: Network, machine: Machine) -> Programs:
    """The last octave of a picture whose rows all devices share."""
    return _octaves(model, machine, [PaddedLayout(LARGE, (LARGE,), one_size=True)])


def _largest(model: Network, machine: Machine) -> Programs:
    """The last octave of a picture of 17 megapixels."""
    return _octaves(model, machine, [PaddedLayout(LARGEST, (LARGEST,), one_size=True)])


def _octaves(
    model: Network,
    machine: Machine,
    layouts: Sequence[Layout],
    *,
    steps: int | None = None,
    **options: Any,
) -> Programs:
    """The programs of octaves.

    Args:
        steps: in a call; by default all of a still.
        options: more for ``Octave``.
    """
    settings = DreamSettings()
    sharding = shard_rows(machine.devices) if len(machine.devices) > 1 else None
    options = {"step_size": np.asarray(settings.step_size, np.float32), **options}
    octave = partial(
        Octave, model, as_objective(None, model),
        rule=StepRule.of(settings), sharding=sharding, **options,
    )  # fmt: skip
    calls = [octave(layout=layout)._abstract_steps(steps or settings.steps) for layout in layouts]
    placement = sharding.along() if sharding else _placement(machine)
    last = layouts[-1]
    return Programs(tuple(_on(placement, call) for call in calls), last.shape, len(last.sizes))


def _visualize(model: Network, machine: Machine) -> Programs:
    """A batch of channels, from noise."""
    count, size = VISUALIZED
    settings = VisualizeSettings().complete(photograph=False).values()
    channels = [channel(model.default_layer, number) for number in range(count)]
    stacked, axes = stack_for_visualize(channels)
    height, width = size
    parameters = FourierImage(jnp.zeros((count, 2, height, width // 2 + 1, 3)), width)
    call = partial(
        run_steps,
        model,
        stacked,
        start_batch(parameters),
        parameters,
        picture_keys(0, count),
        np.arange(_CHUNK, dtype=np.int32),
        RandomTransforms(),
        StepWeights(
            settings["learning_rate"], settings["total_variation"], 0.0, settings["anchor"], 0.0
        ),
        objective_axes=axes,
        diversity_layer=None,
        keep_layer=None,
    )
    return Programs((_on(_placement(machine), call),), size, count)


def _placement(machine: Machine) -> Sharding | None:
    return SingleDeviceSharding(machine.devices[0]) if machine.devices else None


def _on(placement: Sharding | None, call: partial) -> partial:
    """A call with shapes in the place of arrays, which are on the devices it is compiled for."""
    if placement is None:
        return call

    def struct(leaf: Any):
        if isinstance(leaf, float):
            return leaf  # a number of the call's, on any device
        if isinstance(leaf, jax.ShapeDtypeStruct) and leaf.sharding is not None:
            return leaf
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placement)

    return partial(call.func, *jax.tree.map(struct, call.args), **call.keywords)


CASES: Mapping[str, Callable[[Network, Machine], Programs]] = {
    "dream": _dream,
    "batch-8": partial(_batch, 8),
    "batch-32": partial(_batch, 32),
    "largest": _largest,
    "rows-4": _rows,
    "rows-8": _rows,
    "visualize": _visualize,
    "video": _video,
}
CHIPS = {"rows-4": 4, "rows-8": 8}  # that a case is compiled for, where it is more than one
