"""Bilinear samples: the resize of the octaves, the warp between the frames of a zoom.

The resize has aligned corners, as scipy's ``ndimage.zoom(order=1)``, unlike ``jax.image.resize``,
which places samples at pixel centres and antialiases. Where scipy's default mode blackens the last
row or column of some sizes through round-off, this does not.

What is NumPy's stays NumPy's: in XLA every pair of sizes would be one more program to compile.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

Number = float | int | Float[AnyArray, ""]
Pair = tuple[float | int, float | int] | Float[AnyArray, "2"]


def resize(
    image: Float[AnyArray, "*n h w c"], size: tuple[int, int]
) -> Float[AnyArray, "*n oh ow c"]:
    """Resample pictures, or what was added to them, to a height and width.

    Output sample i of a side lies at input position ``i * (n_in - 1) / (n_out - 1)``. Linear in
    ``image``, so any pixel range goes.

    Source: SciPy's ``ndimage.zoom(order=1, mode="nearest")``, which the 2015 notebook used.
    """
    for axis, n_out in zip((-3, -2), size, strict=True):
        image = _resize_axis(image, n_out, axis)
    return image


def warp(
    image: Float[AnyArray, "*n h w c"],
    *,
    zoom: Number = 0.0,
    rotate: Number = 0.0,
    shift: Pair = (0.0, 0.0),
    classic: bool = False,
) -> Float[Array, "*n h w c"]:
    """Enlarge pictures about their middle, turn them about it, then move them.

    With c the middle of the picture, d the shift and R the turn, output pixel o shows input
    position ``c + (1 - zoom) * R^-1 (o - c - d)``, by bilinear interpolation; beyond an edge the
    edge goes on. Any pixel range. Can be differentiated, also by the amounts.

    Args:
        zoom: share of each side that leaves the frame, over -1 and under 1; 0.05 in the notebook.
            Below 0 the picture shrinks, and its edges are drawn out.
        rotate: degrees, counter-clockwise.
        shift: pixels (to the right, down).
        classic: the warp of the 2015 notebook's frames loop, as today's SciPy computes it: about
            (h / 2, w / 2) instead of the middle ((h - 1) / 2, (w - 1) / 2) of the pixels' centres,
            so that the picture drifts by half a pixel's share of the zoom in every frame.

    Raises:
        JaxdreamError: an amount out of range.

    Source: ``affine_transform(frame, [1-s, 1-s, 1], [h*s/2, w*s/2, 0], order=1)`` of Google's
    notebook ``deepdream/dream.ipynb``.
    """
    check_movement(zoom, rotate, shift)
    amounts = (jnp.asarray(amount, jnp.float32) for amount in (zoom, rotate, shift))
    return _warp(jnp.asarray(image), *amounts, 0.0 if classic else 1.0)


def check_movement(zoom: Number, rotate: Number, shift: Pair) -> None:
    """Raise JaxdreamError where an amount that is known is out of range."""
    if not isinstance(zoom, Tracer) and not -1 < zoom < 1:
        raise JaxdreamError(f"a zoom is over -1 and under 1 a frame, not {zoom}")
    if not isinstance(rotate, Tracer) and not math.isfinite(rotate):
        raise JaxdreamError(f"a rotation is a finite number of degrees a frame, not {rotate}")
    if not all(isinstance(pixels, Tracer) or math.isfinite(pixels) for pixels in shift):
        raise JaxdreamError(
            f"a shift is two finite numbers of pixels a frame, not {shift[0]} {shift[1]}"
        )


def _resize_axis(image: AnyArray, n_out: int, axis: int) -> AnyArray:
    n_in = image.shape[axis]
    if n_in == n_out:
        return image
    return _sample_axis(image, np.arange(n_out) * ((n_in - 1) / max(n_out - 1, 1)), axis)


def _sample_axis(image: AnyArray, position: np.ndarray, axis: int) -> AnyArray:
    """Linear interpolation at positions along an axis; beyond an edge the edge goes on."""
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
    """``inset``: by how much the middle is nearer than half the size, in half pixels."""
    height, width = image.shape[-3:-1]
    angle = jnp.radians(rotate)
    sine = (1 - zoom) * jnp.sin(angle)
    # 1 - (1 - zoom) * cos(angle), without the cancellation that would cost most of its digits.
    shrink = zoom * jnp.cos(angle) + 2 * jnp.sin(angle / 2) ** 2
    y, x = jnp.arange(height)[:, None], jnp.arange(width)
    from_y = y - (height - inset) / 2 - shift[1]
    from_x = x - (width - inset) / 2 - shift[0]
    # How far a sample is from its pixel: a small number, so float32 is exact enough at any size.
    top, bottom, down = _neighbours(y, sine * from_x - shrink * from_y - shift[1], height)
    left, right, along = _neighbours(x, -sine * from_y - shrink * from_x - shift[0], width)
    down, along = down[..., None].astype(image.dtype), along[..., None].astype(image.dtype)
    above = image[..., top, left, :] * (1 - along) + image[..., top, right, :] * along
    below = image[..., bottom, left, :] * (1 - along) + image[..., bottom, right, :] * along
    return above * (1 - down) + below * down


def _neighbours(pixel: Array, away: Array, n: int) -> tuple[Array, Array, Array]:
    """The two pixels of a side of ``n`` around ``pixel + away``, and the share of the second."""
    away = jnp.clip(away, -n, n)
    whole = jnp.floor(away)
    low = pixel + whole.astype(int)
    return jnp.clip(low, 0, n - 1), jnp.clip(low + 1, 0, n - 1), away - whole
