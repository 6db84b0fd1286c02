"""Noise to dream from, instead of a picture."""

import hashlib

import numpy as np

from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import check_size, parse_size

NAME = "noise"  # in the place of a file's
_SIDE = 512  # pixels, unless a size is given
_MEAN, _DEVIATION = 118.0, 12.0  # levels


def noise_picture(
    seed: int, size: str | tuple[int, int] | None = None, *, sphere: bool = False
) -> Picture:
    """Grey noise in whole levels, the same for a seed and a size.

    Args:
        size: as ``--size`` has it, or height and width; by default a square of 512 pixels.
        sphere: it is for a panorama, by default of 1024x512 pixels.

    Raises:
        JaxdreamError: the text is no size, or the size is out of range.
    """
    if size is None:
        size = _SIDE, _SIDE * (2 if sphere else 1)
    height, width = parse_size(size, 1, 1) if isinstance(size, str) else size
    check_size((height, width))
    # The old generator, since its numbers are promised never to change.
    random = np.random.RandomState(seed)
    levels = np.round(random.normal(_MEAN, _DEVIATION, (height, width, 3)).clip(0, 255))
    pixels = levels.astype(np.float32)
    return Picture(pixels, None, hashlib.sha256(levels.astype(np.uint8).tobytes()).hexdigest())
