"""Bilinear resampling: the resize between octaves, the warp between the frames of a zoom.

The resize has aligned corners, as SciPy's ``ndimage.zoom(order=1)``; ``jax.image.resize`` instead
places samples at pixel centres and antialiases. SciPy's default mode makes the last row or column
of some sizes black through round-off; this does not.

NumPy arrays are resized by NumPy: in XLA every pair of sizes would be one more program to compile.
"""

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import size_of_longest
from jaxdream.types import AnyArray

Number = float | int | Float[AnyArray, ""]
Pair = tuple[float | int, float | int] | Float[AnyArray, "2"]


def resize(
    image: Float[AnyArray, "*n h w c"],
    size: tuple[int, int] | None = None,
    *,
    longest: int | None = None,
    wrap: tuple[bool, bool] = (False, False),
) -> Float[AnyArray, "*n oh ow c"]:
    """Resample pictures, or the detail that was added to them, to a height and width.

        small = jd.resize(image, longest=512)
        half = jd.resize(image, (240, 320))

    Output sample i of a side lies at input position ``i * (n_in - 1) / (n_out - 1)``. Linear in
    ``image``, so any pixel range will do.

    Args:
        size: (height, width) in pixels.
        longest: the longer of height and width, in pixels, instead of ``size``; the proportions
            stay.
        wrap: whether the picture goes on around its rows, and around its columns. Such a side has
            no end to align: sample i lies at ``i * n_in / n_out``, and the last one between the
            last and the first pixel.

    Raises:
        JaxdreamError: not exactly one of ``size`` and ``longest`` is given, it is not in whole
            pixels of at least 1, or the picture has no pixels.

    Source: SciPy's ``ndimage.zoom(order=1, mode="nearest")``, which the 2015 notebook used.
    """
    size = _output_size(image.shape[-3:-1], size, longest)
    for axis, n_out, wraps in zip((-3, -2), size, wrap, strict=True):
        image = _resize_axis(image, n_out, axis, wraps)
    return image


def warp(
    image: Float[AnyArray, "*n h w c"],
    *,
    zoom: Number = 0.0,
    rotate: Number = 0.0,
    shift: Pair = (0.0, 0.0),
    classic: bool = False,
) -> Float[Array, "*n h w c"]:
    """Enlarge pictures about their centre, rotate them about it, then shift them.

    With c the centre of the picture, d the shift and R the rotation, output pixel o shows input
    position ``c + (1 - zoom) * R^-1 (o - c - d)``, by bilinear interpolation; outside the picture
    its edge pixels are repeated. Any pixel range. Differentiable in the picture and the amounts.

    Args:
        zoom: the fraction of each side that leaves the frame, over -1 and under 1; 0.05 in the
            notebook. Below 0 the picture shrinks.
        rotate: degrees, counter-clockwise.
        shift: pixels (to the right, down).
        classic: the warp of the 2015 notebook's frames loop, as today's SciPy computes it: about
            (h / 2, w / 2) instead of the centre ((h - 1) / 2, (w - 1) / 2) of the pixels, so that
            the picture drifts by ``zoom / 2`` pixels in every frame.

    Raises:
        JaxdreamError: an amount is out of range.

    Source: ``affine_transform(frame, [1-s, 1-s, 1], [h*s/2, w*s/2, 0], order=1)`` of Google's
    notebook ``deepdream/dream.ipynb``.
    """
    check_movement(zoom, rotate, shift)
    amounts = (jnp.asarray(amount, jnp.float32) for amount in (zoom, rotate, shift))
    return _warp(jnp.asarray(image), *amounts, 0.0 if classic else 1.0)


def check_movement(zoom: Number, rotate: Number, shift: Pair) -> None:
    """Check the amounts of ``warp``, except those that are traced.

    Raises:
        JaxdreamError: one is out of range.
    """
    if not isinstance(zoom, Tracer) and not -1 < zoom < 1:
        raise JaxdreamError(f"zoom must be over -1 and under 1, not {zoom}")
    if not isinstance(rotate, Tracer) and not math.isfinite(rotate):
        raise JaxdreamError(f"rotate must be a finite number of degrees, not {rotate}")
    if not all(isinstance(pixels, Tracer) or math.isfinite(pixels) for pixels in shift):
        raise JaxdreamError(
            f"shift must be two finite numbers of pixels, not {shift[0]} {shift[1]}"
        )


def _output_size(before: tuple[int, ...], size: Any, longest: Any) -> tuple[int, int]:
    """Height and width of the result of ``resize``, which are checked."""
    if (size is None) == (longest is None):
        raise JaxdreamError("resize needs one of size=(height, width) and longest=")
    if 0 in before:
        raise JaxdreamError(f"a picture of {before[1]}x{before[0]} pixels cannot be resized")
    try:
        sides = [operator.index(side) for side in ((longest,) if size is None else size)]
    except TypeError:  # no integers, or one number alone
        sides = []
    if size is None:
        if len(sides) != 1 or sides[0] < 1:
            raise JaxdreamError(f"longest must be a whole number of pixels, 1 or more: {longest}")
        return size_of_longest(sides[0], before[0], before[1])
    if len(sides) != 2 or min(sides) < 1:
        raise JaxdreamError(
            f"size must be (height, width) in whole pixels, 1 or more, not {size}; longest=N "
            "keeps the proportions"
        )
    return sides[0], sides[1]


def _resize_axis(image: AnyArray, n_out: int, axis: int, wraps: bool) -> AnyArray:
    n_in = image.shape[axis]
    if n_in == n_out:
        return image
    if wraps:
        xp = np if isinstance(image, np.ndarray) else jnp
        around = xp.concatenate([image, xp.take(image, np.array([0]), axis=axis)], axis=axis)
        return _sample_axis(around, np.arange(n_out) * (n_in / n_out), axis)
    return _sample_axis(image, np.arange(n_out) * ((n_in - 1) / max(n_out - 1, 1)), axis)


def _sample_axis(image: AnyArray, position: np.ndarray, axis: int) -> AnyArray:
    """Linear interpolation at positions along an axis; outside it the edge is repeated."""
    last = image.shape[axis] - 1
    low = np.clip(position.astype(int), 0, last)
    high = np.minimum(low + 1, last)
    shape = [1] * image.ndim
    shape[axis] = len(position)
    fraction = (position - low).reshape(shape).astype(image.dtype)
    take = np.take if isinstance(image, np.ndarray) else jnp.take
    below = take(image, low, axis=axis, mode="clip")
    above = take(image, high, axis=axis, mode="clip")
    return below * (1 - fraction) + above * fraction


@jax.jit
def _warp(image: Array, zoom: Array, rotate: Array, shift: Array, inset: float | Array) -> Array:
    """``inset``: twice the distance, in pixels, of the centre from half the size."""
    height, width = image.shape[-3:-1]
    angle = jnp.radians(rotate)
    sine = (1 - zoom) * jnp.sin(angle)
    # 1 - (1 - zoom) * cos(angle), without the cancellation that would cost most of its digits.
    shrink = zoom * jnp.cos(angle) + 2 * jnp.sin(angle / 2) ** 2
    y, x = jnp.arange(height)[:, None], jnp.arange(width)
    from_y = y - (height - inset) / 2 - shift[1]
    from_x = x - (width - inset) / 2 - shift[0]
    # The distance of a sample from its pixel is small, so float32 is exact enough at any size.
    top, bottom, down = _neighbours(y, sine * from_x - shrink * from_y - shift[1], height)
    left, right, along = _neighbours(x, -sine * from_y - shrink * from_x - shift[0], width)
    down, along = down[..., None].astype(image.dtype), along[..., None].astype(image.dtype)
    above = image[..., top, left, :] * (1 - along) + image[..., top, right, :] * along
    below = image[..., bottom, left, :] * (1 - along) + image[..., bottom, right, :] * along
    return above * (1 - down) + below * down


def _neighbours(pixel: Array, distance: Array, n: int) -> tuple[Array, Array, Array]:
    """The two pixels of a side of ``n`` around ``pixel + distance``; the weight of the second."""
    distance = jnp.clip(distance, -n, n)
    floor = jnp.floor(distance)
    low = pixel + floor.astype(int)
    return jnp.clip(low, 0, n - 1), jnp.clip(low + 1, 0, n - 1), distance - floor
