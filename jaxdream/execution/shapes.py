"""Sizes of compiled programs: pictures of many sizes share a few.

Compiling a network for one size takes seconds, as long as dreaming a small picture, and every
octave has a size of its own. So a picture is padded at the bottom and on the right to one of a few
padded shapes, and computed there exactly (``models.regions``). The padded shapes of many pictures
are planned as buckets (``plan_shapes``).
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.errors import JaxdreamError
from jaxdream.execution.compile_price import pixels_worth_a_program
from jaxdream.execution.tiles import Tiling, round_up
from jaxdream.models.regions import Region, full_region
from jaxdream.settings import DreamSettings
from jaxdream.types import AnyArray, Size

# When buckets are planned, sides are first rounded up to a multiple of so many pixels, or of twice
# as many and so on, until there are no more than so many buckets to merge.
_FINEST_GRID = 32
_MAX_CELLS = 600


@dataclass(frozen=True)
class Layout:
    """How the pictures of a batch lie in a program's array, (n, H, W, 3)."""

    shape: Size  # H and W
    sizes: tuple[Size, ...]  # of each picture

    @property
    def computed(self) -> tuple[Size, int]:
        """Height and width of what the network computes at once, and how often in a step."""
        return self.shape, 1

    def region(self) -> Region | None:
        """Which part of the array the pictures are, for the network; None if they are all of it."""
        raise NotImplementedError

    def put(
        self, pictures: Sequence[AnyArray], sharding: NamedSharding | None = None
    ) -> Float[Array, "n H W c"]:
        """The pictures, (h, w, 3) each, or masks, (h, w, 1), as the program's array; a copy."""
        raise NotImplementedError

    def take(self, array: Float[AnyArray, "n H W 3"]) -> list[AnyArray]:
        """The pictures in the program's array, (h, w, 3) each."""
        # Cut out by NumPy: in JAX, each size would be one more small program.
        array = array if isinstance(array, Tracer) else np.asarray(array)
        return [array[n, :height, :width] for n, (height, width) in enumerate(self.sizes)]


@dataclass(frozen=True)
class ExactLayout(Layout):
    """Arrays of the pictures' own size: a program for each size."""

    def region(self) -> None:
        return None

    def put(
        self, pictures: Sequence[AnyArray], sharding: NamedSharding | None = None
    ) -> Float[Array, "n H W c"]:
        if any(isinstance(picture, Tracer) for picture in pictures):
            return jnp.stack([jnp.asarray(picture) for picture in pictures])
        return jax.device_put(np.stack([np.asarray(p) for p in pictures]), sharding)


@dataclass(frozen=True)
class PaddedLayout(Layout):
    """Pictures in the upper left corners of larger arrays, with zeros around them."""

    # All pictures have one size, and share one mask: another program than with a mask for each.
    one_size: bool = False

    def region(self) -> Region:
        return full_region(np.array(self.sizes[0] if self.one_size else self.sizes, np.int32))

    def put(
        self, pictures: Sequence[AnyArray], sharding: NamedSharding | None = None
    ) -> Float[Array, "n H W c"]:
        array = np.zeros((len(pictures), *self.shape, pictures[0].shape[-1]), np.float32)
        for padded, picture in zip(array, pictures, strict=True):
            padded[: picture.shape[0], : picture.shape[1]] = picture
        return jax.device_put(array, sharding)


@dataclass(frozen=True)
class TiledLayout(ExactLayout):
    """Pictures of one size whose gradient is computed tile by tile."""

    tiling: Tiling

    @property
    def computed(self) -> tuple[Size, int]:
        return self.tiling.shape, self.tiling.count(self.shape)


class ShapeBuckets(NamedTuple):
    """The padded shapes that pictures of many sizes share; from ``plan_shapes``."""

    shapes: tuple[Size, ...] = ()  # where none fits, the sides of a picture are rounded up

    def padded(self, size: Size) -> Size:
        """The smallest padded shape for a picture of this height and width."""
        height, width = size
        fitting = [shape for shape in self.shapes if shape[0] >= height and shape[1] >= width]
        return min(fitting, key=math.prod, default=(_rounded(height), _rounded(width)))

    def text(self) -> str:
        """Heights and widths as text, such as ``"384x512 512x640"``."""
        return " ".join(f"{height}x{width}" for height, width in self.shapes)

    @classmethod
    def from_text(cls, text: str) -> "ShapeBuckets":
        """The buckets that ``text`` gave.

        Raises:
            JaxdreamError: it is something else.
        """
        if not re.fullmatch(r"(\d{1,6}x\d{1,6}( (?!$)|$))*", text):
            raise JaxdreamError(
                f"padded shapes are heights and widths such as 384x512 512x640, not {text[:80]!r}"
            )
        pairs = (word.split("x") for word in text.split())
        return cls(tuple((int(height), int(width)) for height, width in pairs))


def plan_shapes(
    sizes: Iterable[Size],
    *,
    octaves: int = DreamSettings.octaves,
    octave_scale: float = DreamSettings.octave_scale,
    smallest: int | None = DreamSettings.smallest,
    sphere: bool = False,
    steps: int = DreamSettings.steps,
    max_pixels: float = 1.3,
    platform: str | None = None,
) -> ShapeBuckets:
    """As few padded shapes as possible for the octaves of many pictures.

    Shapes are merged as long as the pixels allow, always the two for which it costs the least. On
    a GPU or TPU they are also merged where that takes less time than compiling another program.

    Args:
        sizes: heights and widths of the pictures.
        octaves: as of ``dream``.
        octave_scale: as of ``dream``.
        smallest: as of ``dream``.
        sphere: as of ``plan_octaves``.
        steps: as of ``dream``.
        max_pixels: pixels of all padded octaves, at most, as a multiple of the pictures' own, where
            compiling costs nothing.
        platform: "cpu", "gpu" or "tpu", that will compute; by default the one JAX computes on here.

    Returns:
        For the setting ``shapes`` of ``dream``; without pictures, none.

    Raises:
        JaxdreamError: a setting out of range.
    """
    shapes = [
        shape
        for size in sizes
        for shape in plan_octaves(
            size, octaves=octaves, octave_scale=octave_scale, smallest=smallest, sphere=sphere
        )
    ]
    steps = DreamSettings(steps=steps).steps  # in its range
    return _merged(shapes, max_pixels, pixels_worth_a_program(steps, platform))


def shared_shapes(
    sizes: Sequence[Size], steps: int, *, platform: str | None = None
) -> ShapeBuckets:
    """The padded shapes that the octaves of one picture share.

    Where compiling costs nothing, their sides are rounded up.

    Args:
        sizes: height and width of the octaves.
        steps: of each.
        platform: as of ``pixels_worth_a_program``.
    """
    worth = pixels_worth_a_program(steps, platform)
    return _merged(sizes, 1.0, worth) if worth else ShapeBuckets()


def _merged(shapes: Sequence[Size], max_pixels: float, worth: float) -> ShapeBuckets:
    """Few shapes for these: of so many times their pixels at most, as long as merging adds more.

    Args:
        worth: beyond that, shapes are merged while it adds no more pixels than this.
    """
    if not shapes:
        return ShapeBuckets()
    true = sum(height * width for height, width in shapes)
    sides, count = _cells(shapes)
    spare = max(0, max_pixels * true - (sides.prod(axis=1) * count).sum())
    while len(count) > 1:
        merged = np.maximum(sides[:, None], sides[None, :])
        added = (merged.prod(axis=2) - sides.prod(axis=1)) * count
        price = added + added.T  # of merging two shapes, in pixels
        price[np.tril_indices(len(count))] = np.inf
        i, j = np.unravel_index(price.argmin(), price.shape)
        if price[i, j] <= spare:
            spare -= price[i, j]
        elif price[i, j] > worth:
            break
        sides[i], count[i] = merged[i, j], count[i] + count[j]
        sides, count = np.delete(sides, j, axis=0), np.delete(count, j)
    return ShapeBuckets(tuple(sorted({(int(height), int(width)) for height, width in sides})))


def _cells(shapes: Sequence[Size]) -> tuple[np.ndarray, np.ndarray]:
    """Shapes rounded up to a grid, (n, 2), and how many pictures have each, (n,), as floats."""
    sides = np.array(shapes, float)
    grid = _FINEST_GRID
    while True:
        cells, count = np.unique(np.ceil(sides / grid) * grid, axis=0, return_counts=True)
        if len(cells) <= _MAX_CELLS:
            return cells, count.astype(float)
        grid *= 2


def _rounded(side: int) -> int:
    """Padded side length for a picture that is planned on its own.

    Sides are rounded up in steps of a sixteenth to an eighth, which makes 9 % more pixels on
    average.
    """
    return round_up(side, max(16, 1 << (side - 1).bit_length() >> 4))
