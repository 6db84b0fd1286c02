"""What a dream takes of memory, and how it is cut into parts to take no more than there is.

Before it runs, each octave is planned with an estimate from the network's table; once its program
is compiled, with the program's own peak, as XLA's buffer assignment tells it. If that is more than
there is, the octave is cut into parts, or smaller ones.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import jax
import psutil

from jaxdream.errors import JaxdreamError
from jaxdream.execution.octave import OctaveSteps
from jaxdream.execution.shapes import Canvas, Parts, Size, round_up
from jaxdream.types import Device

_FLOAT = 4  # bytes
# What the compiler was seen to take for a while, for a program of GoogLeNet.
_COMPILER = 250_000_000
_SHARE = 0.8  # of what is free, where no limit is set
# Bytes a pixel for what is kept of the whole picture beside the largest program: what it was
# resampled to; by parts the picture and its gradient.
_HELD = 2 * 3 * _FLOAT
_FINISHING = 6 * 3 * _FLOAT  # and for the step, when the gradient is there
_BY_PARTS = 0.6  # what a program for parts takes of the estimate for a whole step
_WORTH_COMPILING = 1.1  # times fewer pixels to compute, for which another program is compiled
_GRID = 32  # pixels to which the sides of parts are rounded up
_MARGIN = 1.02  # programs of other sizes may take a little more for a pixel
# Times what XLA counts: on CPU the convolutions have buffers of their own.
_SCRATCH = 1.15


def available(limit: int | None = None, devices: Sequence[Device] | None = None) -> int:
    """Bytes that are left for arrays on each of the devices that compute.

    Args:
        limit: for all that this process has in memory; by default what is free is left but for a
            fifth.
        devices: by default the one JAX computes on.
    """
    devices = devices or jax.local_devices()[:1]
    return min(_available(limit, device) for device in devices) // _sharing(devices)


def _available(limit: int | None, device: Device) -> int:
    stats = device.memory_stats() or {}
    if limit is not None:
        return limit - in_use(device)
    free = psutil.virtual_memory().available
    return int(_SHARE * (stats["bytes_limit"] - in_use(device) if "bytes_limit" in stats else free))


def compiling() -> int:
    """Bytes of a device's memory that the compiler may take while it works: of the machine's."""
    return 0 if jax.local_devices()[0].memory_stats() else _COMPILER


def _sharing(devices: Sequence[Device]) -> int:
    """How many devices share one memory: those that say nothing of their own have the machine's."""
    return 1 if devices[0].memory_stats() else len(devices)


def in_use(device: Device | None = None) -> int:
    """Bytes that this process has of a device's memory, by default of the one JAX computes on."""
    stats = (device or jax.local_devices()[0]).memory_stats() or {}
    return stats.get("bytes_in_use") or psutil.Process().memory_info().rss


def held_bytes(canvas: Canvas, pictures: int = 1) -> int:
    """What an octave takes beside its program with the network."""
    return pictures * math.prod(canvas.shape) * _HELD


def fits(octave: OctaveSteps, pictures: int, room: int) -> bool:
    """Whether a batch, as a whole, is expected to fit into ``room`` bytes."""
    pixels = pictures * math.prod(octave.canvas.shape)
    return pixels * (_bytes_per_pixel(octave) + _HELD) <= room


def fitted(octave: OctaveSteps, pictures: int, room: int) -> OctaveSteps:
    """The octave as a whole if a batch is expected to fit into ``room`` bytes, or else by parts.

    Of an octave that is shared out among devices, ``pictures`` and ``room`` are those of each.

    Raises:
        JaxdreamError: no parts are small enough.
    """
    if fits(octave, pictures, room) or _reach(octave) is None:
        return octave
    return _by_parts(octave, pictures, room, _BY_PARTS * _bytes_per_pixel(octave))


def refitted(
    octave: OctaveSteps,
    programs: Sequence[jax.stages.Compiled],
    pictures: int,
    room: int,
    *,
    larger: bool,
) -> OctaveSteps | None:
    """The octave in other parts, if what was compiled for it does not fit; None if it does.

    Args:
        larger: also if much larger parts fit.

    Raises:
        JaxdreamError: it does not fit, and cannot be cut into parts that do.
    """
    peak = network_peak(programs)
    canvas = octave.canvas
    enough = peak + held_bytes(canvas, pictures) <= room
    if enough and not (larger and canvas.parts):
        return None
    if canvas.sizes:
        raise JaxdreamError(
            f"{pictures} pictures at once take {shown(peak)} of memory and there is "
            f"{shown(room)}: make batches smaller"
        )
    if _reach(octave) is None:
        raise JaxdreamError(
            f"{octave.objective!r} on {canvas.size[1]}x{canvas.size[0]} pixels takes {shown(peak)} "
            f"of memory and there is {shown(room)}: it looks at the whole picture at once, so it "
            "cannot be computed by parts; choose a smaller size"
        )
    shape, times = canvas.computed
    other = _by_parts(octave, pictures, room, _MARGIN * peak / (pictures * math.prod(shape)))
    gain = times * math.prod(shape) / _computed(other)
    return other if not enough or gain > _WORTH_COMPILING else None


def _computed(octave: OctaveSteps) -> int:
    """Pixels that a network computes in a step."""
    shape, times = octave.canvas.computed
    return times * math.prod(shape)


def _by_parts(octave: OctaveSteps, pictures: int, room: int, per_pixel: int | float) -> OctaveSteps:
    """The octave by the parts with the fewest pixels in all whose program fits into ``room``."""
    size = octave.canvas.size
    # The program has the size of the parts, so that the picture needs no canvas that is shared.
    canvas = Canvas(size, size, exact=octave.canvas.exact)
    area = pictures * math.prod(size)
    possible = [
        dataclasses.replace(octave, canvas=canvas._replace(parts=parts))
        for parts in _possible_parts(octave, size)
    ]

    def needed(octave: OctaveSteps) -> int | float:
        shape, _ = octave.canvas.computed
        return area * _HELD + pictures * math.prod(shape) * per_pixel

    fitting = [octave for octave in possible if needed(octave) <= room]
    if not fitting or area * _FINISHING > room:
        least = max(min(map(needed, possible)), area * _FINISHING)
        raise JaxdreamError(
            f"a dream of {size[1]}x{size[0]} pixels takes at least {shown(least)} of memory beside "
            f"what is in use, and there is {shown(room)}: allow more, or choose a smaller size or "
            "an earlier layer"
        )
    return min(fitting, key=_computed)


def _possible_parts(octave: OctaveSteps, size: Size) -> Iterator[Parts]:
    """Parts that cover a picture of this height and width, from large to small."""
    reach = _reach(octave)
    assert reach is not None
    graph = octave.model.graph
    stride = math.lcm(*(graph.strides[graph.resolve(name)] for name in octave.objective.layers))
    before, after = (
        (round_up(reach[0][end], stride), round_up(reach[1][end], stride)) for end in (0, 1)
    )

    def lengths(axis: int) -> list[int]:
        halo, grid = before[axis] + after[axis], math.lcm(stride, _GRID)
        found: list[int] = []
        for count in itertools.count(1):
            length = round_up(-(-(size[axis] + (count - 1) * halo) // count), grid)
            if found and length == found[-1]:
                continue
            if length <= halo + stride:
                return found or [length]
            found.append(length)
            if length <= halo + grid:
                return found
        return found

    for height in lengths(0):
        for width in lengths(1):
            yield Parts((height, width), before, after)


def _reach(octave: OctaveSteps):
    """How far the objective sees, if it can be computed by parts."""
    if octave.canvas.sizes or not octave.objective.local:
        return None
    return octave.model.graph.halo(*octave.objective.layers)


def _bytes_per_pixel(octave: OctaveSteps) -> float:
    """An estimate of what a step's program takes: as if every map of the network were kept."""
    graph = octave.model.graph
    floats = sum(
        graph.channels[node.name] / graph.strides[node.name] ** 2
        for node in graph.needed(octave.objective.layers)
    )
    return _FLOAT * floats / (octave.sharding.rows if octave.sharding else 1)


def network_peak(programs: Sequence[jax.stages.Compiled]) -> int:
    """The peak of those of an octave's programs that hold the network: all but the step's own."""
    return int(_SCRATCH * max(map(peak_bytes, programs[:2])))


def peak_bytes(program: jax.stages.Compiled) -> int:
    """The most memory that a compiled program takes at once, arguments and results included."""
    stats = program.memory_analysis()
    if stats is None:  # not every platform tells
        return 0
    return (
        stats.temp_size_in_bytes
        + stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        - stats.alias_size_in_bytes
    )


def shown(size: int | float) -> str:
    """A number of bytes as text."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size, 0) / 1e6:.0f} MB"
