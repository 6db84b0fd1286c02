"""Optical flow between the frames of a video, and where it can be trusted.

A flow is (h, w, 2), float32, in pixels: ``flow[y, x]`` is how far to the right and down the
content of one frame's pixel (x, y) lies in the other frame. Frames are uint8, RGB, (h, w, 3).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxdream.errors import JaxdreamError

Pixels = UInt8[np.ndarray, "h w 3"]
Flow = Float[np.ndarray, "h w 2"]
FlowMethod = Callable[[Pixels, Pixels], Flow]

# The consistency of Ruder et al. 2016: a share of the flow's own length, and pixels beside it.
_ROUND_TRIP_SHARE, _ROUND_TRIP_PIXELS = 0.01, 0.5
_EDGE_SHARE, _EDGE_PIXELS = 0.01, 0.002
_SPREAD = 3  # pixels that a side of an unreliable spot is widened to
_SOFTNESS = 1.0  # standard deviation of the blur of the mask's edges, in pixels
_SMALLEST = 16  # pixels of a side, under which the method has no patches


def flow_library():
    """OpenCV.

    Raises:
        JaxdreamError: it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise JaxdreamError("optical flow needs OpenCV: pip install 'jaxdream[video]'") from None
    return cv2


def optical_flow(first: Pixels, second: Pixels) -> Flow:
    """Where each pixel of the first frame lies in the second.

    The dense inverse search of OpenCV, with its preset for medium quality. Frames with a side
    under 16 pixels have no flow: it is 0.

    Raises:
        JaxdreamError: OpenCV is not installed.

    Source: Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search (2016).
    """
    cv2 = flow_library()
    if min(first.shape[:2]) < _SMALLEST:
        return np.zeros((*first.shape[:2], 2), np.float32)
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(np.ascontiguousarray(x), cv2.COLOR_RGB2GRAY) for x in (first, second)]
    return method.calc(grey[0], grey[1], None)  # pyright: ignore[reportCallIssue,reportArgumentType]


def follow(values: Float[np.ndarray, "h w *c"], flow: Flow) -> Float[np.ndarray, "h w *c"]:
    """The values of the other frame, at the places that a frame's flow points to.

    Bicubic, so that little is lost where it is done frame after frame; outside of the frame, its
    border is repeated.
    """
    cv2 = flow_library()
    x, y = _places(flow)
    return cv2.remap(values, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def reliability(flow: Flow, back: Flow) -> Float[np.ndarray, "h w"]:
    """How far a flow can be trusted at each pixel: 1, or 0 with a soft edge.

    It cannot where it leaves the frame, where the flow back does not return (something is covered
    or uncovered there), and at the edges of what moves.

    Args:
        flow: from this frame to the other.
        back: from the other frame to this one.

    Source: Ruder, Dosovitskiy, Brox: Artistic Style Transfer for Videos (2016), section 4.
    """
    cv2 = flow_library()
    returned = cv2.remap(back, *_places(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    length = _squared(flow)
    lost = _squared(flow + returned) >= (
        _ROUND_TRIP_SHARE * (length + _squared(returned)) + _ROUND_TRIP_PIXELS
    )
    slope = _squared(_differences(flow, 0)) + _squared(_differences(flow, 1))
    edge = slope > _EDGE_SHARE * length + _EDGE_PIXELS
    unreliable = lost | edge | ~_inside(flow)
    kernel = np.ones((_SPREAD, _SPREAD), np.uint8)
    wide = cv2.dilate(unreliable.astype(np.float32), kernel)
    soft = 1 - np.minimum(cv2.GaussianBlur(wide, (0, 0), _SOFTNESS), 1)
    return np.where(unreliable, np.float32(0), soft)


def _squared(flow: Flow) -> Float[np.ndarray, "h w"]:
    """The square of a flow's length."""
    return np.square(flow[..., 0]) + np.square(flow[..., 1])


def _differences(flow: Flow, axis: int) -> Flow:
    """Half of the difference of the neighbours on both sides, along the rows (0) or columns."""
    cv2 = flow_library()
    return cv2.Sobel(
        flow, cv2.CV_32F, axis, 1 - axis, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE
    )


def _places(flow: Flow) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """The columns and the rows that a flow points to."""
    height, width, _ = flow.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _inside(flow: Flow) -> Bool[np.ndarray, "h w"]:
    """Where a flow points into the frame."""
    height, width, _ = flow.shape
    x, y = _places(flow)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
