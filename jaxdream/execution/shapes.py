"""Sizes of compiled programs: many sizes of pictures share a few.

Compiling a network for one size takes seconds, as long as dreaming a small picture, and every
octave has a size of its own. So a picture is laid into the upper left corner of a canvas, one of a
few sizes, and computed there exactly (``models.region``).
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.errors import JaxdreamError
from jaxdream.models.regions import Region, full_region
from jaxdream.types import AnyArray

Size = tuple[int, int]

# An array (*n, h, w, 3) of pictures of one size, or a list of arrays (h, w, 3) of any.
Pictures = AnyArray | Sequence[AnyArray]

# When canvases are planned: pixels to whose multiples sides are rounded up first, or to twice as
# many and so on, until there are no more canvases than so many to begin with.
_FINEST = 32
_MOST_CELLS = 600


class Parts(NamedTuple):
    """How a picture is cut into parts that are computed one after the other, by one program.

    Parts overlap: a part is exact only where all that a position sees is in it. Each position of
    the layers counts in one part.
    """

    shape: Size  # of a part
    before: Size  # rows and columns of a part that come before what counts in it
    after: Size  # and after it; both are multiples of the layers' strides, as what counts is

    def regions(self, size: Size) -> list[Region]:
        """The parts of a picture of this height and width."""
        rows, columns = (self._spans(size[axis], axis) for axis in (0, 1))
        return [
            Region(
                np.array(size, np.int32),
                *(np.array(pair, np.int32) for pair in zip(row, column, strict=True)),
            )
            for row in rows
            for column in columns
        ]

    def count(self, size: Size) -> int:
        """How many parts a picture has."""
        return math.prod(len(self._spans(size[axis], axis)) for axis in (0, 1))

    def extent(self, size: Size) -> Size:
        """Height and width of the smallest array that holds all parts of a picture."""
        return tuple(self._spans(size[axis], axis)[-1][0] + self.shape[axis] for axis in (0, 1))  # pyright: ignore[reportReturnType]

    def _spans(self, side: int, axis: int) -> list[tuple[int, int, int]]:
        """(origin, first, stop) of the parts along an axis."""
        length, before, after = self.shape[axis], self.before[axis], self.after[axis]
        if length >= side:
            return [(0, 0, side)]
        spans = [(0, 0, length - after)]
        while spans[-1][0] + length < side:
            first = spans[-1][2]
            origin = first - before
            spans.append((origin, first, origin + length - after))
        origin, first, _ = spans[-1]
        return [*spans[:-1], (origin, first, side)]


class Canvas(NamedTuple):
    """How pictures of one size lie in the arrays of a program."""

    size: Size  # height and width of the pictures; of the largest, where they differ
    shape: Size  # of the arrays; the pictures are in the upper left corner
    exact: bool = False  # the arrays are the pictures, and no step knows of a canvas
    parts: Parts | None = None  # if a step is not computed as a whole
    sizes: tuple[Size, ...] = ()  # of each picture of a batch, where they differ

    @property
    def computed(self) -> tuple[Size, int]:
        """Height and width of what a network computes at once, and how often it does in a step."""
        if self.parts is None:
            return self.shape, 1
        return self.parts.shape, self.parts.count(self.size)

    def put(
        self, pictures: Pictures, sharding: NamedSharding | None = None
    ) -> Float[Array, "*n ch cw 3"]:
        """Pictures as an array of the program, sharded so, or on one device."""
        if self.exact:
            return jax.device_put(jnp.asarray(pictures), sharding)
        if isinstance(pictures, Sequence):
            array = np.zeros((len(pictures), *self.shape, 3), np.float32)
            for place, picture in zip(array, pictures, strict=True):
                place[: picture.shape[0], : picture.shape[1]] = picture
        else:
            array = np.zeros((*pictures.shape[:-3], *self.shape, 3), np.float32)
            array[..., : self.size[0], : self.size[1], :] = pictures
        return jax.device_put(array, sharding)

    def take(self, array: Float[Array, "*n ch cw 3"]) -> Pictures:
        """The pictures in an array of the program: a list if they have ``sizes`` of their own."""
        if self.sizes:
            places = zip(np.asarray(array), self.sizes, strict=True)
            return [place[:height, :width] for place, (height, width) in places]
        if self.exact:
            return array
        # Cut out by NumPy: in JAX, each size would be one more small program.
        return np.asarray(array)[..., : self.size[0], : self.size[1], :]

    def region(self) -> Region | None:
        """What a network has to know of the arrays; nothing if they are the pictures."""
        if self.exact:
            return None
        return full_region(np.array(self.sizes or self.size, np.int32))


class Canvases(NamedTuple):
    """Which canvas is for which size of picture."""

    shapes: tuple[Size, ...] = ()  # those there are; other ones are made where none fits

    def canvas(self, size: Size) -> Canvas:
        """The smallest canvas for pictures of this height and width."""
        height, width = size
        fitting = [shape for shape in self.shapes if shape[0] >= height and shape[1] >= width]
        shape = min(fitting, key=math.prod, default=(_rounded(height), _rounded(width)))
        return Canvas(size, shape)

    def only(self, sizes: Iterable[Size]) -> "Canvases":
        """Those that pictures of these heights and widths use."""
        used = {self.canvas(size).shape for size in sizes}
        return Canvases(tuple(shape for shape in self.shapes if shape in used))

    def text(self) -> str:
        """Heights and widths as text, such as ``"384x512 512x640"``."""
        return " ".join(f"{height}x{width}" for height, width in self.shapes)

    @classmethod
    def from_text(cls, text: str) -> "Canvases":
        """The canvases that ``text`` gave.

        Raises:
            JaxdreamError: it is something else.
        """
        if not re.fullmatch(r"(\d{1,6}x\d{1,6}( (?!$)|$))*", text):
            raise JaxdreamError(f"canvases are sizes such as 384x512 512x640, not {text[:80]}")
        pairs = (word.split("x") for word in text.split())
        return cls(tuple((int(height), int(width)) for height, width in pairs))


def exact_canvas(size: Size) -> Canvas:
    """Arrays of the picture's very size: a program for each size."""
    return Canvas(size, size, exact=True)


def plan_canvases(
    sizes: Iterable[Size],
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    most_pixels: float = 1.3,
) -> Canvases:
    """As few canvases as possible for the octaves of many pictures.

    Canvases are merged as long as the pixels allow, always the two for which it costs the least.

    Args:
        sizes: heights and widths of the pictures.
        octaves: as of ``dream``.
        octave_scale: as of ``dream``.
        most_pixels: of all canvases used, as a multiple of the pixels of the pictures' octaves.

    Returns:
        For the ``canvases`` of ``dream``; without pictures, none.

    Raises:
        JaxdreamError: a setting out of range.
    """
    shapes = [
        shape
        for size in sizes
        for shape in plan_octaves(size, octaves=octaves, octave_scale=octave_scale)
    ]
    if not shapes:
        return Canvases()
    true = sum(height * width for height, width in shapes)
    sides, count = _cells(shapes)
    spare = most_pixels * true - (sides.prod(axis=1) * count).sum()
    while len(count) > 1:
        merged = np.maximum(sides[:, None], sides[None, :])
        added = (merged.prod(axis=2) - sides.prod(axis=1)) * count
        price = added + added.T  # of merging two canvases, in pixels
        price[np.tril_indices(len(count))] = np.inf
        i, j = np.unravel_index(price.argmin(), price.shape)
        if price[i, j] > spare:
            break
        spare -= price[i, j]
        sides[i], count[i] = merged[i, j], count[i] + count[j]
        sides, count = np.delete(sides, j, axis=0), np.delete(count, j)
    return Canvases(tuple(sorted({(int(height), int(width)) for height, width in sides})))


def _cells(shapes: list[Size]) -> tuple[np.ndarray, np.ndarray]:
    """Shapes rounded up to a grid, (n, 2), and how many pictures have each, (n,), as floats."""
    sides = np.array(shapes, float)
    grid = _FINEST
    while True:
        cells, count = np.unique(np.ceil(sides / grid) * grid, axis=0, return_counts=True)
        if len(cells) <= _MOST_CELLS:
            return cells, count.astype(float)
        grid *= 2


def round_up(side: int, grid: int) -> int:
    """The next multiple of ``grid`` that is not under ``side``."""
    return -(-side // grid) * grid


def _rounded(side: int) -> int:
    """A side of a canvas for pictures of whose company nothing is known.

    Steps of a sixteenth to an eighth of the side, which makes 9 % more pixels on average.
    """
    return round_up(side, max(16, 1 << (side - 1).bit_length() >> 4))
