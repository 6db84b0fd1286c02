"""The plan of a dream: which programs compute its octaves, compiled before their turn.

All octaves are known when a dream begins, so that a thread compiles the later ones while the
earlier ones run. Where a program does not fit into memory, the octave is tiled, or tiled smaller.
"""

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import jax
import numpy as np

from jaxdream.algorithm.octaves import sizes_for
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import (
    available,
    bytes_per_pixel,
    compiler_bytes,
    finishing_bytes,
    fits,
    format_bytes,
    network_peak,
    resident_bytes,
)
from jaxdream.execution.octave import CompiledOctave, Octave
from jaxdream.execution.shapes import (
    ExactLayout,
    Layout,
    PaddedLayout,
    ShapeBuckets,
    TiledLayout,
    shared_shapes,
)
from jaxdream.execution.sharding import chosen_sharding
from jaxdream.execution.tiles import can_tile, possible_tilings
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, DreamSettings, takes_settings
from jaxdream.types import Size

_TILED = 0.6  # what a program for tiles takes of the estimate for a whole step
_WORTH_COMPILING = 1.1  # times fewer pixels to compute, for which another program is compiled
# Pictures at once, at most, where the memory would hold more: a CPU's cores do not compute several
# any faster than one, a GPU or TPU needs many to be busy.
_MAX_ON_CPU = 4
_MAX = 32
_MARGIN = 1.02  # programs of other sizes may take a little more for a pixel


class OctavePlan(NamedTuple):
    """How one octave will be computed."""

    size: Size  # height and width of the picture
    shape: Size  # of what the program computes at once
    tiles: int  # that the picture is computed in; 1: as a whole
    peak: int  # bytes that the program takes, on each device
    memory: int  # bytes that it takes together with what is kept of the picture
    seconds: float  # that its steps are expected to take
    compile_seconds: float  # that compiling it took


def allows_padding(model: Network, rule: StepRule, objective: Objective) -> bool:
    """Whether pictures of many sizes can share programs.

    An optimiser may look at the whole picture, an objective that is not local does, and of a
    wrapped network nothing is known: they get programs of the pictures' own sizes.
    """
    return model.takes_regions and objective.local and rule.allows_padding


def choose_layout(sizes: Sequence[Size], buckets: ShapeBuckets | None) -> Layout:
    """The layout of pictures of one size: exact without buckets."""
    if buckets is None:
        return ExactLayout(sizes[0], tuple(sizes))
    return PaddedLayout(buckets.padded(sizes[0]), tuple(sizes), one_size=True)


def plan_layouts(
    sizes: Sequence[Size],
    count: int,
    *,
    model: Network,
    rule: StepRule,
    objective: Objective,
    steps: int,
    shapes: ShapeBuckets | None = None,
    exact: bool = False,
) -> list[Layout]:
    """The layout of each octave, for ``count`` pictures of one size, whose octaves are ``sizes``.

    Args:
        steps: in each octave.
        shapes: the padded shapes to use; by default as few as pay on this platform.
        exact: use no padding, even where it is possible.
    """
    padded = allows_padding(model, rule, objective) and not exact
    buckets = (shapes or shared_shapes(sizes, steps)) if padded else None
    return [choose_layout([size] * count, buckets) for size in sizes]


@contextmanager
def compiled_ahead(
    octaves: Sequence[Octave], count: int, memory: int | None = None
) -> Iterator[Callable[[int], CompiledOctave]]:
    """Plans and compiles the programs of octaves; gives a function that waits for one.

    They are traced and compiled one after the other in a thread of their own. A TPU's compiler
    does not need the device, so there they are compiled side by side; a GPU's tries kernels on it.

    Args:
        count: of steps in one call of a program.
        memory: as of ``dream``.
    """
    sharding = octaves[0].sharding
    pictures = octaves[0].count // (sharding.pictures if sharding else 1)  # of each device
    budget = available(memory, sharding and sharding.devices)
    # While all octaves except the last are computed, the compiler is at work as well.
    budgets = [*[budget - compiler_bytes()] * (len(octaves) - 1), budget]
    # The largest first: if it is too large, the error should speak of it.
    largest_first = zip(reversed(octaves), reversed(budgets), strict=True)
    octaves = [_fitting(octave, pictures, budget) for octave, budget in largest_first][::-1]
    device = jax.config.jax_default_device  # a setting of this thread's, perhaps  # pyright: ignore
    threads = (os.cpu_count() or 1) if jax.default_backend() == "tpu" else 1
    worker = ThreadPoolExecutor(threads, thread_name_prefix="jaxdream-compile")

    def compiled(octave: Octave) -> CompiledOctave:
        with jax.default_device(device):
            return octave.compile(count)

    try:
        # The largest first where they are compiled side by side: it takes the longest.
        waiting: dict[object, Future[CompiledOctave]] = {}
        for octave in octaves if threads == 1 else reversed(octaves):
            if _program_of(octave) not in waiting:
                waiting[_program_of(octave)] = worker.submit(compiled, octave)

        def ready(number: int) -> CompiledOctave:
            shared = waiting[_program_of(octaves[number])].result()
            octave = dataclasses.replace(shared, octave=octaves[number])
            larger = True  # once, so that it ends
            while other := _retiled(octave, pictures, budgets[number], larger=larger):
                octave, larger = compiled(other), False
            return octave

        yield ready
    finally:
        worker.shutdown(wait=False, cancel_futures=True)


def _program_of(octave: Octave) -> object:
    """Octaves of one dream that have this in common have their program in common."""
    layout = octave.layout
    return layout.shape if isinstance(layout, PaddedLayout) else layout


def useful_batch(
    model: Network,
    objective: Objective,
    shape: Size,
    budget: int,
    *,
    platform: str | None = None,
) -> int:
    """How many pictures of this height and width are of use at once, and fit into the memory.

    Args:
        budget: bytes.
        platform: that will compute; by default the one that JAX computes on here.
    """
    most = _MAX_ON_CPU if (platform or jax.default_backend()) == "cpu" else _MAX
    octave = Octave(model, objective, PaddedLayout(shape, (shape,)), 1.0, StepRule())
    return max([1, *(n for n in range(most + 1) if fits(octave, n, budget))])


def _fitting(octave: Octave, pictures: int, budget: int) -> Octave:
    """The octave as a whole if a batch is expected to fit into ``budget`` bytes, or else tiled.

    ``pictures`` and ``budget`` are those of each device.

    Raises:
        JaxdreamError: no tiles are small enough.
    """
    if not _can_tile(octave) or fits(octave, pictures, budget):
        return octave
    return _tiled(octave, pictures, budget, _TILED * bytes_per_pixel(octave))


def _retiled(
    compiled: CompiledOctave, pictures: int, budget: int, *, larger: bool
) -> Octave | None:
    """The octave with other tiles, if what was compiled for it does not fit; None if it does.

    Args:
        larger: also if much larger tiles fit.

    Raises:
        JaxdreamError: it does not fit, and cannot be tiled so that it does.
    """
    octave, layout = compiled.octave, compiled.octave.layout
    peak = network_peak(compiled)
    pixels = pictures * math.prod(layout.shape)
    enough = peak + resident_bytes(pixels) <= budget
    if enough and not (larger and isinstance(layout, TiledLayout)):
        return None
    if not _can_tile(octave):
        raise _too_large(octave, peak, budget)
    shape, times = layout.computed
    other = _tiled(octave, pictures, budget, _MARGIN * peak / (pictures * math.prod(shape)))
    gain = times * math.prod(shape) / _computed_pixels(other)
    return other if not enough or gain > _WORTH_COMPILING else None


def _too_large(octave: Octave, peak: int, budget: int) -> JaxdreamError:
    takes = f"takes {format_bytes(peak)} of memory, and {format_bytes(budget)} are left"
    if len(set(octave.layout.sizes)) > 1:
        return JaxdreamError(f"a batch of {octave.count} pictures {takes}: make batches smaller")
    height, width = octave.layout.sizes[0]
    what = "a sphere" if octave.rule.sphere else repr(octave.objective)
    return JaxdreamError(
        f"{what} on {width}x{height} pixels {takes}; it depends on the whole picture at once, so "
        "it cannot be computed in tiles: choose a smaller size"
    )


def _can_tile(octave: Octave) -> bool:
    one_size = len(set(octave.layout.sizes)) == 1
    return one_size and not octave.rule.sphere and can_tile(octave.model, octave.objective)


def _tiled(octave: Octave, pictures: int, budget: int, per_pixel: float) -> Octave:
    """The octave with the tiles that have the fewest pixels in all and fit into ``budget``."""
    # The program has the size of the tiles, so that the picture needs no padding.
    size = octave.layout.sizes[0]
    area = pictures * math.prod(size)
    tilings = possible_tilings(octave.model, octave.objective, size)
    possible = [
        dataclasses.replace(octave, layout=TiledLayout(size, octave.layout.sizes, tiling))
        for tiling in tilings
    ]

    def needed(octave: Octave) -> float:
        shape, _ = octave.layout.computed
        return resident_bytes(area) + pictures * math.prod(shape) * per_pixel

    fitting = [octave for octave in possible if needed(octave) <= budget]
    if not fitting or finishing_bytes(area) > budget:
        least = max(min(map(needed, possible)), finishing_bytes(area))
        raise JaxdreamError(
            f"a dream of {size[1]}x{size[0]} pixels takes at least {format_bytes(least)} of memory "
            f"beside what is in use, and {format_bytes(budget)} are left: allow more memory, or "
            "choose a smaller size or an earlier layer"
        )
    return min(fitting, key=_computed_pixels)


def _computed_pixels(octave: Octave) -> int:
    """Pixels that the network computes in a step."""
    shape, times = octave.layout.computed
    return times * math.prod(shape)


@takes_settings(settings=DreamSettings, compute=Compute)
def plan_dream(
    model: Network,
    size: Size,
    objective: Objective | str | None = None,
    *,
    settings: DreamSettings,
    compute: Compute,
) -> list[OctavePlan]:
    """How a picture will be dreamed; compiles its programs, and tries a step.

    Args:
        model: from ``load_model`` or ``wrap``.
        size: height and width of the picture.
        objective: what to maximise; by default the energy of the model's default layer.
        {settings}

    Raises:
        JaxdreamError: an unknown layer, a picture too small for it or too large for the memory, a
            setting out of range.
    """
    objective = as_objective(objective, model)
    sharding = chosen_sharding(compute.shard)
    if sharding is not None:
        sharding.check((), settings)
        model, objective = sharding.replicate((model, objective))
    sizes = sizes_for(model, objective, size, settings)
    rule = StepRule.of(settings)
    layouts = plan_layouts(
        sizes,
        1,
        model=model,
        rule=rule,
        objective=objective,
        steps=settings.steps,
        shapes=compute.shapes,
    )
    step_size = np.asarray(settings.step_size, np.float32)
    octaves = [Octave(model, objective, layout, step_size, rule, sharding) for layout in layouts]
    plans: list[OctavePlan] = []
    seconds_per_pixel = 0.0
    begun = time.perf_counter()
    with compiled_ahead(octaves, 1, compute.memory) as ready:
        for number, size in enumerate(sizes):
            compiled = ready(number)
            compile_seconds = time.perf_counter() - begun
            shape, tiles = compiled.octave.layout.computed
            pixels = math.prod(shape) * tiles
            if number == 0:
                seconds_per_pixel = _step_seconds(compiled) / pixels
            peak = network_peak(compiled)
            seconds = settings.steps * seconds_per_pixel * pixels
            together = peak + resident_bytes(math.prod(compiled.octave.layout.shape))
            plans.append(OctavePlan(size, shape, tiles, peak, together, seconds, compile_seconds))
            begun = time.perf_counter()
    return plans


def _step_seconds(compiled: CompiledOctave) -> float:
    """How long a step takes: the second one, since the first may also prepare things."""
    grey = [np.full((*size, 3), 128, np.float32) for size in compiled.octave.layout.sizes]
    state = compiled.octave.start(grey)
    offsets = np.zeros((1, len(grey), 2), np.int32)
    compiled.run(state, offsets)[0].image.block_until_ready()
    begun = time.perf_counter()
    compiled.run(state, offsets)[0].image.block_until_ready()
    return time.perf_counter() - begun
