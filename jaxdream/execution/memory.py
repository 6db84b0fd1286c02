"""How much memory there is, and how much the programs of a dream take.

Before an octave is compiled its memory is estimated from the network's table; afterwards XLA's
buffer assignment tells its peak.
"""

import math
from collections.abc import Sequence

import jax
import psutil

from jaxdream.execution.octave import CompiledOctave, Octave
from jaxdream.types import Device

_FLOAT = 4  # bytes
# What the compiler was seen to take for a while, for a program of GoogLeNet.
_COMPILER = 250_000_000
_SHARE = 0.8  # of what is free, where no limit is set
# Bytes a pixel of the whole picture that are kept beside the largest program: what it was
# resampled to; with tiles the picture and its gradient.
_RESIDENT = 2 * 3 * _FLOAT
_FINISHING = 6 * 3 * _FLOAT  # and in the step, once the gradient is there
# Times what XLA counts: on CPU the convolutions have buffers of their own.
_SCRATCH = 1.15


def available(limit: int | None = None, devices: Sequence[Device] | None = None) -> int:
    """Bytes that are left for arrays on each of the devices that compute.

    Args:
        limit: for all that this process has in memory; by default 80 % of what is free.
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


def compiler_bytes() -> int:
    """Bytes of a device's memory that the compiler may take: it works in the machine's."""
    return 0 if jax.local_devices()[0].memory_stats() else _COMPILER


def _sharing(devices: Sequence[Device]) -> int:
    """How many devices share one memory: those without statistics of their own share the host's."""
    return 1 if devices[0].memory_stats() else len(devices)


def in_use(device: Device | None = None) -> int:
    """Bytes that this process has of a device's memory, by default of the one JAX computes on."""
    stats = (device or jax.local_devices()[0]).memory_stats() or {}
    return stats.get("bytes_in_use") or psutil.Process().memory_info().rss


def resident_bytes(pixels: int) -> int:
    """What is kept of pictures of so many pixels in all, beside the program with the network."""
    return pixels * _RESIDENT


def finishing_bytes(pixels: int) -> int:
    """What the step with a tiled gradient takes for pictures of so many pixels in all."""
    return pixels * _FINISHING


def fits(octave: Octave, pictures: int, budget: int) -> bool:
    """Whether whole pictures, so many on a device, are expected to fit into ``budget`` bytes."""
    pixels = pictures * math.prod(octave.layout.shape)
    return pixels * (bytes_per_pixel(octave) + _RESIDENT) <= budget


def bytes_per_pixel(octave: Octave) -> float:
    """An estimate of what a step's program takes: as if every map of the network were kept."""
    read = octave.objective.layers_of(octave.model.graph)
    floats = sum(graph.floats_per_pixel(layers) for graph, layers in read)
    return _FLOAT * floats / (octave.sharding.rows if octave.sharding else 1)


def network_peak(compiled: CompiledOctave) -> int:
    """The most bytes that those of an octave's programs take which hold the network."""
    return int(_SCRATCH * max(map(peak_bytes, compiled.network_executables)))


def peak_bytes(executable: jax.stages.Compiled) -> int:
    """The most memory that a compiled program takes at once, arguments and results included."""
    stats = executable.memory_analysis()
    if stats is None:  # not every platform has it
        return 0
    return (
        stats.temp_size_in_bytes
        + stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        - stats.alias_size_in_bytes
    )


def format_bytes(size: int | float) -> str:
    """A number of bytes as text."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size, 0) / 1e6:.0f} MB"
