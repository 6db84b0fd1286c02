"""Pictures that tile: whose right side goes on at the left, or whose bottom goes on at the top."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import Picture
from jaxdream.settings import SPHERE
from jaxdream.types import Size


def wrapped_axes(seamless: str | None) -> tuple[bool, bool]:
    """Whether a picture goes on around its rows, and its columns, by the setting ``seamless``."""
    return seamless in ("y", "both"), seamless in ("x", "both", SPHERE)


def check_sphere(size: Size) -> None:
    """Make sure that a picture of this height and width can be one of a whole sphere.

    Raises:
        JaxdreamError: it is not twice as wide as it is high.
    """
    height, width = size
    if width != 2 * height:
        raise JaxdreamError(
            f"a picture of a sphere is twice as wide as it is high, and this one is {width}x"
            f"{height} pixels: give a size such as {2 * height}x{height}"
        )


def make_seamless(picture: Picture, seamless: str) -> Picture:
    """A picture that tiles, from one that does not.

    The picture is cross-faded with a copy that is rolled by half of the side, which has the
    picture's edges in its middle, and whose own edges were neighbours. The middle stays as it is.

    Args:
        seamless: "x", "y", "both" or "sphere", whose rows go on.
    """
    pixels, alpha = picture.pixels, picture.alpha
    for axis, wraps in enumerate(wrapped_axes(seamless)):
        if wraps:
            pixels = _cross_faded(pixels, axis)
            alpha = None if alpha is None else np.round(_cross_faded(alpha, axis)).astype(np.uint8)
    return replace(picture, pixels=pixels, alpha=alpha)


def _cross_faded(values: np.ndarray, axis: int) -> Float[np.ndarray, "h w *c"]:
    length = values.shape[axis]
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / max((length - 1) / 2, 1)
    shape = [1] * values.ndim
    shape[axis] = length
    # Smooth, and without the rolled copy in the middle half.
    share = np.clip(2 * from_edge, 0, 1)
    share = (share**2 * (3 - 2 * share)).reshape(shape).astype(np.float32)
    rolled = np.roll(values, length // 2, axis=axis)
    return share * values + (1 - share) * rolled
