"""Sheets of the patches that excite units most."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import make_folder
from jaxdream.folder.inputs import Input
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.picture_files import Picture, mark, resize_picture, write_image
from jaxdream.types import Size
from jaxdream.units.examples import UnitExamples
from jaxdream.units.folder import StepDone, may_write
from jaxdream.units.names import Chosen, unit_file
from jaxdream.units.pictures import Unreadable, read_batches

FOLDER = "units"
_SIDE = 112  # pixels of a patch on a sheet
_BACKGROUND = 235.0  # grey level beside a patch that the picture's border cuts
_ROOM = 256 << 20  # bytes of patches that are held at once
_BATCH = 16  # pictures that are read ahead

_Unit = tuple[str, int]


def write_sheets(
    examples: Mapping[str, UnitExamples],
    chosen: Chosen,
    inputs: Sequence[Input],
    size: Size,
    folder: Path,
) -> Iterator[StepDone]:
    """Write the sheet of each unit that has none yet: the receptive fields of its examples.

    The pictures are read again, those that are needed, once for some hundred units.

    Args:
        size: that pictures are shown at.

    Raises:
        JaxdreamError: a sheet cannot be written.
    """
    make_folder(folder / FOLDER)
    units = [(layer, channel) for layer, channels in chosen.items() for channel in channels]
    missing = [unit for unit in units if not _is_there(folder, unit)]
    if not missing:
        return
    top = max(one.boxes.shape[1] for one in examples.values())
    together = max(1, _ROOM // (top * _SIDE**2 * 3))
    for first in range(0, len(missing), together):
        part = missing[first : first + together]
        patches = yield from _patches(examples, part, inputs, size, (first, len(missing)))
        for unit in part:
            _write(folder, unit, examples[unit[0]], patches[unit])


def _is_there(folder: Path, unit: _Unit) -> bool:
    path = folder / FOLDER / unit_file(*unit)
    may_write(path)
    return os.path.lexists(path)


def _write(
    folder: Path, unit: _Unit, one: UnitExamples, patches: Mapping[int, UInt8[np.ndarray, "s s 3"]]
) -> None:
    layer, channel = unit
    values = one.statistics.top_values[channel]
    shown = [np.asarray(patches[rank], np.float32) for rank in sorted(patches)]
    labels = [f"{values[rank]:.4g}" for rank in sorted(patches)]
    if not shown:  # every picture has gone since
        shown, labels = [np.full((_SIDE, _SIDE, 3), _BACKGROUND, np.float32)], ["none"]
    sheet = contact_sheet(shown, labels)
    write_image(folder / FOLDER / unit_file(layer, channel), sheet, recipe=mark("examples"))


def _patches(
    examples: Mapping[str, UnitExamples],
    units: Sequence[_Unit],
    inputs: Sequence[Input],
    size: Size,
    place: tuple[int, int],
):
    """The patches of some units, by their rank."""
    wanted: defaultdict[int, list[tuple[_Unit, int]]] = defaultdict(list)
    for unit in units:
        for rank, number in enumerate(examples[unit[0]].statistics.top_pictures[unit[1]]):
            if number >= 0:
                wanted[int(number)].append((unit, rank))
    sides = {layer: _longest(examples[layer]) for layer in {layer for layer, _ in units}}
    patches: dict[_Unit, dict[int, UInt8[np.ndarray, "s s 3"]]] = {unit: {} for unit in units}
    numbers, read = sorted(wanted), 0
    with closing(read_batches(inputs, numbers, size, batch=_BATCH)) as batches:
        for batch in batches:
            for number, picture in zip(batch.numbers, batch.pictures, strict=True):
                if isinstance(picture, Unreadable):  # it has gone since
                    continue
                for (layer, channel), rank in wanted[number]:
                    box = examples[layer].boxes[channel, rank]
                    patches[layer, channel][rank] = patch(picture, box, sides[layer])
            read += len(batch.numbers)
            units_done = place[0] + len(units) * read / len(numbers)
            yield StepDone(f"{units_done:.0f}/{place[1]} sheets", units_done / place[1])
    return patches


def _longest(one: UnitExamples) -> int:
    """The longest side of a layer's boxes: all patches of a layer are enlarged alike."""
    boxes = one.boxes
    return max(1, int((boxes[..., 2:] - boxes[..., :2]).max()))


def patch(
    picture: Float[np.ndarray, "h w 3"], box: np.ndarray, longest: int, *, side: int = _SIDE
) -> UInt8[np.ndarray, "s s 3"]:
    """A part of a picture in a square.

    Args:
        box: first row and column, and the row and column after the last.
        longest: pixels of the picture that the square is wide.
        side: of the square, in pixels.

    Raises:
        JaxdreamError: the box is empty.
    """
    top, left, bottom, right = (int(edge) for edge in box)
    if bottom <= top or right <= left:
        raise JaxdreamError(f"the box {box.tolist()} is empty")
    shape = [max(1, round(n * side / longest)) for n in (bottom - top, right - left)]
    part = Picture(picture[top:bottom, left:right], None, "")
    scaled = resize_picture(part, (min(shape[0], side), min(shape[1], side))).pixels
    square = np.full((side, side, 3), _BACKGROUND, np.float32)
    height, width, _ = scaled.shape
    y, x = (side - height) // 2, (side - width) // 2
    square[y : y + height, x : x + width] = scaled
    return np.round(square).astype(np.uint8)
