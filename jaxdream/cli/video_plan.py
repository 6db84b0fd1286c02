"""What ``jaxdream video --plan`` prints: how long a video takes, and how much room."""

import time
from typing import TYPE_CHECKING

import numpy as np

from jaxdream.cli import session
from jaxdream.execution.memory import format_bytes, in_use
from jaxdream.execution.planner import plan_dream
from jaxdream.video.clips import Scene, clip_frames
from jaxdream.video.source import ClipSource

if TYPE_CHECKING:
    from jaxdream.cli.video import Asked
    from jaxdream.video.dreamer import Dreamer

_PNG_BYTES = 2.3  # a pixel of a dreamed frame, as measured
_TRIED, _SPEED = 4, 3  # frames, and the pixels that each is moved by
_STATE_BYTES = 3 * (4 + 1 + 1)  # a pixel of what a scene hands on


def print_plan(source: ClipSource, asked: "Asked", dreamer: "Dreamer") -> int:
    """Print the plan of a video; compiles its programs, and tries a step."""
    steps, frame_steps = dreamer.steps
    settings = asked.dream.replace(steps=frame_steps)
    before = in_use()
    octaves = plan_dream(
        dreamer.model, source.size, dreamer.any_objective, settings=settings, compute=asked.compute
    )
    frame = _frame_seconds(source, dreamer)
    memory = format_bytes(before + max(octave.memory for octave in octaves))
    height, width = source.size
    count = source.expected
    frames = "an unknown number of frames" if count is None else f"about {count} frames"
    session.report(
        f"{source.reader.info.path}: {frames} of {width}x{height}, {float(source.fps):.4g} a "
        f"second, {steps} steps where a scene begins and {frame_steps} after that"
    )
    session.report(
        f"  a frame takes about {frame:.2f} s where all of it moves, more where much is new in it, "
        "less where it is still"
    )
    session.report(f"  {memory} of memory in all, whatever the number of frames")
    if count is not None:
        disk = height * width * (count * _PNG_BYTES + _STATE_BYTES)
        session.report(
            f"  {_time(count * frame)} in all, and {format_bytes(disk)} of disk for the frames "
            "until the film is written"
        )
    return 0


def _frame_seconds(source: ClipSource, dreamer: "Dreamer") -> float:
    """Seconds that a frame takes: the last of some, since the first ones compile and prepare."""
    pixels = source.first().pixels
    frames = [np.roll(pixels, _SPEED * number, axis=1) for number in range(_TRIED)]
    begun = seconds = 0.0
    for _ in dreamer.dream([Scene(clip_frames(frames, None, 0))]):
        now = time.perf_counter()
        begun, seconds = now, now - begun
    return seconds


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
