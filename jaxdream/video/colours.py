"""The colours of videos: how stored numbers become RGB, and RGB becomes stored numbers.

Numbers for matrices, primaries and transfer functions are those of ITU-T H.273, which FFmpeg has
as well.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable

Pixels = UInt8[np.ndarray, "h w 3"]

RGB, BT709, UNSPECIFIED, BT601_625, BT601_525, BT2020 = 0, 1, 2, 5, 6, 9
_MATRICES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
_HDR = {16: "PQ", 18: "HLG"}
_LIMITED, _FULL = 1, 2  # FFmpeg's numbers for the range

# swscale's slow and exact way: bicubic, with all chroma samples, rounded, equal on all machines.
_EXACT = 0x4 | 0x2000 | 0x4000 | 0x40000 | 0x80000


@dataclass(frozen=True)
class Colour:
    """What the stored numbers of a video mean."""

    matrix: int  # between RGB and Y'CbCr; 0 is RGB itself
    full: bool  # whether 8-bit numbers take 0..255, or 16..235 as in television
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def space(self) -> str:
        """The matrix's name: ``"BT.601"``, ``"BT.709"``, ``"BT.2020"``, ``"RGB"``, ..."""
        return _MATRICES.get(self.matrix, "RGB")


def assumed_colour(size: tuple[int, int], *, full: bool = False) -> Colour:
    """What players take the colours of a video for that does not say.

    Args:
        size: height and width of the stored frames, in pixels.
        full: the range, if that is known.
    """
    height, width = size
    matrix = BT709 if height > 576 or width >= 1280 else BT601_525
    if matrix == BT601_525 and height in (288, 576):
        matrix = BT601_625
    # BT.601 shares its transfer function with BT.709; FFmpeg has a number for that of 525 lines.
    return Colour(matrix, full, matrix, BT601_525 if matrix != BT709 else BT709)


def yuv_colour(colour: Colour, size: tuple[int, int]) -> Colour:
    """How to store a video as Y'CbCr that has these colours; RGB gets the matrix of its size."""
    if colour.matrix != RGB:
        return colour
    assumed = assumed_colour(size)
    if colour.primaries == UNSPECIFIED:
        return assumed
    return replace(assumed, primaries=colour.primaries, transfer=colour.transfer)


def frame_colour(path: PathLike, frame: Any) -> Colour:
    """What the numbers of a decoded frame mean.

    Raises:
        JaxdreamError: it is HDR, or of colours that cannot be converted.
    """
    name = printable(path)
    if frame.color_trc in _HDR:
        raise JaxdreamError(
            f"{name} is HDR ({_HDR[frame.color_trc]}): convert it to SDR first, for example with "
            "ffmpeg's zscale and tonemap filters"
        )
    matrix, primaries, transfer = (
        int(number) if number != 3 else UNSPECIFIED  # 3 is reserved
        for number in (frame.colorspace, frame.color_primaries, frame.color_trc)
    )
    kind = frame.format
    if kind.is_rgb or kind.has_palette or kind.name.startswith("mono"):
        return Colour(RGB, True, primaries, transfer)
    full = frame.color_range == _FULL
    if frame.color_range not in (_LIMITED, _FULL):
        full = kind.name.startswith(("yuvj", "gray", "ya"))
    # Matrix 0 of what is not RGB is a wrong tag.
    if matrix in (UNSPECIFIED, RGB):
        assumed = assumed_colour((frame.height, frame.width), full=full)
        if primaries != UNSPECIFIED:
            assumed = replace(assumed, primaries=primaries)
        if transfer != UNSPECIFIED:
            assumed = replace(assumed, transfer=transfer)
        return assumed
    if matrix not in _MATRICES:
        raise JaxdreamError(
            f"{name} has colours that cannot be converted (matrix {matrix} of H.273): convert it "
            "to BT.709 first, for example with ffmpeg's zscale filter"
        )
    return Colour(matrix, full, primaries, transfer)


class Converter:
    """Turns the frames of one video into RGB, or back.

    Args:
        av: PyAV.
        colour: what the numbers of the stored frames mean.
    """

    def __init__(self, av: Any, colour: Colour) -> None:
        self._av, self._colour = av, colour
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._range = _FULL if colour.full else _LIMITED

    def to_rgb(self, frame: Any, size: tuple[int, int]) -> Pixels:
        """The pixels of a decoded frame: RGB, 0..255.

        Args:
            frame: PyAV's; its colours are set to those of the video.
            size: height and width in pixels; a frame of another size is resized.
        """
        frame.colorspace, frame.color_range = self._colour.matrix, self._range
        # Only matrix and range are converted: RGB stays in the video's own primaries.
        frame.color_primaries = frame.color_trc = UNSPECIFIED
        converted = self._reformatter.reformat(
            frame,
            width=size[1],
            height=size[0],
            format="rgb24",
            interpolation=_EXACT,
            dst_color_range=_FULL,
        )
        return converted.to_ndarray()

    def from_rgb(self, pixels: Pixels, pixel_format: str) -> Any:
        """A frame to encode, which has the video's colours as its tags.

        Args:
            pixels: RGB, 0..255.
            pixel_format: FFmpeg's name of how it is stored.
        """
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.colorspace, frame.color_range = self._colour.matrix, _FULL
        stored = self._reformatter.reformat(
            frame, format=pixel_format, interpolation=_EXACT, dst_color_range=self._range
        )
        tag(stored, self._colour)
        return stored


def tag(target: Any, colour: Colour) -> None:
    """Write colours into a frame or an encoder of PyAV."""
    target.colorspace, target.color_range = colour.matrix, _FULL if colour.full else _LIMITED
    target.color_primaries, target.color_trc = colour.primaries, colour.transfer
