"""What a frame of a video takes over from the dream of the frame before.

Of a dream it is the *detail* that is carried on, the dream minus its frame, along the optical flow.
With the share ``carry`` of it and ``frame_steps`` new steps in each frame, detail settles at the
strength of ``frame_steps / (1 - carry)`` steps: those of a still, if ``carry`` is
``1 - frame_steps / steps``. That holds for each pixel with any share ``r`` of both, a carry of
``1 - r * (1 - carry)`` and ``r * frame_steps`` steps. So what does not move is left alone, and what
moves is renewed. Where the flow cannot be trusted nothing is carried, and all steps of a still are
due.

Carried detail: samim's DeepDreamAnim (2015).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.video.flow import Flow, FlowMethod, flow_library, follow, optical_flow, reliability

Frame = UInt8[np.ndarray, "h w 3"]
Picture = Float[np.ndarray, "h w 3"]  # a frame as it is dreamed
Shares = Float[np.ndarray, "h w"]

_FULL_SPEED = 3.0  # pixels a frame, from which on detail is renewed as fast as the settings say
_SLOWEST = 0.1  # pixels a frame, under which a flow is noise
_NOISE, _CHANGE = 8.0, 24.0  # levels: a frame that differs by less is the same, by more is new
_BLUR = 2.0  # standard deviation, in pixels, over which frames are compared
LARGEST_STEP = 3.0  # times the step size, where many steps are due
_LEAST_RELIABLE = 0.25  # share of a frame, under which nothing of the frame before is used


class Motion(NamedTuple):
    """How a frame differs from the one before."""

    flow: Flow  # from the frame to the one before
    reliable: Shares  # where the flow can be trusted
    renewal: Shares  # how much of what is carried is to be renewed


class Carried(NamedTuple):
    """What a frame hands to the next one."""

    frame: UInt8[np.ndarray, "h w 3"]
    dream: Float[np.ndarray, "h w 3"]  # RGB, 0..255, not finished
    mean: Float[np.ndarray, " 3"]  # of the detail of the scene's first frame
    first: UInt8[np.ndarray, "h w 3"]  # the scene's first frame
    frames: int  # of the scene so far
    dreamed: Bool[np.ndarray, "h w"] | None = None  # where its mask was not 0; None: everywhere


class Start(NamedTuple):
    """What a frame's dream begins with."""

    picture: Float[np.ndarray, "h w 3"]  # the frame with the detail that was carried
    steps: Shares  # that are due at each pixel
    mean: float  # of these, where the mask is


def find_motion(before: Frame, frame: Frame, *, method: FlowMethod = optical_flow) -> Motion:
    """How a frame differs from the one before (uint8, RGB).

    Args:
        method: gives the flow from its first frame to its second.

    Raises:
        JaxdreamError: what it gives is no flow of these frames.
    """
    flow, back = (
        _checked(method(*pair), frame.shape[:2]) for pair in ((frame, before), (before, frame))
    )
    reliable = reliability(flow, back)
    if reliable.mean() < _LEAST_RELIABLE:
        reliable = np.zeros_like(reliable)
    return Motion(flow, reliable, _renewal(before, frame, flow))


def _checked(flow: object, size: tuple[int, ...]) -> Flow:
    """What a method has given, as a flow of frames of this height and width."""
    found = np.asarray(flow, np.float32)
    if found.shape != (*size, 2) or not np.isfinite(found).all():
        raise JaxdreamError(
            f"flow has to give finite numbers of the shape {(*size, 2)}, not {found.shape}"
        )
    return found


def _renewal(before: Frame, frame: Frame, flow: Flow) -> Shares:
    """How much of carried detail is to be renewed: all where much moves or becomes another."""
    cv2 = flow_library()
    # OpenCV's magnitude depends on where in memory a flow lies.
    speed = np.hypot(flow[..., 0], flow[..., 1])
    moved = np.clip((speed - _SLOWEST) / (_FULL_SPEED - _SLOWEST), 0, 1)
    difference = frame.astype(np.float32) - follow(before.astype(np.float32), flow)
    changed = np.abs(cv2.GaussianBlur(difference, (0, 0), _BLUR)).max(-1)
    return np.maximum(moved, np.clip((changed - _NOISE) / (_CHANGE - _NOISE), 0, 1))


def begin(frame: Picture, *, steps: int, mask: Shares | None = None) -> Start:
    """The start of a frame that has nothing to go on from.

    Args:
        steps: of a still.
        mask: how much of each step a pixel takes.
    """
    due = np.full(frame.shape[:2], steps, np.float32)
    return Start(frame.astype(np.float32), due if mask is None else due * mask, float(steps))


def go_on(
    frame: Picture,
    carried: Carried,
    motion: Motion,
    *,
    steps: int,
    frame_steps: int,
    mask: Shares | None = None,
) -> Start:
    """The start of a frame that goes on from the one before.

    The mean of each channel of the carried detail is brought back to that of the scene's first
    frame, so that nothing drifts to dark.

    Args:
        steps: of a still.
        frame_steps: of a frame that goes on.
        mask: how much of each step a pixel takes.
    """
    reliable = motion.reliable
    if carried.dreamed is not None:  # nothing comes from where the mask was 0
        reliable = reliable * np.clip(follow(carried.dreamed.astype(np.float32), motion.flow), 0, 1)
    renewed = reliable * motion.renewal
    kept = reliable - renewed * (frame_steps / steps)
    detail = follow(carried.dream - carried.frame, motion.flow)
    due = renewed * frame_steps + (1 - reliable) * steps
    mean = float(due.mean())
    if mask is not None:
        kept, due = kept * (mask > 0), due * mask
        mean = float(due.sum() / max(mask.sum(), 1e-6))
    weights = kept[..., None]
    total = weights.sum()
    if total > 0:
        detail += carried.mean - (weights * detail).sum((0, 1)) / total
    return Start(frame + weights * detail, due.astype(np.float32), mean)


def mean_detail(detail: Float[np.ndarray, "h w 3"], mask: Shares | None) -> Float[np.ndarray, " 3"]:
    """The mean of each channel of detail, where something is dreamed; 0 if that is nowhere."""
    dreamed = detail.reshape(-1, 3) if mask is None else detail[mask > 0]
    return dreamed.mean(0) if len(dreamed) else np.zeros(3, np.float32)


def iterations(due: float, *, steps: int, frame_steps: int, chunk: int) -> int:
    """How many steps are taken for a frame of which so many are due on average.

    So the work is that of the pixels which need it: where more are due, each step is larger, up to
    ``LARGEST_STEP`` times. Larger ones would leave coloured speckles.

    Args:
        steps: of a still, the most that are taken.
        frame_steps: the fewest.
        chunk: of which the number is a multiple, as the two others are.
    """
    return int(np.clip(chunk * round(due / chunk), frame_steps, steps))
