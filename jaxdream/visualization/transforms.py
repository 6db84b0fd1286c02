"""Random views of a picture between steps: shifted, scaled, turned.

What survives them all is in the picture; what only one exact placing of pixels excites, the high
frequencies that an optimiser would otherwise find, is not. The transformations of one step make one
bilinear warp with its parameters as data, so that a single compiled program serves every step.

Source: Olah, Mordvintsev, Schubert, "Feature Visualization", Distill 2017, section
"Transformation robustness": there a picture is padded, jittered, scaled, turned, jittered again.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.types import STATIC, AnyArray, pytree

GREY = 127.5  # what is outside the picture


@pytree
@dataclass(frozen=True)
class Robustness:
    """How far views may differ; the defaults are those of Distill 2017.

    All but ``pad`` are data: other amounts do not compile anew.
    """

    pad: int = field(default=12, metadata=STATIC)  # pixels of grey on every side
    jitter: float | Array = 4.0  # largest shift before the rest, in pixels
    scale: float | Array = 0.1  # largest change of size, as a share
    rotate: float | Array = 10.0  # largest turn, in degrees
    last_jitter: float | Array = 2.0  # largest shift after the rest, in pixels


class View(NamedTuple):
    """One transformation: shift, then scale and turn about the middle, then shift again."""

    shift: Float[Array, "2"]  # (x, y), pixels
    scale: Float[Array, ""]  # over 1 enlarges
    angle: Float[Array, ""]  # radians; positive turns from x towards y, clockwise as displayed
    last_shift: Float[Array, "2"]  # (x, y), pixels


def draw_view(key: Key[Array, ""] | UInt32[Array, "2"], robustness: Robustness) -> View:
    """A random view: whole-pixel shifts, scale and angle, each uniform within its bounds."""
    shift, scale, angle, last_shift = jax.random.split(key, 4)

    def uniform(key: Array, most: float | Array, shape: tuple[int, ...] = ()) -> Array:
        return most * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)

    # A blur of half a pixel would come with a shift by half a pixel.
    return View(
        jnp.round(uniform(shift, robustness.jitter, (2,))),
        1 + uniform(scale, robustness.scale),
        jnp.deg2rad(uniform(angle, robustness.rotate)),
        jnp.round(uniform(last_shift, robustness.last_jitter, (2,))),
    )


def look(image: Float[AnyArray, "h w c"], view: View, *, pad: int = 0) -> Float[Array, "oh ow c"]:
    """A picture (0..255) as a view shows it, with ``pad`` more pixels on each side.

    Beyond its edges it is mid-grey. Bilinear samples; differentiable in the picture and the view.
    """
    image = jnp.asarray(image)
    height, width, _ = image.shape
    middle = jnp.array([(width - 1) / 2, (height - 1) / 2])
    y, x = jnp.mgrid[-pad : height + pad, -pad : width + pad]
    # Where each pixel of the view comes from: the transformations undone, last first.
    at = jnp.stack([x, y], axis=-1) - view.last_shift - middle
    cosine, sine = jnp.cos(view.angle), jnp.sin(view.angle)
    unturn = jnp.array([[cosine, -sine], [sine, cosine]]) / view.scale
    source = jnp.matmul(at, unturn, precision="highest") + middle - view.shift
    coordinates = [source[..., 1], source[..., 0]]

    def sample(channel: Array) -> Array:
        return jax.scipy.ndimage.map_coordinates(
            channel, coordinates, order=1, mode="constant", cval=GREY
        )

    return jax.vmap(sample, in_axes=-1, out_axes=-1)(image)


def random_view(
    key: Key[Array, ""] | UInt32[Array, "2"],
    image: Float[AnyArray, "h w c"],
    *,
    robustness: Robustness,
) -> Float[Array, "oh ow c"]:
    """The picture (0..255) from a random view, ``robustness.pad`` larger on each side."""
    return look(image, draw_view(key, robustness), pad=robustness.pad)
