"""What is done to a dream when its last step is taken: colours, contrast, blending.

Pictures are RGB, 0..255. Lightness is their luma; a difference of luma that is added to all three
channels leaves the chroma as it is.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from jaxdream.images.pixels import LUMA
from jaxdream.settings import DreamSettings
from jaxdream.types import AnyArray


@dataclass(frozen=True)
class Finishing:
    """How a dream is finished; hashable, so that it can be static data of a program."""

    keep_colours: bool = False
    keep_contrast: bool = False
    strength: float = 1.0

    @classmethod
    def of(cls, settings: DreamSettings) -> "Finishing | None":
        """What settings ask for; None if it is nothing."""
        asked = cls(settings.keep_colours, settings.keep_contrast, settings.strength)
        return None if asked == cls() else asked

    def __call__(
        self,
        picture: Float[AnyArray, "h w 3"],
        dream: Float[AnyArray, "h w 3"],
        mask: Float[AnyArray, "h w"] | None = None,
    ) -> Float[AnyArray, "h w 3"]:
        """The finished dream of a picture, in 0..255 where it is changed.

        Args:
            mask: where it is 0, the picture stays as it is; contrast is that of the rest.
        """
        xp = jnp if any(isinstance(array, Tracer) for array in (picture, dream, mask)) else np
        weights = np.array(LUMA, np.float32)
        before, after = (
            xp.sum(array * weights, axis=-1, keepdims=True) for array in (picture, dream)
        )
        result = dream
        if self.keep_contrast:
            shares = xp.ones_like(before) if mask is None else mask[..., None]
            (mean, deviation), (new_mean, new_deviation) = (
                _statistics(xp, luma, shares) for luma in (before, after)
            )
            scale = deviation / xp.maximum(new_deviation, 1e-6)
            result = mean + (result - new_mean) * scale
            after = mean + (after - new_mean) * scale
        if self.keep_colours:
            result = picture + (after - before)
        result = xp.clip(result, 0, 255)
        if self.strength != 1:
            result = picture + self.strength * (result - picture)
        return result if mask is None else xp.where(mask[..., None] > 0, result, picture)


def _statistics(xp, values, shares):
    """Mean and standard deviation, of which each value has a share."""
    total = xp.sum(shares)
    mean = xp.sum(values * shares) / total
    return mean, xp.sqrt(xp.sum(xp.square(values - mean) * shares) / total)
