"""How a picture becomes a network's input."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

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

    Raises:
        JaxdreamError: another order, a mean or a scale that is not three numbers, or a scale of 0.
    """

    order: Order
    mean: Levels
    scale: Levels = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise JaxdreamError(f"the order of channels is RGB or BGR, not {self.order!r}")
        for name in ("mean", "scale"):
            object.__setattr__(self, name, _three(name, getattr(self, name)))
        if 0 in self.scale:
            raise JaxdreamError(f"scale has a 0, by which nothing can be divided: {self.scale}")

    @classmethod
    def of_unit_pixels(
        cls, mean: Numbers = (0, 0, 0), std: Numbers = (1, 1, 1), *, order: Order = "RGB"
    ) -> "Preprocessing":
        """For a network that was trained on pixels of 0..1, of which ``mean`` and ``std`` are.

        By default neither is used: the input is 0..1.

        Raises:
            JaxdreamError: the numbers are not three each, a ``std`` is 0, or another order.
        """
        means, scales = _three("mean", mean), _three("std", std)
        if 0 in scales:
            raise JaxdreamError(f"std has a 0, by which nothing can be divided: {std}")
        return cls(order, _in_levels(means), _in_levels(scales))

    def __call__(self, image: Float[AnyArray, "*n h w 3"]) -> Float[Array, "*n h w 3"]:
        """The network's input for a picture (float32, RGB, 0..255)."""
        image = jnp.asarray(image)
        if self.order == "BGR":
            image = image[..., ::-1]
        return (image - jnp.asarray(self.mean, jnp.float32)) / jnp.asarray(self.scale, jnp.float32)


def _in_levels(numbers: Levels) -> Levels:
    first, second, third = numbers
    return 255 * first, 255 * second, 255 * third


def _three(name: str, numbers: Any) -> Levels:
    """One number for each channel.

    Raises:
        JaxdreamError: they are something else.
    """
    try:
        first, second, third = map(float, numbers)
    except (TypeError, ValueError):
        first = second = third = math.nan
    if not np.isfinite([first, second, third]).all():
        raise JaxdreamError(f"{name} is three numbers, one for each channel: {numbers!r}")
    return first, second, third
