"""The resize of the octaves: bilinear with aligned corners, as scipy's ``ndimage.zoom(order=1)``.

Not ``jax.image.resize``, which places samples at pixel centres and antialiases. Where scipy's
default mode blackens the last row or column of some sizes through round-off, this does not.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.arrays import AnyArray


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


def _resize_axis(image: Array, n_out: int, axis: int) -> Array:
    n_in = image.shape[axis]
    if n_in == n_out:
        return image
    position = np.arange(n_out) * ((n_in - 1) / max(n_out - 1, 1))
    low = np.minimum(position.astype(int), n_in - 1)
    high = np.minimum(low + 1, n_in - 1)
    shape = [1] * image.ndim
    shape[axis] = n_out
    fraction = jnp.asarray((position - low).reshape(shape), image.dtype)
    below = jnp.take(image, low, axis=axis, mode="clip")
    above = jnp.take(image, high, axis=axis, mode="clip")
    return below * (1 - fraction) + above * fraction
