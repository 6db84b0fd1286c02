"""Easings: how far something has moved after a share of the time."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

Share = TypeVar("Share", float, Fraction)

LINEAR = "linear"
_EASINGS: Mapping[str, Callable[[Any], Any]] = {
    LINEAR: lambda t: t,
    "in": lambda t: t**2,
    "out": lambda t: 1 - (1 - t) ** 2,
    "in-out": lambda t: t**2 * (3 - 2 * t),
    "hold": lambda t: t - t % 1,
}
KEY_EASINGS = tuple(_EASINGS)


def ease(easing: str, share: Share) -> Share:
    """The share of the whole movement that is done after a share t of the time.

    - ``linear``: t;
    - ``in``: ``t**2``, from slow to twice as fast;
    - ``out``: ``1 - (1 - t)**2``, from twice as fast to slow;
    - ``in-out``: ``t**2 * (3 - 2 * t)``, slow, 1.5 times as fast in the middle, slow;
    - ``hold``: 0, and 1 at the end.

    Args:
        easing: one of these.
        share: from 0 to 1; of a fraction, the result is an exact fraction.
    """
    return _EASINGS[easing](share)
