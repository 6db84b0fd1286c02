"""What ``jaxdream video --plan`` prints: how long a video takes, and how much room."""

import time
from typing import TYPE_CHECKING

from jaxdream.cli import session
from jaxdream.execution.memory import format_bytes, in_use
from jaxdream.execution.planner import plan_dream
from jaxdream.video.coherence import find_motion
from jaxdream.video.source import ClipSource

if TYPE_CHECKING:
    from jaxdream.cli.video import Asked
    from jaxdream.models.network import Network
    from jaxdream.objectives import Objective

_PNG_BYTES = 2.3  # a pixel of a dreamed frame, as measured
_STATE_BYTES = 3 * (4 + 1 + 1)  # a pixel of what a scene hands on


def print_plan(
    source: ClipSource, asked: "Asked", model: "Network", objective: "Objective | None"
) -> int:
    """Print the plan of a video; compiles its programs, and tries a step."""
    frame_steps = asked.video.steps_of(asked.dream)
    settings = asked.dream.replace(steps=frame_steps)
    before = in_use()
    octaves = plan_dream(model, source.size, objective, settings=settings, compute=asked.compute)
    pixels = source.first().pixels
    begun = time.perf_counter()
    find_motion(pixels, pixels)
    flow = time.perf_counter() - begun
    dreaming = sum(octave.seconds for octave in octaves)
    memory = format_bytes(before + max(octave.memory for octave in octaves))
    height, width = source.size
    count = source.expected
    frames = "an unknown number of frames" if count is None else f"about {count} frames"
    session.report(
        f"{source.reader.info.path}: {frames} of {width}x{height}, {float(source.fps):.4g} a "
        f"second, {asked.dream.steps} steps where a scene begins and {frame_steps} after that"
    )
    session.report(
        f"  a frame takes about {dreaming + flow:.2f} s: {dreaming:.2f} s to dream and "
        f"{flow:.2f} s for the flow; more where much is new in it"
    )
    session.report(f"  {memory} of memory in all, whatever the number of frames")
    if count is not None:
        seconds = count * (dreaming + flow)
        disk = height * width * (count * _PNG_BYTES + _STATE_BYTES)
        session.report(
            f"  {_time(seconds)} in all, and {format_bytes(disk)} of disk for the frames until the "
            "film is written"
        )
    return 0


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
