"""Pictures that tile: whose right side goes on at the left, or whose bottom goes on at the top."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from jaxdream.images.picture_files import Picture


def wrapped_axes(seamless: str | None) -> tuple[bool, bool]:
    """Whether a picture goes on around its rows, and its columns, by the setting ``seamless``."""
    return seamless in ("y", "both"), seamless in ("x", "both")


def make_seamless(picture: Picture, seamless: str) -> Picture:
    """A picture that tiles, from one that does not.

    The picture is cross-faded with a copy that is rolled by half of the side, which has the
    picture's edges in its middle, and whose own edges were neighbours. The middle stays as it is.

    Args:
        seamless: "x", "y" or "both".
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
