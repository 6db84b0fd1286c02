"""How a picture becomes a network's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

Order = Literal["RGB", "BGR"]
Levels = tuple[float | int, float | int, float | int]
Numbers = Sequence[float | int] | Float[AnyArray, "3"]  # one for each channel


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input: ``(pixel - mean) / scale``, channels in ``order``.

    ``mean`` and ``scale`` are in pixel levels (0..255), one per channel, in ``order``; for numbers
    in units of 0..1 there is ``of_unit_pixels``.
    """

    order: Order
    mean: Levels
    scale: Levels = (1.0, 1.0, 1.0)

    @classmethod
    def of_unit_pixels(
        cls, mean: Numbers = (0, 0, 0), std: Numbers = (1, 1, 1), *, order: Order = "RGB"
    ) -> "Preprocessing":
        """For a network that was trained on pixels of 0..1, of which ``mean`` and ``std`` are.

        By default neither is used: the input is 0..1.

        Raises:
            JaxdreamError: the numbers are not three each, a ``std`` is 0, or another order.
        """
        if order not in get_args(Order):
            raise JaxdreamError(f"the order of channels is RGB or BGR, not {order!r}")
        levels = []
        for name, numbers in {"mean": mean, "std": std}.items():
            values = np.asarray(numbers, np.float64)
            if values.shape != (3,) or not np.isfinite(values).all():
                raise JaxdreamError(f"{name} is three numbers, one for each channel: {numbers}")
            levels.append(tuple(float(value) for value in 255 * values))
        if 0 in levels[1]:
            raise JaxdreamError(f"std has a 0, by which nothing can be divided: {std}")
        return cls(order, *levels)

    def __call__(self, image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """The network's input for a picture (float32, RGB, 0..255)."""
        image = jnp.asarray(image)
        if self.order == "BGR":
            image = image[..., ::-1]
        return (image - jnp.asarray(self.mean, jnp.float32)) / jnp.asarray(self.scale, jnp.float32)
