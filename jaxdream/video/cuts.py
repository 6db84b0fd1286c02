"""Where the scenes of a video begin."""

import numpy as np
from jaxtyping import Float, UInt8

from jaxdream.images.pixels import size_of_longest
from jaxdream.settings import AUTO, VideoSettings
from jaxdream.video.flow import flow_library

_PROXY = 160  # pixels of the longer side, at which frames are compared
_THRESHOLD = 27.0  # mean difference of hue, saturation and value
_SHORTEST = 15  # frames of a scene, so that a flash is no cut

Pixels = UInt8[np.ndarray, "_ _ 3"]


def begins_scene(before: Pixels, frame: Pixels) -> bool:
    """Whether a frame (uint8, RGB) shows another scene than the frame before.

    One of another size does.

    Source: the content detector of PySceneDetect (scenedetect.com), with its default threshold.
    """
    if before.shape != frame.shape:
        return True
    return float(np.abs(_proxy(before) - _proxy(frame)).mean()) > _THRESHOLD


def _proxy(frame: Pixels) -> Float[np.ndarray, "h w 3"]:
    """A small picture of hue (0..179), saturation and value (0..255)."""
    cv2 = flow_library()
    height, width = frame.shape[:2]
    if max(height, width) > _PROXY:
        height, width = size_of_longest(_PROXY, height, width)
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.float32)


class CutFinder:
    """Says of each frame in turn whether it begins a scene."""

    def __init__(
        self, settings: VideoSettings, before: Pixels | None = None, frames: int = 0
    ) -> None:
        """Begin at the first frame, or after ``before``, so many frames into its scene."""
        self._named, self._auto = settings.cut_frames(), settings.cuts == AUTO
        self._before, self.frames = before, frames

    def __call__(self, number: int, frame: Pixels) -> bool:
        """Whether this frame (uint8, RGB) of the video is the first of a scene."""
        cut = self._before is None or number in self._named
        if not cut and self._auto and self.frames >= _SHORTEST:
            assert self._before is not None
            cut = begins_scene(self._before, frame)
        self._before, self.frames = frame, 1 if cut else self.frames + 1
        return cut
