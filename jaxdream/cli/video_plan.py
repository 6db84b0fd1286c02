"""What ``jaxdream video --plan`` prints: how long a video takes, and how much room."""

import time
from typing import TYPE_CHECKING

import jax
import numpy as np

from jaxdream.cli import session
from jaxdream.execution.memory import format_bytes, in_use
from jaxdream.execution.planner import plan_dream
from jaxdream.video.coherence import find_motion
from jaxdream.video.source import ClipSource

if TYPE_CHECKING:
    from jaxdream.cli.video import Asked
    from jaxdream.video.dreamer import Dreamer

_PNG_BYTES = 2.3  # a pixel of a dreamed frame, as measured
_STATE_BYTES = 3 * (4 + 1 + 1)  # a pixel of what a scene hands on


def print_plan(source: ClipSource, asked: "Asked", dreamer: "Dreamer") -> int:
    """Print the plan of a video; compiles its programs, and tries a step."""
    steps, frame_steps = dreamer.steps
    settings = asked.dream.replace(steps=frame_steps)
    before = in_use()
    octaves = plan_dream(
        dreamer.model, source.size, dreamer.any_objective, settings=settings, compute=asked.compute
    )
    dreaming, flow = sum(octave.seconds for octave in octaves), _flow_seconds(source)
    # A CPU computes both with the same cores.
    frame = dreaming + flow if jax.default_backend() == "cpu" else max(dreaming, flow)
    memory = format_bytes(before + max(octave.memory for octave in octaves))
    height, width = source.size
    count = source.expected
    frames = "an unknown number of frames" if count is None else f"about {count} frames"
    session.report(
        f"{source.reader.info.path}: {frames} of {width}x{height}, {float(source.fps):.4g} a "
        f"second, {steps} steps where a scene begins and {frame_steps} after that"
    )
    session.report(
        f"  a frame takes about {frame:.2f} s: {dreaming:.2f} s to dream and {flow:.2f} s for the "
        "flow; more where much is new in it"
    )
    session.report(f"  {memory} of memory in all, whatever the number of frames")
    if count is not None:
        disk = height * width * (count * _PNG_BYTES + _STATE_BYTES)
        session.report(
            f"  {_time(count * frame)} in all, and {format_bytes(disk)} of disk for the frames "
            "until the film is written"
        )
    return 0


def _flow_seconds(source: ClipSource) -> float:
    """Seconds that the flow of a frame takes: the second time, since the first prepares things."""
    pixels = source.first().pixels
    moved = np.roll(pixels, 2, axis=1)
    find_motion(pixels, moved)
    begun = time.perf_counter()
    find_motion(pixels, moved)
    return time.perf_counter() - begun


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
