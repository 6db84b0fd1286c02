"""Arrays and sizes of pictures: checked, and turned into whole levels.

The pixel convention, here and everywhere outside a network: float32, RGB, (h, w, 3), 0..255.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float, UInt8
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

LUMA = (0.299, 0.587, 0.114)  # of R, G and B: ITU-R BT.601
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 27)  # above, Pillow refuses to decode
_FEW_PIXELS = 16  # up to so many, values within 0..1 prove nothing


def check_picture(image, *, name: str) -> None:
    """Make sure that an array is a picture, or several, in 0..255.

    Values are looked at where they are known: a traced array is only checked for its shape and
    dtype.

    Args:
        image: (..., h, w, 3), NumPy or JAX.
        name: what the message calls it: an argument's name or a file's.

    Raises:
        JaxdreamError: it is not an array of real numbers, its shape is another or has no pixels,
            values are not finite, or the values are fractions between 0 and 1, as other libraries
            have pixels: nearly black here.
    """
    try:
        shape = np.shape(image)
    except (TypeError, ValueError):  # rows of different lengths
        shape = ()
    if len(shape) < 3 or shape[-1] != 3 or 0 in shape:
        found = shape if shape else type(image).__name__
        raise JaxdreamError(f"{name} must have the shape (height, width, 3), not {found}")
    if isinstance(image, Tracer):
        _check_real(image.dtype, name)
    elif not isinstance(image, jax.Array) or image.is_fully_addressable:
        values = np.asarray(image)
        _check_real(values.dtype, name)
        _check_values(values, name)


def as_pixels(image: AnyArray) -> Float[np.ndarray, "h w 3"]:
    """A picture as the dream takes it.

    Raises:
        JaxdreamError: it is not (h, w, 3), RGB, 0..255.
    """
    check_picture(image, name="image")
    if np.ndim(image) != 3:
        raise JaxdreamError(f"image is (h, w, 3), not {np.shape(image)}: RGB, 0..255")
    return np.asarray(image, np.float32)


def to_levels(values, *, name: str) -> UInt8[np.ndarray, "..."]:
    """Numbers of 0..255 as whole levels: clipped and rounded.

    Args:
        values: of any shape, NumPy or JAX.
        name: what the message calls them: an argument's name or a file's.

    Raises:
        JaxdreamError: they are not real numbers, or not finite.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # rows of different lengths
        raise JaxdreamError(f"{name} must be an array of numbers") from None
    _check_real(array.dtype, name)
    if not np.isfinite(array).all():
        raise JaxdreamError(f"{name} has values that are not finite")
    return np.round(array.clip(0, 255)).astype(np.uint8)


def check_size(size: tuple[int, int]) -> None:
    """Make sure that a picture can have a height and width, in pixels.

    Raises:
        JaxdreamError: a side has no pixels, or the picture has more than are ever decoded.
    """
    height, width = size
    if min(size) < 1:
        raise JaxdreamError(f"size {width}x{height}: too small, at least 1 pixel a side")
    if height * width > MAX_PIXELS:
        raise JaxdreamError(f"size {width}x{height}: too large, at most {MAX_PIXELS:,} pixels")


def frame_levels(image, *, name: str, shape: tuple[int, ...] | None) -> UInt8[np.ndarray, "_ _ 3"]:
    """A frame of a film as whole levels.

    Args:
        image: RGB, 0..255, NumPy or JAX.
        name: what the message calls it.
        shape: that of the film's first frame; None for that one itself.

    Raises:
        JaxdreamError: as ``to_levels``, or it has another shape than (h, w, 3), or than the first.
    """
    pixels = to_levels(image, name=name)
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise JaxdreamError(f"{name} must have the shape (height, width, 3), not {pixels.shape}")
    if shape is not None and pixels.shape != shape:
        size, wanted = (f"{w}x{h}" for h, w, _ in (pixels.shape, shape))
        raise JaxdreamError(f"{name} is {size} pixels, the first is {wanted}")
    return pixels


def parse_size(text: str, height: int, width: int) -> tuple[int, int]:
    """Height and width that ``WxH``, or ``N`` for the longest side, means for a picture.

    Args:
        height: of the picture, in pixels, for its proportions.
        width: likewise.

    Raises:
        JaxdreamError: the text is not a size, or the size has too many pixels.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?", text.strip().lower())
    if match is None:
        raise JaxdreamError(f"{text!r} is not a size: give WIDTHxHEIGHT, or the longest side alone")
    if match[2]:
        size = (int(match[2]), int(match[1]))
    else:
        size = size_of_longest(int(match[1]), height, width)
    check_size(size)
    return size


def size_of_longest(longest: int, height: int, width: int) -> tuple[int, int]:
    """Height and width, in pixels, of a picture whose longer side becomes ``longest``.

    The proportions stay, to rounding; no side becomes shorter than 1 pixel.
    """
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _check_real(dtype: np.dtype, name: str) -> None:
    # JAX's, as NumPy's does not know bfloat16.
    if not (jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)):
        raise JaxdreamError(f"{name} must be an array of real numbers, not of {dtype}")


def _check_values(values: np.ndarray, name: str) -> None:
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return
    if not np.isfinite(values).all():
        raise JaxdreamError(f"{name} has values that are not finite")
    # Whole levels are never refused: a nearly black file has only 0 and 1.
    least, most = values.min(), values.max()
    if least < 0 or most > 1 or values.size <= 3 * _FEW_PIXELS:
        return
    if ((values > 0) & (values < 1)).any():
        raise JaxdreamError(
            f"{name} has values from {least:.3g} to {most:.3g}: pixels are 0..255 here, so "
            "multiply by 255"
        )
