"""The plan of a dream: which programs compute its octaves, compiled before their turn.

All octaves are known when a dream begins, so that a thread compiles the later ones while the
earlier ones run.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.execution.malloc import give_back
from jaxdream.execution.memory import (
    available,
    compiling,
    fitted,
    held_bytes,
    network_peak,
    refitted,
)
from jaxdream.execution.octave import OctaveSteps
from jaxdream.execution.shapes import Canvases, Size, exact_canvas
from jaxdream.execution.sharding import Sharding
from jaxdream.models.network import Network
from jaxdream.objectives import Objective, layer
from jaxdream.octave_loop import check_settings


class OctavePlan(NamedTuple):
    """How one octave will be computed."""

    size: Size  # height and width of the picture
    shape: Size  # of what the program computes at once
    parts: int  # that the picture is computed by; 1: as a whole
    peak: int  # bytes that the program takes, on each device
    memory: int  # bytes that it takes together with what is kept of the picture
    seconds: float  # that its steps are expected to take


def octave_programs(
    model: Network,
    objective: Objective,
    sizes: Sequence[Size],
    *,
    step_size: float | Float[Array, ""] = 1.5,
    clip: bool = True,
    optimizer: optax.GradientTransformation | None = None,
    canvases: Canvases | None = None,
    exact: bool = False,
    sharding: Sharding | None = None,
) -> list[OctaveSteps]:
    """The steps of octaves of these sizes.

    They are ``exact``, each compiled for its very size, also where canvases would be wrong: an
    optimiser may look at the whole picture, and an objective that is not local does.
    """
    exact = exact or optimizer is not None or not objective.local
    find = exact_canvas if exact else (canvases or Canvases()).canvas
    return [
        OctaveSteps(model, objective, find(size), step_size, clip, optimizer, sharding)
        for size in sizes
    ]


@contextmanager
def compiled_ahead(
    octaves: Sequence[OctaveSteps], batch: tuple[int, ...], count: int, memory: int | None = None
) -> Iterator[Callable[[int], OctaveSteps]]:
    """Plans and compiles the programs of octaves; gives a function that waits for one.

    They are traced and compiled one after the other in a thread of their own. JAX finds them there
    when they are called; if this thread has other settings of JAX, it makes its own, later.

    Args:
        batch: shape of the batch, () for one picture.
        count: of steps in one call of a program.
        memory: as of ``dream``.
    """
    sharding = octaves[0].sharding
    pictures = math.prod(batch) // (sharding.pictures if sharding else 1)  # of each device
    room = available(memory, sharding and sharding.devices)
    # While all but the last are computed, the compiler is at work as well.
    rooms = [*[room - compiling()] * (len(octaves) - 1), room]
    # The largest first: if it is too large, the error should speak of it.
    largest_first = zip(reversed(octaves), reversed(rooms), strict=True)
    octaves = [fitted(octave, pictures, room) for octave, room in largest_first][::-1]
    worker = ThreadPoolExecutor(1, thread_name_prefix="jaxdream-compile")

    def compiled(octave: OctaveSteps) -> list[jax.stages.Compiled]:
        programs = [program.compile() for program in octave.lower(batch, count)]
        give_back()
        return programs

    try:
        waiting = [worker.submit(compiled, octave) for octave in octaves]

        def ready(number: int) -> OctaveSteps:
            octave = octaves[number]
            programs = waiting[number].result()
            larger = True  # once, so that it ends
            while other := refitted(octave, programs, pictures, rooms[number], larger=larger):
                octave, larger = other, False
                programs = compiled(octave)
            return octave

        yield ready
    finally:
        worker.shutdown(wait=False, cancel_futures=True)


def plan_dream(
    model: Network,
    size: Size,
    *,
    objective: Objective | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    optimizer: optax.GradientTransformation | None = None,
    canvases: Canvases | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
) -> list[OctavePlan]:
    """How a picture of this height and width will be dreamed; compiles it, and tries one step.

    Args are those of ``dream``.

    Raises:
        JaxdreamError: an unknown layer, a picture too small for it or too large for the memory, a
            setting out of range.
    """
    objective = layer(model.default_layer) if objective is None else objective
    objective.check(model.graph)
    check_settings(steps)
    if sharding is not None:
        sharding.check(())
        model, objective = sharding.replicate((model, objective))
    minimum = model.graph.minimum_size(*objective.layers)
    sizes = plan_octaves(size, octaves=octaves, octave_scale=octave_scale, minimum=minimum)
    programs = octave_programs(
        model, objective, sizes, optimizer=optimizer, canvases=canvases, sharding=sharding
    )
    plans: list[OctavePlan] = []
    seconds_per_pixel = 0.0
    with compiled_ahead(programs, (), 1, memory) as ready:
        for number, size in enumerate(sizes):
            program = ready(number)
            shape, parts = program.canvas.computed
            pixels = math.prod(shape) * parts
            if number == 0:
                seconds_per_pixel = _step_seconds(program) / pixels
            peak = network_peak([lowered.compile() for lowered in program.lower((), 1)])
            seconds = steps * seconds_per_pixel * pixels
            together = peak + held_bytes(program.canvas)
            plans.append(OctavePlan(size, shape, parts, peak, together, seconds))
    return plans


def _step_seconds(program: OctaveSteps) -> float:
    """How long a step takes: the second one, since the first may also prepare things."""
    grey = np.full((*program.canvas.size, 3), 128, np.float32)
    state = program.start(program.canvas.put(grey, program.placement))
    offsets = np.zeros((1, 2), np.int32)
    program.run(state, offsets)[0].image.block_until_ready()
    begun = time.perf_counter()
    program.run(state, offsets)[0].image.block_until_ready()
    return time.perf_counter() - begun
