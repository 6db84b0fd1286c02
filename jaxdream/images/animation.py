"""Frames into an animation: GIF and WebP by Pillow, MP4 (H.264) by PyAV.

Frames are taken one at a time. A file is there whole or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable, reason
from jaxdream.files.writing import check_place, replacing
from jaxdream.images.formats import Format, animation_format
from jaxdream.images.picture_files import read_image, recipe_options
from jaxdream.images.pixels import frame_levels
from jaxdream.types import AnyArray

Pixels = UInt8[np.ndarray, "_ _ 3"]

MIN_FPS = 0.01


class FadedFrame(NamedTuple):
    """A frame that is a blend of two pictures: files, or RGB, 0..255, (h, w, 3)."""

    first: AnyArray | PathLike
    second: AnyArray | PathLike
    share: float  # of the second, 0..1

    def image(self) -> Float[np.ndarray, "h w 3"]:
        """RGB, 0..255.

        Raises:
            JaxdreamError: as ``read_image``, or two sizes.
        """
        first, second = (np.asarray(_image(each), np.float32) for each in self[:2])
        if first.shape != second.shape:
            raise JaxdreamError(f"{_name(self.first)} and {_name(self.second)} differ in size")
        return (1 - self.share) * first + self.share * second


# No shape here: frames of several sizes have an error of their own.
Frame = AnyArray | PathLike | FadedFrame


def faded_loop(frames: Sequence[AnyArray | PathLike], count: int) -> list[Frame]:
    """The frames of a film that repeats without a jump: its last frames fade into its first.

    Args:
        frames: more than ``2 * count``, as of ``write_animation``.
        count: how many frames the fade takes; the film is so much shorter.
    """
    begin = len(frames) - count
    faded = [
        FadedFrame(frames[begin + number], frames[number], (number + 1) / (count + 1))
        for number in range(count)
    ]
    return [*faded, *frames[count:begin]]


def repeating(
    frames: Sequence[AnyArray | PathLike], *, ping_pong: bool = False, loop: int | None = None
) -> Sequence[Frame]:
    """The frames of a film that repeats.

    Args:
        frames: as of ``write_animation``.
        ping_pong: whether they are shown forwards and then backwards.
        loop: how many of the last fade into the first, as far as there are enough frames.
    """
    if ping_pong:  # the first and the last once
        return [*frames, *frames[-2:0:-1]]
    return frames if loop is None else faded_loop(frames, min(loop, (len(frames) - 1) // 2))


def check_animation_writable(
    path: PathLike, *, fps: float | int = 25, size: tuple[int, int] = (1, 1)
) -> None:
    """Make sure that an animation can be written here, before hours of computing.

    Args:
        fps: frames a second.
        size: height and width of its frames in pixels, if already known.

    Raises:
        JaxdreamError: an unknown format, frames that are too large for it or too many a second, an
            MP4 without the extra ``video``, no such folder, or no permission to write there.
    """
    chosen = animation_format(path, size)
    if not MIN_FPS <= fps <= chosen.max_fps:
        raise JaxdreamError(
            f"{printable(path)}: {chosen.name} plays {MIN_FPS} to {chosen.max_fps} frames a "
            f"second, not {fps:.6g}"
        )
    if chosen.name == "MP4":
        _video_library(path)
    check_place(path)


def write_animation(
    path: PathLike, frames: Iterable[Frame], *, fps: float | int = 25, recipe: str | None = None
) -> None:
    """Write an animation that repeats for ever; the file is there whole or not at all.

    Frames are taken one at a time, and none is kept for MP4. For GIF and WebP, frames without a
    length (a generator) are first collected as bytes; of a list of files one is open at a time.

    Args:
        path: its ending chooses the format. ``.gif``: 256 colours for each frame, dithered;
            ``.webp``: lossy, of high quality; ``.mp4``: H.264 of high quality, with colours at half
            the resolution (4:2:0), which all players show; if a side has an odd number of pixels,
            its last row or column is repeated.
        frames: RGB, 0..255, (h, w, 3), NumPy or JAX, of one size; or picture files, or blends of
            two, from ``faded_loop``.
        fps: frames a second; the times of frames are rounded to 1/100 s in GIF, 1/1000 s in WebP.
        recipe: ASCII text to keep in the file.

    Raises:
        JaxdreamError: as ``check_animation_writable`` and ``read_image``; no frames, or frames of
            several sizes; values that are not finite; a recipe that is not ASCII; a file that
            cannot be written.
    """
    path = Path(path)
    check_animation_writable(path, fps=fps)
    if recipe is not None and not recipe.isascii():
        raise JaxdreamError(f"{printable(path)}: a recipe must be ASCII text")
    try:
        _write(path, frames, fps, recipe)
    except JaxdreamError:
        raise
    except Exception as error:  # encoders raise any type of exception
        raise JaxdreamError(f"cannot write {printable(path)}: {reason(error)}") from error


def _write(path: Path, frames: Iterable[Frame], fps: float | int, recipe: str | None) -> None:
    chosen = animation_format(path)
    if chosen.tick and not isinstance(frames, Sized):
        frames = list(_pixels(path, frames))
    pixels = _pixels(path, frames)
    first = next(pixels, None)
    if first is None:
        raise JaxdreamError(f"{printable(path)}: an animation needs at least one frame")
    check_animation_writable(path, fps=fps, size=first.shape[:2])
    with replacing(path) as file:
        if isinstance(frames, Sized) and chosen.tick:
            durations = _durations(len(frames), fps, chosen.tick)
            _write_pillow(file, first, pixels, durations, chosen, recipe)
        else:
            _write_mp4(file, chain([first], pixels), fps, recipe)


def _pixels(path: Path, frames: Iterable[Frame]) -> Iterator[Pixels]:
    shape = None
    for number, frame in enumerate(frames, 1):
        name = f"{printable(path)}: frame {number}"
        image = frame.image() if isinstance(frame, FadedFrame) else _image(frame)
        pixels = frame_levels(image, name=name, shape=shape)
        shape = pixels.shape
        yield pixels


def _image(source: AnyArray | PathLike) -> AnyArray:
    return read_image(source) if isinstance(source, str | os.PathLike) else source


def _name(source: AnyArray | PathLike) -> str:
    return printable(source) if isinstance(source, str | os.PathLike) else "an array"


def _durations(count: int, fps: float | int, tick: float) -> list[int]:
    """Milliseconds of each frame: multiples of the tick whose rounding errors do not add up."""
    ends = [round(number / fps / tick) for number in range(count + 1)]
    return [round(1000 * tick * (end - start)) for start, end in pairwise(ends)]


class _Rest:
    """The frames after the first, in the form of an image of many frames for Pillow.

    Pillow takes them one after the other, so that only one is in memory.
    """

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
    chosen: Format,
    recipe: str | None,
) -> None:
    convert = _palette_image if chosen.name == "GIF" else Image.fromarray
    options = recipe_options(chosen.name, recipe) if recipe is not None else {}
    if chosen.name == "WEBP":
        options |= {"quality": 90, "method": 4}
    image = convert(first)
    others = _Rest(map(convert, rest), image, len(durations) - 1)
    image.save(
        file,
        format=chosen.name,
        save_all=True,
        append_images=[others] if others.n_frames else [],
        duration=list(durations),
        loop=0,
        **options,
    )


def _palette_image(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.quantize(palette=image.quantize(256), dither=Image.Dither.FLOYDSTEINBERG)


def _video_library(path: PathLike):
    """PyAV, if it is installed and can write H.264."""
    try:
        import av
    except ImportError:
        raise JaxdreamError(
            f"{printable(path)}: MP4 needs PyAV: pip install 'jaxdream[video]', or name a .gif or "
            ".webp"
        ) from None
    if "libx264" not in av.codecs_available:
        raise JaxdreamError(f"{printable(path)}: this PyAV has no libx264: name a .gif or .webp")
    return av


def _write_mp4(
    file: BinaryIO, frames: Iterator[Pixels], fps: float | int, recipe: str | None
) -> None:
    name = os.fspath(file.name)
    av = _video_library(name)
    # FFmpeg gets the name: it opens the file a second time to move the index to the front.
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
    rate = Fraction(float(fps)).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate, options={"crf": "17"})
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    # Stored in the file so that players need not guess: BT.709, limited range.
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = 1
    context.color_range = 1
    return stream
