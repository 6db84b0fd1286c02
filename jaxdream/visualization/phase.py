"""A picture held as the phases of its spectrum, whose magnitudes are fixed: MACO.

The magnitudes are those of natural pictures, so no frequency can grow beyond what is natural, and
steps can only move what is there. It needs no penalty for that, and shows objectives of deep
layers and of transformers where a free spectrum gives noise.

Source: T. Fel and others, "Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization", NeurIPS 2023. There phases begin as, and are brought back to, numbers of
mean 0 and deviation 1; here they begin as all phases alike, since phases that agree make a bright
spot in the corner of the picture.
"""

from dataclasses import dataclass, field
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray
from jaxdream.visualization.fourier import (
    check_pixels,
    independent_channels,
    picture_of_channels,
)
from jaxdream.visualization.natural_spectrum import power_law


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PhaseImage:
    """A picture, or a batch of them, by the phases of its decorrelated logits; a pytree.

    A coefficient that is its own conjugate, as the mean is, can only be real. It has no phase, and
    its magnitude the sign of it.
    """

    phase: Float[Array, "*n h f 3"]  # radians, f = width // 2 + 1 frequencies
    magnitude: Float[Array, "*n h f 3"]  # of ``jnp.fft.rfft2``; fixed
    width: int = field(metadata={"static": True})  # two widths have the same f

    @classmethod
    def noise(
        cls,
        key: Key[Array, ""] | UInt32[Array, "2"],
        size: tuple[int, int],
        *,
        magnitude: Float[AnyArray, "h f 3"] | None = None,
    ) -> "PhaseImage":
        """Noise of all phases alike.

        Args:
            size: height and width, in pixels.
            magnitude: from ``mean_spectrum``; by default the power law of natural pictures.

        Raises:
            JaxdreamError: a size without pixels, or magnitudes of another size.
        """
        check_pixels(size)
        check_magnitude(magnitude, size)
        fixed = jnp.asarray(power_law(size) if magnitude is None else magnitude, jnp.float32)
        phase = jax.random.uniform(key, fixed.shape, minval=-np.pi, maxval=np.pi)
        return cls(phase, fixed, size[1])

    @classmethod
    def of(cls, image: Float[AnyArray, "*n h w 3"]) -> "PhaseImage":
        """The phases and magnitudes of a picture (RGB, 0..255); ``pixels`` gives it back.

        Values within half a level of 0 and 255, which the sigmoid only reaches at infinity, are
        moved to half a level off.

        Raises:
            JaxdreamError: a picture without pixels.
        """
        size = (image.shape[-3], image.shape[-2])
        check_pixels(size)
        phase, magnitude = _polar(jnp.asarray(image, jnp.float32), size=size)
        return cls(phase, magnitude, size[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.phase.shape[-3], self.width

    @property
    def learnt(self) -> Float[Array, "*n h f 3"]:
        """What steps change: the phases."""
        return self.phase

    def with_learnt(self, learnt: Float[Array, "*n h f 3"]) -> "PhaseImage":
        """The picture after a step."""
        return PhaseImage(learnt, self.magnitude, self.width)

    def pixels(self) -> Float[Array, "*n h w 3"]:
        """The picture: RGB, within 0..255."""
        return _pixels(self.phase, self.magnitude, size=self.size)


def check_magnitude(magnitude: AnyArray | None, size: tuple[int, int]) -> None:
    """Make sure that magnitudes, if there are any, are those of pictures of this size.

    Raises:
        JaxdreamError: they are not.
    """
    expected = (size[0], size[1] // 2 + 1, 3)
    if magnitude is not None and magnitude.shape != expected:
        raise JaxdreamError(
            f"the spectrum has the shape {magnitude.shape}, and pictures of {size[1]}x{size[0]} "
            f"pixels need {expected}: make it by mean_spectrum(pictures, size={size})"
        )


# Compiled as wholes: dozens of small programs, one for each operation, take seconds.


@partial(jax.jit, static_argnames=("size",), inline=True)
def _pixels(phase: Array, magnitude: Array, *, size: tuple[int, int]) -> Array:
    own, conjugate, _ = _columns(size)
    opposite = jnp.roll(jnp.flip(phase, -3), 1, -3)  # in the row of frequency -f, that of f
    angle = jnp.asarray(own * phase - conjugate * opposite)
    spectrum = jax.lax.complex(magnitude * jnp.cos(angle), magnitude * jnp.sin(angle))
    return picture_of_channels(jnp.fft.irfft2(spectrum, s=size, axes=(-3, -2)))


@partial(jax.jit, static_argnames=("size",), inline=True)
def _polar(image: Array, *, size: tuple[int, int]) -> tuple[Array, Array]:
    spectrum = jnp.fft.rfft2(independent_channels(image), axes=(-3, -2))
    real = _columns(size)[2]
    phase = jnp.where(real, 0.0, jnp.angle(spectrum))
    return phase, jnp.where(real, spectrum.real, jnp.abs(spectrum))


@cache
def _columns(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which coefficients have a phase of their own, which the opposite one's, and which are real.

    Of the columns that are their own conjugates (the first, and the last of an even width), the
    lower half is the conjugate of the upper one; each (h, f, 1).
    """
    height, width = size
    rows, columns = np.arange(height)[:, None], np.arange(width // 2 + 1)
    edge = (columns == 0) | (2 * columns == width)
    real = edge & ((rows == 0) | (2 * rows == height))
    conjugate = edge & (2 * rows > height)
    own = ~real & ~conjugate
    return (
        own[..., None].astype(np.float32),
        conjugate[..., None].astype(np.float32),
        real[..., None],
    )
