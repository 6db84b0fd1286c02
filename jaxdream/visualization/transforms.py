"""Random transforms of a picture before each step: it is shifted, scaled and turned.

A pattern that survives them all belongs to what the network looks for. The high frequencies that
an optimiser would otherwise find excite it only at one exact placing of the pixels. The transforms
of one step are one bilinear warp whose amounts are data, so one compiled program serves all steps.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007), section "Transformation robustness": there a picture is padded,
jittered, scaled, turned and jittered again.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.types import EXACT, AnyArray, Size

GREY = 127.5  # the value of pixels outside the picture


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RandomTransforms:
    """The largest amounts of random transforms; the defaults are those of Distill 2017.

    A pytree whose leaves are all amounts except ``pad``: other amounts need no new compilation.
    """

    pad: int = field(default=12, metadata={"static": True})  # pixels of grey on every side
    jitter: float | Array = 4.0  # largest shift before scaling and turning, in pixels
    scale: float | Array = 0.1  # largest change of size, as a share
    rotate: float | Array = 10.0  # largest turn, in degrees
    jitter_after: float | Array = 2.0  # largest shift after scaling and turning, in pixels

    def seen(self, size: Size) -> Size:
        """Height and width of a picture of this size after a transform."""
        return size[0] + 2 * self.pad, size[1] + 2 * self.pad

    def views(
        self, key: Key[Array, ""] | UInt32[Array, "2"]
    ) -> Key[Array, " n"] | UInt32[Array, "n 2"]:
        """A key for each view of a step: one."""
        return key[None]

    def __call__(
        self, key: Key[Array, ""] | UInt32[Array, "2"], image: Float[AnyArray, "h w c"]
    ) -> Float[Array, "oh ow c"]:
        """A picture (0..255) after a random transform."""
        return apply_transform(image, draw_transform(key, self), pad=self.pad)


class Transform(NamedTuple):
    """One transform: a shift, then scaling and turning about the middle, then another shift."""

    shift: Float[Array, "2"]  # (x, y), pixels
    scale: Float[Array, ""]  # over 1 enlarges
    angle: Float[Array, ""]  # radians; positive turns from x towards y, clockwise as displayed
    shift_after: Float[Array, "2"]  # (x, y), pixels


def draw_transform(
    key: Key[Array, ""] | UInt32[Array, "2"], transforms: RandomTransforms
) -> Transform:
    """A random transform: shifts by whole pixels, scale and angle, each uniform in its bounds."""
    shift, scale, angle, shift_after = jax.random.split(key, 4)

    def uniform(key: Array, limit: float | Array, shape: tuple[int, ...] = ()) -> Array:
        return limit * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)

    # Shifts are whole pixels, since a shift by half a pixel would blur the picture.
    return Transform(
        jnp.round(uniform(shift, transforms.jitter, (2,))),
        1 + uniform(scale, transforms.scale),
        jnp.deg2rad(uniform(angle, transforms.rotate)),
        jnp.round(uniform(shift_after, transforms.jitter_after, (2,))),
    )


def apply_transform(
    image: Float[AnyArray, "h w c"], transform: Transform, *, pad: int = 0
) -> Float[Array, "oh ow c"]:
    """A picture (0..255) after a transform, (h + 2 * pad, w + 2 * pad, c).

    Pixels from outside the picture are mid-grey. Samples are bilinear; the result is
    differentiable in the picture and in the transform.
    """
    image = jnp.asarray(image)
    height, width, _ = image.shape
    middle = jnp.array([(width - 1) / 2, (height - 1) / 2])
    y, x = jnp.mgrid[-pad : height + pad, -pad : width + pad]
    # The source of each new pixel: the transform undone, its last step first.
    centred = jnp.stack([x, y], axis=-1) - transform.shift_after - middle
    cosine, sine = jnp.cos(transform.angle), jnp.sin(transform.angle)
    unturn = jnp.array([[cosine, -sine], [sine, cosine]]) / transform.scale
    source = jnp.matmul(centred, unturn, precision=EXACT) + middle - transform.shift
    coordinates = [source[..., 1], source[..., 0]]

    def sample(channel: Array) -> Array:
        return jax.scipy.ndimage.map_coordinates(
            channel, coordinates, order=1, mode="constant", cval=GREY
        )

    return jax.vmap(sample, in_axes=-1, out_axes=-1)(image)
