"""Frames into an animation: GIF and WebP by Pillow, MP4 (H.264) by PyAV.

Frames are taken one at a time. A file is there whole or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.images.atomic import check_place, reason, replacing
from jaxdream.images.picture_files import levels, read_image, recipe_options
from jaxdream.types import AnyArray

PathLike = str | os.PathLike[str]
Frame = AnyArray | PathLike  # no shape here: that frames of two sizes come has an error of its own
Pixels = UInt8[np.ndarray, "_ _ 3"]

SLOWEST = 0.01  # frames a second


@dataclass(frozen=True)
class _Format:
    name: str
    longest_side: int
    fastest: int  # frames a second; above it browsers slow GIF and WebP down
    tick: float = 0.0  # what durations are whole multiples of, in seconds, where they are


_FORMATS = {
    ".gif": _Format("GIF", 65535, fastest=50, tick=0.01),
    ".webp": _Format("WEBP", 16383, fastest=90, tick=0.001),
    ".mp4": _Format("MP4", 16384, fastest=240),
}
SUFFIXES = tuple(_FORMATS)


def check_animation_writable(
    path: PathLike, *, fps: float | int = 25, size: tuple[int, int] = (1, 1)
) -> None:
    """Make sure that an animation can be written here, before hours of computing.

    Args:
        fps: frames a second.
        size: height and width of its frames, if already known.

    Raises:
        JaxdreamError: an unknown format, one too slow for the frames or too small for them, an MP4
            without the extra ``video``, no such folder, or no permission to write there.
    """
    path = Path(path)
    chosen = _format(path)
    if not SLOWEST <= fps <= chosen.fastest:
        raise JaxdreamError(
            f"{path}: {chosen.name} plays {SLOWEST} to {chosen.fastest} frames a second, not {fps}"
        )
    if max(size) > chosen.longest_side:
        raise JaxdreamError(
            f"{path}: {size[1]}x{size[0]} pixels are too many for {chosen.name}, which holds "
            f"{chosen.longest_side} a side"
        )
    if chosen.name == "MP4":
        _video_library(path)
    check_place(path)


def write_animation(
    path: PathLike, frames: Iterable[Frame], *, fps: float | int = 25, recipe: str | None = None
) -> None:
    """Write an animation that repeats for ever; the file is there whole or not at all.

    Frames are taken one at a time, and for MP4 none is kept. For GIF and WebP frames without a
    length (a generator) are first collected, as bytes; of a list of files one is open at a time.

    Args:
        path: its ending chooses the format. ``.gif``: 256 colours for each frame, dithered;
            ``.webp``: lossy, of high quality; ``.mp4``: H.264 of high quality, with half as many
            samples of colour as of brightness along each side, as players want it; a side of an
            odd number of pixels has its last row or column twice.
        frames: RGB, 0..255, (h, w, 3), NumPy or JAX, of one size; or picture files.
        fps: frames a second; in GIF and WebP to a frame's nearest 1/100 and 1/1000 s.
        recipe: ASCII text to keep in the file.

    Raises:
        JaxdreamError: as ``check_animation_writable`` and ``read_image``; no frames, or frames of
            several sizes; values that are not finite; a file that cannot be written.
    """
    path = Path(path)
    check_animation_writable(path, fps=fps)
    if recipe is not None and not recipe.isascii():
        raise JaxdreamError(f"{path}: a recipe is ASCII text, so that every format can hold it")
    try:
        _write(path, frames, fps, recipe)
    except JaxdreamError:
        raise
    except Exception as error:  # encoders fail with whatever comes to hand
        raise JaxdreamError(f"cannot write {path}: {reason(error)}") from error


def _write(path: Path, frames: Iterable[Frame], fps: float | int, recipe: str | None) -> None:
    chosen = _format(path)
    if chosen.tick and not isinstance(frames, Sized):
        frames = list(_pixels(path, frames))
    pixels = _pixels(path, frames)
    first = next(pixels, None)
    if first is None:
        raise JaxdreamError(f"{path}: an animation of no frames")
    check_animation_writable(path, fps=fps, size=first.shape[:2])
    with replacing(path) as file:
        if isinstance(frames, Sized) and chosen.tick:
            durations = _durations(len(frames), fps, chosen.tick)
            _write_pillow(file, first, pixels, durations, chosen.name, recipe)
        else:
            _write_mp4(file, chain([first], pixels), fps, recipe)


def _format(path: Path) -> _Format:
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise JaxdreamError(
            f"{path}: animations are written as {known}, not {suffix or 'nothing'!r}"
        )
    return _FORMATS[suffix]


def _pixels(path: Path, frames: Iterable[Frame]) -> Iterator[Pixels]:
    shape = None
    for number, frame in enumerate(frames, 1):
        pixels = levels(read_image(frame) if isinstance(frame, str | os.PathLike) else frame, path)
        if pixels.ndim != 3 or pixels.shape[-1] != 3 or 0 in pixels.shape:
            raise JaxdreamError(f"{path}: frame {number} is {pixels.shape}, not (h, w, 3)")
        shape = shape or pixels.shape
        if pixels.shape != shape:
            size, wanted = (f"{w}x{h}" for h, w, _ in (pixels.shape, shape))
            raise JaxdreamError(f"{path}: frame {number} is {size} pixels, the first is {wanted}")
        yield pixels


def _durations(count: int, fps: float | int, tick: float) -> list[int]:
    """Milliseconds of each frame: multiples of the tick that never drift from the true time."""
    ends = [round(number / fps / tick) for number in range(count + 1)]
    return [round(1000 * tick * (end - start)) for start, end in pairwise(ends)]


class _Rest:
    """The frames after the first, as Pillow goes through an image of many: one after the other."""

    def __init__(self, images: Iterator[Image.Image], first: Image.Image, count: int) -> None:
        self._images, self._image, self.n_frames = images, first, count

    def seek(self, frame: int) -> None:
        del frame
        image = next(self._images, None)
        if image is None:
            raise EOFError
        self._image = image

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)


def _write_pillow(
    file: BinaryIO,
    first: Pixels,
    rest: Iterator[Pixels],
    durations: Sequence[int],
    name: str,
    recipe: str | None,
) -> None:
    convert = _palette_image if name == "GIF" else Image.fromarray
    options = recipe_options(name, recipe) if recipe is not None else {}
    if name == "WEBP":
        options |= {"quality": 90, "method": 4}
    image = convert(first)
    others = _Rest(map(convert, rest), image, len(durations) - 1)
    image.save(
        file,
        format=name,
        save_all=True,
        append_images=[others] if others.n_frames else [],
        duration=list(durations),
        loop=0,
        **options,
    )


def _palette_image(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.quantize(palette=image.quantize(256), dither=Image.Dither.FLOYDSTEINBERG)


def _video_library(path: Path):
    try:
        import av
    except ImportError:
        raise JaxdreamError(
            f"{path}: MP4 needs PyAV: pip install 'jaxdream[video]', or name a .gif or .webp"
        ) from None
    if "libx264" not in av.codecs_available:
        raise JaxdreamError(f"{path}: this PyAV has no libx264: name a .gif or .webp")
    return av


def _write_mp4(
    file: BinaryIO, frames: Iterator[Pixels], fps: float | int, recipe: str | None
) -> None:
    name = os.fspath(file.name)
    av = _video_library(Path(name))
    # Written by its name: to move its index to the front, FFmpeg opens the file once more.
    with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        if recipe is not None:
            container.metadata["comment"] = recipe
        stream = None
        for pixels in frames:
            height, width, _ = pixels.shape
            even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if stream is None:
                stream = _h264_stream(container, even.shape, fps)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def _h264_stream(container, shape: tuple[int, ...], fps: float | int):
    rate = Fraction(fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate, options={"crf": "17"})
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    # Said in the file, so that players do not guess: BT.709, in video's range.
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = 1
    context.color_range = 1
    return stream
