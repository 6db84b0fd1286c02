"""How strong each frequency of natural pictures is: the magnitudes that MACO holds fixed.

Without pictures of one's own it is a power law. Channel c of the decorrelated logits (``fourier``)
has, at a frequency of f cycles per pixel, the magnitude ``a_c / f**b_c``, where ``a_c`` is such
that the channel has its deviation; the mean, frequency 0, has none.

Source: T. Fel and others, "Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization", NeurIPS 2023. There it is the mean over ImageNet; that file is not ours
to pass on, so these are numbers of our own.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import Picture, resize_picture
from jaxdream.images.pixels import as_pixels
from jaxdream.types import AnyArray, Size
from jaxdream.visualization.fourier import check_pixels, independent_channels

# Of the decorrelated channels of four photographs of scikit-image 0.26 that are free of rights
# (astronaut, chelsea, coffee, rocket): scripts/natural_spectrum.py measures them and says whose
# they are.
DEVIATIONS = (0.661, 0.613, 0.644)
EXPONENTS = (1.363, 1.251, 1.232)

_SMALLEST = 2  # pixels: a window over fewer leaves nothing


def power_law(size: int | Size) -> Float[np.ndarray, "h f 3"]:
    """The magnitudes of a picture of this size by the power law, as ``jnp.fft.rfft2`` has them.

    Raises:
        JaxdreamError: a size without pixels.
    """
    size = _sides(size)
    check_pixels(size)
    height, width = size
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(rows, columns)[..., None]
    law = np.where(frequency > 0, frequency, np.inf) ** -np.array(EXPONENTS)
    return (law * np.array(DEVIATIONS) / _deviations(law, width)).astype(np.float32)


def mean_spectrum(
    pictures: Iterable[Float[AnyArray, "_ _ 3"]], *, size: int | Size
) -> Float[np.ndarray, "h f 3"]:
    """The mean magnitudes of pictures, for ``visualize`` with ``parametrization="maco"``.

    Each picture (RGB, 0..255) is cut to the shape of ``size`` and brought to that size. Its means
    are taken away, and it is faded out towards its edges, whose jumps would look like frequencies.

    Args:
        size: of the pictures to be made, in pixels: a side, or height and width.

    Returns:
        The magnitudes as ``jnp.fft.rfft2`` has them, of the decorrelated logits: f is half of the
        width, and 1.

    Raises:
        JaxdreamError: no pictures, one that is none, or pictures of one colour only.
    """
    size = _sides(size)
    check_pixels(size)
    if min(size) <= _SMALLEST:
        raise JaxdreamError(f"a spectrum is of pictures over {_SMALLEST} pixels a side, not {size}")
    total, count = np.zeros((size[0], size[1] // 2 + 1, 3)), 0
    for picture in pictures:
        total += np.asarray(_magnitude(_fitted(as_pixels(picture), size)))
        count += 1
    if not count:
        raise JaxdreamError("a spectrum is that of pictures: give at least one")
    if not total.any():
        raise JaxdreamError("the pictures are of one colour each, which has no spectrum")
    return (total / count).astype(np.float32)


def _sides(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else size


def _fitted(picture: Float[np.ndarray, "h w 3"], size: Size) -> Float[np.ndarray, "_ _ 3"]:
    """The largest part in the middle that has the shape of ``size``, at that size."""
    shape = (picture.shape[0], picture.shape[1])
    share = min(have / want for have, want in zip(shape, size, strict=True))
    sides = [max(1, round(share * want)) for want in size]
    top, left = ((have - side) // 2 for have, side in zip(shape, sides, strict=True))
    part = picture[top : top + sides[0], left : left + sides[1]]
    return resize_picture(Picture(part, None, ""), size).pixels


@jax.jit
def _magnitude(image: Float[Array, "h w 3"]) -> Float[Array, "h f 3"]:
    """|rfft2| of a picture faded out, which keeps the deviation of each channel; 0 at 0."""
    height, width, _ = image.shape
    values = independent_channels(image)
    values -= jnp.mean(values, axis=(0, 1))
    window = np.hanning(height + 2)[1:-1, None, None] * np.hanning(width + 2)[1:-1, None]
    faded = values * window.astype(np.float32)
    faded -= jnp.mean(faded, axis=(0, 1))
    after = jnp.std(faded, axis=(0, 1))
    faded *= jnp.where(after > 1e-6, jnp.std(values, axis=(0, 1)) / jnp.maximum(after, 1e-6), 0)
    return jnp.abs(jnp.fft.rfft2(faded, axes=(0, 1))).at[0, 0].set(0)


def _deviations(magnitude: Float[np.ndarray, "h f 3"], width: int) -> Float[np.ndarray, "3"]:
    """Of the channels of a picture with these magnitudes, whatever its phases; 1 where it is 0."""
    height, frequencies, _ = magnitude.shape
    # All but the first column, and the last one of an even width, stand for their conjugates too.
    twice = np.full(frequencies, 2.0)
    twice[[0, -1] if width % 2 == 0 else [0]] = 1
    power = np.sum(twice[:, None] * magnitude**2, axis=(0, 1))
    deviation = np.sqrt(power) / (height * width)
    return np.where(deviation > 0, deviation, 1)
