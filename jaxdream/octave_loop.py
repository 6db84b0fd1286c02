"""The loop over octaves and steps, for pictures of one size and for those of several."""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.algorithm.ascent import StepInfo
from jaxdream.algorithm.octaves import octave_bases
from jaxdream.errors import JaxdreamError
from jaxdream.execution.octave import OctaveSteps
from jaxdream.execution.shapes import Canvas, Pictures
from jaxdream.images.resample import resize
from jaxdream.types import AnyArray


class OctaveState(NamedTuple):
    """Pictures as far as they have got, of one size or of several."""

    octave: int
    step: int  # steps done in this octave
    array: Float[Array, "*n ch cw 3"]  # the pictures on their canvas
    canvas: Canvas
    base: Pictures  # the undreamed pictures at this octave's size
    info: StepInfo  # of the last step, one value per picture
    strongest: Float[AnyArray, "*n"]  # largest mean |gradient| of the steps since the last state


def check_settings(steps: int, step_size: float | Array = 1.0, jitter: int = 0) -> None:
    """Make sure that octaves can be dreamed with these settings of ``dream``.

    Raises:
        JaxdreamError: one is out of range.
    """
    if steps < 1:
        raise JaxdreamError(f"steps must be at least 1, not {steps}")
    if jitter < 0:
        raise JaxdreamError(f"jitter must be 0 or more pixels, not {jitter}")
    if not isinstance(step_size, Tracer) and not math.isfinite(step_size):
        raise JaxdreamError(f"step size must be a finite number, not {step_size}")


def run_octaves(
    pictures: Pictures,
    offsets: Integer[AnyArray, "count *n 2"],
    programs: Sequence[OctaveSteps],
    ready: Callable[[int], OctaveSteps],
    *,
    chunk: int,
) -> Iterator[OctaveState]:
    """Dream pictures: a state for every ``chunk`` of steps.

    Args:
        pictures: RGB, 0..255.
        offsets: of every step, an equal number for each octave.
        programs: of the octaves, as planned.
        ready: gives the octave of a number as it is to be run.
    """
    steps = len(offsets) // len(programs)
    bases = _bases(pictures, programs)
    detail = None
    for octave in range(len(programs)):
        base = bases.pop(0)
        program = ready(octave)
        with np.errstate(over="ignore", invalid="ignore"):  # said at the end
            begun = base if detail is None else jax.tree.map(_enlarged, base, detail)
            state = program.start(program.canvas.put(begun, program.placement))
        del begun  # a large picture is not kept twice
        for first in range(0, steps, chunk):
            at = octave * steps + first
            state, info, strongest = program.run(state, offsets[at : at + chunk])
            yield OctaveState(
                octave, first + chunk, state.image, program.canvas, base, info, strongest
            )
        if bases:
            detail = jax.tree.map(operator.sub, program.canvas.take(state.image), base)


def _bases(pictures: Pictures, programs: Sequence[OctaveSteps]) -> list[Pictures]:
    """The undreamed pictures at each octave's size, from small to large."""
    if not isinstance(pictures, Sequence):
        return list(octave_bases(pictures, [program.canvas.size for program in programs]))
    of_each = [
        octave_bases(picture, [program.canvas.sizes[number] for program in programs])
        for number, picture in enumerate(pictures)
    ]
    return [list(octave) for octave in zip(*of_each, strict=True)]


def _enlarged(base: AnyArray, detail: AnyArray) -> AnyArray:
    return base + resize(detail, (base.shape[-3], base.shape[-2]))


def steps_at_once(scan: bool | None, steps: int) -> int:
    """Steps in one call of an octave's program; ``scan`` as of ``dream``."""
    return steps if scan or (scan is None and jax.default_backend() != "cpu") else 1
