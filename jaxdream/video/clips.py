"""The frames of a video as they are dreamed, and its scenes."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import to_levels
from jaxdream.types import AnyArray
from jaxdream.video.coherence import Carried

Frame = Float[AnyArray, "_h _w 3"] | Integer[AnyArray, "_h _w 3"]
Mask = Float[AnyArray, "_h _w"]


class ClipFrame(NamedTuple):
    """A frame of a video, and what is known of it."""

    number: int  # in the video, from 0
    pixels: Frame  # RGB, 0..255
    seconds: Fraction | None = None  # when it is shown; by default its number divided by the fps
    mask: Mask | None = None  # how much of each step a pixel takes, 0..1


class Scene(NamedTuple):
    """Frames that go on from one another."""

    frames: Iterable[ClipFrame]
    carried: Carried | None = None  # of the frame before, where the scene has been begun


def clip_frames(
    frames: Iterable[Frame], masks: Mask | Iterable[Mask] | None, first: int
) -> Iterator[ClipFrame]:
    """Pictures as the frames of a video: copies, since a camera may fill one array again and again.

    Args:
        masks: one for all, or one for each in turn.
        first: the number of the first one.

    Raises:
        JaxdreamError: there are fewer masks than frames.
    """
    if masks is None or (isinstance(masks, AnyArray) and masks.ndim == 2):
        for number, pixels in enumerate(frames, first):
            yield ClipFrame(number, np.array(pixels), None, masks)
        return
    each = iter(masks)
    for number, pixels in enumerate(frames, first):
        mask = next(each, None)
        if mask is None:
            raise JaxdreamError(f"there is no mask for frame {number}: give one for each frame")
        yield ClipFrame(number, np.array(pixels), None, mask)


def levels(pixels: Frame) -> np.ndarray:
    """Pixels as uint8."""
    if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8:
        return pixels
    return to_levels(pixels, name="a frame")


def split_scenes(
    frames: Iterable[ClipFrame],
    begins: Callable[[int, np.ndarray], bool],
    carried: Carried | None = None,
) -> Iterator[Scene]:
    """The scenes of a video, whose frames are read one after the other.

    Args:
        begins: whether a frame (its number, and its pixels as uint8) begins a scene.
        carried: of the frame before the first, where that goes on from one.
    """
    source, waiting = iter(frames), []

    def scene(first: ClipFrame) -> Iterator[ClipFrame]:
        yield first
        for frame in source:
            if begins(frame.number, levels(frame.pixels)):
                waiting.append(frame)
                return
            yield frame

    for frame in source:
        waiting.append(frame)
        before = None if begins(frame.number, levels(frame.pixels)) else carried
        while waiting:
            yield Scene(scene(waiting.pop()), before)
            before = None
