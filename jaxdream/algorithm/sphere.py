"""Pictures of a whole sphere, in the equirectangular projection of 360-degree panoramas.

Columns are longitudes and rows are latitudes, from the north pole at the top to the south pole. In
place of a shift, the jitter is a random rotation of the sphere: the network's border, and the
poles, where the projection stretches what it shows, are elsewhere in every step.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxdream.types import EXACT, AnyArray


def random_rotation(offset: Integer[AnyArray, "2"]) -> Float[Array, "3 3"]:
    """The rotation that two numbers stand for: uniform among all, or none for (0, 0).

    Source: K. Shoemake, "Uniform Random Rotations", Graphics Gems III, 1992: the direction of a
    vector of four independent normal numbers is a uniform unit quaternion.
    """
    offset = jnp.asarray(offset)
    key = jax.random.wrap_key_data(offset.astype(jnp.uint32), impl="threefry2x32")
    none = jnp.array([1.0, 0.0, 0.0, 0.0])
    quaternion = jnp.where(jnp.any(offset != 0), jax.random.normal(key, (4,)), none)
    w, x, y, z = quaternion / jnp.linalg.norm(quaternion)
    return jnp.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def rotate_sphere(
    image: Float[AnyArray, "h w c"], rotation: Float[AnyArray, "3 3"]
) -> Float[Array, "h w c"]:
    """The picture of the rotated sphere, by bilinear interpolation; any pixel range.

    What is seen in the direction d, (right, up, ahead) with the middle of the picture ahead, was in
    the direction ``rotation @ d``.
    """
    image = jnp.asarray(image)
    height, width, _ = image.shape
    longitude, latitude = _longitudes(width), latitudes(height)[:, None]
    seen = np.stack(np.broadcast_arrays(
        np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)
    ), -1)  # fmt: skip
    x, y, z = jnp.moveaxis(jnp.matmul(seen, jnp.asarray(rotation).T, precision=EXACT), -1, 0)
    column = (jnp.arctan2(x, z) / (2 * np.pi) + 0.5) * width - 0.5
    row = (0.5 - jnp.arctan2(y, jnp.hypot(x, z)) / np.pi) * height - 0.5
    left, top = jnp.floor(column), jnp.floor(row)
    along, down = (column - left)[..., None], (row - top)[..., None]
    left, top = left.astype(int), top.astype(int)

    def at(row: Array, column: Array) -> Array:
        # Beyond a pole lies the other side of the sphere.
        beyond = (row < 0) | (row >= height)
        return image[jnp.clip(row, 0, height - 1), (column + beyond * (width // 2)) % width]

    above = at(top, left) * (1 - along) + at(top, left + 1) * along
    below = at(top + 1, left) * (1 - along) + at(top + 1, left + 1) * along
    return above * (1 - down) + below * down


def latitudes(height: int) -> Float[np.ndarray, " h"]:
    """The latitudes of the rows' middles, in radians, from north to south."""
    return (np.pi * (0.5 - (np.arange(height) + 0.5) / height)).astype(np.float32)


def _longitudes(width: int) -> Float[np.ndarray, " w"]:
    """The longitudes of the columns' middles, in radians; 0 is the middle of the picture."""
    return (2 * np.pi * ((np.arange(width) + 0.5) / width - 0.5)).astype(np.float32)
