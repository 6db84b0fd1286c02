"""A picture held as its spectrum: what feature visualisation changes in place of the pixels.

Each frequency is scaled by 1 / frequency, as natural pictures are, so that equal steps make large
shapes as readily as fine grain; the three channels are decorrelated, so that colours are no rarer
than grey; and a sigmoid keeps every value within 0..255.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007), section "Preconditioning and Parameterization".
"""

from dataclasses import dataclass, field
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.errors import JaxdreamError
from jaxdream.types import EXACT, AnyArray

# Covariance of the logits of R, G and B in natural pictures, log(p / (1 - p)) for p = value / 255
# kept half a level off 0 and 255: over 7 million pixels of 7,000 ImageNet training photographs of
# 100 classes (measured for jaxdream; scripts/colour_covariance.py).
LOGIT_COVARIANCE = ((3.509, 3.033, 2.868), (3.033, 3.341, 3.285), (2.868, 3.285, 3.995))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FourierImage:
    """A picture, or a batch of them, by its scaled spectrum; a pytree of one array.

    A spectrum of independent unit normal numbers is a picture with the contrast, the colours and
    the 1 / frequency spectrum of natural ones, at any size.
    """

    spectrum: Float[Array, "*n 2 h f 3"]  # real and imaginary, f = width // 2 + 1 frequencies
    width: int = field(metadata={"static": True})  # two widths have the same f

    @classmethod
    def noise(
        cls,
        key: Key[Array, ""] | UInt32[Array, "2"],
        size: tuple[int, int],
        *,
        deviation: float = 0.02,
    ) -> "FourierImage":
        """Noise around mid-grey.

        Args:
            size: height and width, in pixels.
            deviation: of the spectrum; 1 would have the contrast of a natural picture.

        Raises:
            JaxdreamError: a size without pixels.
        """
        check_pixels(size)
        return cls(_noise(key, deviation, size=size), size[1])

    @classmethod
    def of(cls, image: Float[AnyArray, "*n h w 3"]) -> "FourierImage":
        """The spectrum of a picture (RGB, 0..255); ``pixels`` gives the picture back.

        Values within half a level of 0 and 255, which the sigmoid only reaches at infinity, are
        moved to half a level off.

        Raises:
            JaxdreamError: a picture without pixels.
        """
        size = (image.shape[-3], image.shape[-2])
        check_pixels(size)
        return cls(_spectrum(jnp.asarray(image, jnp.float32)), size[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.spectrum.shape[-3], self.width

    @property
    def learnt(self) -> Float[Array, "*n 2 h f 3"]:
        """What steps change: all of it."""
        return self.spectrum

    def with_learnt(self, learnt: Float[Array, "*n 2 h f 3"]) -> "FourierImage":
        """The picture after a step."""
        return FourierImage(learnt, self.width)

    def pixels(self) -> Float[Array, "*n h w 3"]:
        """The picture: RGB, within 0..255."""
        return _pixels(self.spectrum, size=self.size)


# Compiled as wholes: dozens of small programs, one for each operation, take seconds.


@partial(jax.jit, static_argnames=("size",), inline=True)
def _noise(key: Array, deviation: float | Array, *, size: tuple[int, int]) -> Array:
    height, width = size
    return deviation * jax.random.normal(key, (2, height, width // 2 + 1, 3))


@jax.jit
def _spectrum(image: Array) -> Array:
    values = independent_channels(image)
    spectrum = jnp.fft.rfft2(values, axes=(-3, -2)) / _scale((image.shape[-3], image.shape[-2]))
    return jnp.stack([spectrum.real, spectrum.imag], axis=-4)


@partial(jax.jit, static_argnames=("size",), inline=True)
def _pixels(spectrum: Array, *, size: tuple[int, int]) -> Array:
    real, imaginary = (spectrum[..., i, :, :, :] for i in (0, 1))
    values = jnp.fft.irfft2(jax.lax.complex(real, imaginary) * _scale(size), s=size, axes=(-3, -2))
    return picture_of_channels(values)


def independent_channels(image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
    """The decorrelated logits of a picture (RGB, 0..255): in natural ones, of covariance 1.

    Values within half a level of 0 and 255 are moved to half a level off.
    """
    share = jnp.clip(jnp.asarray(image, jnp.float32), 0.5, 254.5) / 255
    logits = jnp.log(share) - jnp.log1p(-share)
    # The inverse would enlarge the rounding errors of a TPU or GPU.
    inverse = jnp.asarray(np.linalg.inv(_colours()), jnp.float32)
    return jnp.matmul(logits, inverse, precision=EXACT)


def picture_of_channels(values: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
    """The picture (RGB, 0..255) whose ``independent_channels`` these are."""
    logits = jnp.matmul(values, jnp.asarray(_colours(), jnp.float32), precision=EXACT)
    return 255 * jax.nn.sigmoid(logits)


@cache
def _scale(size: tuple[int, int]) -> np.ndarray:
    """(h, f, 1): factors that turn unit normal coefficients into a picture of variance 1."""
    height, width = size
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    # Frequency 0, the mean, is scaled as the lowest frequency of the picture.
    amplitude = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    # A column of the half spectrum also stands for its conjugates, which doubles its amplitude;
    # the first one, and the last one of an even width, are their own conjugates.
    weights = np.where((columns == 0) | (columns == 0.5), 1, 4)
    variance = np.sum(weights * amplitude**2) / (height * width) ** 2
    return (amplitude / np.sqrt(variance))[..., None].astype(np.float32)


@cache
def _colours() -> np.ndarray:
    """The symmetric square root of the covariance: independent channels become natural colours."""
    values, vectors = np.linalg.eigh(np.array(LOGIT_COVARIANCE))
    return (vectors * np.sqrt(values)) @ vectors.T


def low_frequencies(size: tuple[int, int]) -> Float[np.ndarray, "h f 1"]:
    """How much each frequency of a picture of this size counts as one of the lowest, 0..1.

    ``1 / (1 + (f / 2)**2)`` for f waves across the picture.
    """
    height, width = size
    rows, columns = height * np.fft.fftfreq(height)[:, None], width * np.fft.rfftfreq(width)
    return (1 / (1 + (rows**2 + columns**2) / 4))[..., None].astype(np.float32)


def check_pixels(size: tuple[int, int]) -> None:
    """Make sure that a picture of this size has pixels.

    Raises:
        JaxdreamError: it has none.
    """
    if min(size) < 1:
        raise JaxdreamError(f"a picture has a height and a width of 1 or more, not {size}")
