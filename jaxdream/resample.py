"""Bilinear samples along the axes: the resize of the octaves, the zoom between frames.

The resize has aligned corners, as scipy's ``ndimage.zoom(order=1)``, unlike ``jax.image.resize``,
which places samples at pixel centres and antialiases. Where scipy's default mode blackens the last
row or column of some sizes through round-off, this does not.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.arrays import AnyArray
from jaxdream.errors import JaxdreamError


def resize(image: Float[AnyArray, "*n h w c"], size: tuple[int, int]) -> Float[Array, "*n oh ow c"]:
    """Resample pictures, or what was added to them, to a height and width.

    Output sample i of a side lies at input position ``i * (n_in - 1) / (n_out - 1)``. Linear in
    ``image``, so any pixel range goes.

    Source: SciPy's ``ndimage.zoom(order=1, mode="nearest")``, which the 2015 notebook used.
    """
    image = jnp.asarray(image)
    for axis, n_out in zip((-3, -2), size, strict=True):
        image = _resize_axis(image, n_out, axis)
    return image


def zoom(
    image: Float[AnyArray, "*n h w c"], amount: float, *, classic: bool = False
) -> Float[Array, "*n h w c"]:
    """Enlarge pictures about their middle, by bilinear samples: the next frame of a zoom.

    Output pixel o of a side shows input position ``(1 - amount) * o + amount * (n - 1) / 2``; with
    ``classic``, ``+ amount * n / 2``, which drifts by half a pixel and more. Any pixel range.

    Args:
        amount: share of each side that leaves the frame, 0..1; 0.05 in the notebook.
        classic: the warp of the 2015 notebook's frames loop, as today's SciPy computes it.

    Raises:
        JaxdreamError: an amount out of range.

    Source: ``affine_transform(frame, [1-s, 1-s, 1], [h*s/2, w*s/2, 0], order=1)`` of Google's
    notebook ``deepdream/dream.ipynb``.
    """
    if not 0 <= amount < 1:
        raise JaxdreamError(f"a zoom is at least 0 and under 1, not {amount}")
    image = jnp.asarray(image)
    for axis in (-3, -2):
        n = image.shape[axis]
        middle = amount * (n if classic else n - 1) / 2
        image = _sample_axis(image, (1 - amount) * np.arange(n) + middle, axis)
    return image


def _resize_axis(image: Array, n_out: int, axis: int) -> Array:
    n_in = image.shape[axis]
    if n_in == n_out:
        return image
    return _sample_axis(image, np.arange(n_out) * ((n_in - 1) / max(n_out - 1, 1)), axis)


def _sample_axis(image: Array, position: np.ndarray, axis: int) -> Array:
    """Linear interpolation at positions along an axis; beyond an edge the edge goes on."""
    last = image.shape[axis] - 1
    low = np.clip(position.astype(int), 0, last)
    high = np.minimum(low + 1, last)
    shape = [1] * image.ndim
    shape[axis] = len(position)
    fraction = jnp.asarray((position - low).reshape(shape), image.dtype)
    below = jnp.take(image, low, axis=axis, mode="clip")
    above = jnp.take(image, high, axis=axis, mode="clip")
    return below * (1 - fraction) + above * fraction
