"""A grid of several pictures, each with its label."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

_SMALLEST_LETTERS = 8  # pixels; rather than have smaller ones, a label is cut


def contact_sheet(
    pictures: Sequence[Float[AnyArray, "_ _ 3"]],
    labels: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    gap: int = 8,
    letters: int = 14,
    background: float = 255.0,
) -> Float[np.ndarray, "h w 3"]:
    """A labelled grid of pictures (RGB, 0..255; their sizes may differ), row by row.

    Args:
        labels: one for each picture, written under it. If one is too long, all get smaller
            letters; if that is not enough, its beginning is left out.
        columns: pictures in a row; by default as many as there are rows, or one more.
        gap: pixels between pictures and around them.
        letters: height of the labels' letters, in pixels.
        background: grey level, 0..255; the labels are white on a dark one, else black.

    Raises:
        JaxdreamError: there are no pictures, the number of labels is not that of the pictures, or
            a setting is out of range.
    """
    if not pictures:
        raise JaxdreamError("a contact sheet needs at least one picture")
    if labels is not None and len(labels) != len(pictures):
        raise JaxdreamError(f"{len(labels)} labels for {len(pictures)} pictures")
    columns = math.ceil(math.sqrt(len(pictures))) if columns is None else columns
    if columns < 1 or gap < 0 or letters < 1:
        raise JaxdreamError(
            "columns and letters must be at least 1, gap at least 0, not "
            f"columns={columns}, letters={letters}, gap={gap}"
        )
    columns = min(columns, len(pictures))
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    line = math.ceil(1.5 * letters) if labels else 0
    rows = math.ceil(len(pictures) / columns)
    size = (rows * (height + line + gap) + gap, columns * (width + gap) + gap, 3)
    sheet = np.full(size, background, np.float32)
    ink = 0.0 if background > 127 else 255.0
    shown, font = _fitted(labels or (), letters, width)
    for i, picture in enumerate(pictures):
        top = gap + i // columns * (height + line + gap)
        left = gap + i % columns * (width + gap)
        h, w, _ = picture.shape
        inset = left + (width - w) // 2
        sheet[top : top + h, inset : inset + w] = np.asarray(picture)
        if labels is not None:
            under = sheet[top + height : top + height + line, left : left + width]
            under += (ink - under) * _written(shown[i], font, (line, width))
    return sheet


def enlarge(picture: Float[AnyArray, "h w 3"], times: int) -> Float[np.ndarray, "eh ew 3"]:
    """Every pixel as a square of ``times`` x ``times``, without smoothing.

    Raises:
        JaxdreamError: ``times`` is under 1.
    """
    if times < 1:
        raise JaxdreamError(f"times must be at least 1, not {times}")
    return np.asarray(picture, np.float32).repeat(times, axis=0).repeat(times, axis=1)


def _fitted(labels: Sequence[str], letters: int, width: int):
    """The labels, cut to fit into a width, and one font for all of them."""
    font = ImageFont.load_default(letters)
    while letters > _SMALLEST_LETTERS and any(font.getlength(text) > width for text in labels):
        letters -= 1
        font = ImageFont.load_default(letters)
    fitted = []
    for text in labels:
        # The end of a name tells channels and layers apart, so that stays.
        cuts = [text, *(f"…{text[i:]}" for i in range(1, len(text)))]
        fitted.append(next((cut for cut in cuts if font.getlength(cut) <= width), ""))
    return fitted, font


def _written(text: str, font, size: tuple[int, int]) -> Float[np.ndarray, "h w 1"]:
    """The share of each pixel, 0..1, that a centred line of text covers in a strip."""
    height, width = size
    strip = Image.new("L", (width, height), 0)
    ImageDraw.Draw(strip).text((width / 2, height / 2), text, fill=255, font=font, anchor="mm")
    return np.asarray(strip, np.float32)[..., None] / 255
