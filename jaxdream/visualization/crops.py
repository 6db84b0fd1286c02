"""Random crops of a picture before each step, as MACO sees it: parts of it at several places.

A part is cut out and brought to the side that the network looks at, with noise on top. What is
large in one crop is small in another, and no pattern depends on where it lies.

Source: T. Fel and others, "Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization", NeurIPS 2023, and the programs Horama and Xplique of its authors. There
a crop may reach beyond the picture; here it is moved inside.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.types import AnyArray, Size

SIDE = 224  # pixels; that of a crop, unless the picture is smaller or the network takes another


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RandomCrops:
    """How many crops a step sees, and their amounts; a pytree whose leaves are the amounts."""

    count: int = field(default=6, metadata={"static": True})
    side: int | None = field(default=None, metadata={"static": True})  # pixels, as they are seen
    smallest: float | Array = 0.2  # side of a crop, as a share of the picture's shorter one
    largest: float | Array = 0.5
    spread: float | Array = 0.15  # deviation of the middle of a crop from that of the picture
    noise: float | Array = 4.0  # deviation of the noise on a crop, in levels of 0..255

    def seen(self, size: Size) -> Size:
        """Height and width of a crop of a picture of this size."""
        side = min(SIDE, *size) if self.side is None else self.side
        return side, side

    def views(
        self, key: Key[Array, ""] | UInt32[Array, "2"]
    ) -> Key[Array, " n"] | UInt32[Array, "n 2"]:
        """A key for each view of a step."""
        return jax.random.split(key, self.count)

    def __call__(
        self, key: Key[Array, ""] | UInt32[Array, "2"], image: Float[AnyArray, "h w 3"]
    ) -> Float[Array, "s s 3"]:
        """A random crop of a picture (0..255); the noise may lead beyond 0 and 255."""
        crop = apply_crop(
            image, draw_crop(key, self), seen=self.seen((image.shape[0], image.shape[1]))
        )
        return crop + self.noise * jax.random.normal(jax.random.fold_in(key, 1), crop.shape)


class Crop(NamedTuple):
    """A square part of a picture, in shares of its height and width."""

    middle: Float[Array, "2"]  # (y, x), 0..1
    side: Float[Array, ""]  # a share of the shorter side


def draw_crop(key: Key[Array, ""] | UInt32[Array, "2"], crops: RandomCrops) -> Crop:
    """A random part: its side is uniform in its bounds, its middle normal about the picture's."""
    side, middle = jax.random.split(key)
    share = jax.random.uniform(side, minval=crops.smallest, maxval=crops.largest)
    return Crop(0.5 + crops.spread * jax.random.normal(middle, (2,)), share)


def apply_crop(image: Float[AnyArray, "h w 3"], crop: Crop, *, seen: Size) -> Float[Array, "s s 3"]:
    """That part of a picture, moved to lie inside, with ``seen`` pixels.

    Linear between pixels, and averaged where it becomes smaller. Differentiable in the picture and
    in the crop.
    """
    image = jnp.asarray(image)
    sides = jnp.array(image.shape[:2], jnp.float32)
    side = crop.side * jnp.min(sides)  # in pixels
    middle = jnp.clip(crop.middle * sides, side / 2, sides - side / 2)
    scale = seen[0] / side
    return jax.image.scale_and_translate(
        image, (*seen, 3), (0, 1), jnp.stack([scale, scale]), -scale * (middle - side / 2), "linear"
    )
