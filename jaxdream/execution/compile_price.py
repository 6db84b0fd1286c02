"""What compiling a program costs, in pixels that could be computed in its time.

The figures decide which sizes share a program, and so the rounding of a dream: they are constants
of the platform, measured once, and not of a run. docs/accelerators.md has where they come from.
"""

from typing import NamedTuple

import jax


class Price(NamedTuple):
    """A network's program on one kind of device: GoogLeNet to inception_4c/output."""

    compile_seconds: float
    nanoseconds: float  # that a pixel takes in a step


_PRICES = {
    # On a CPU later octaves are compiled while earlier ones are computed, and every pixel counts in
    # all later dreams of the size: sharing would be slower from the second dream on.
    "cpu": Price(0.0, 700.0),
    "gpu": Price(8.0, 25.0),
    "tpu": Price(90.0, 15.0),
}


def pixels_worth_a_program(steps: int, platform: str | None = None) -> float:
    """How many more pixels a step may compute so that a program less is compiled.

    Args:
        steps: that the program is expected to make.
        platform: "cpu", "gpu" or "tpu"; by default the one that JAX computes on.
    """
    price = _PRICES.get(platform or jax.default_backend(), _PRICES["gpu"])
    return price.compile_seconds / (steps * price.nanoseconds * 1e-9)
