"""Writing videos: frames with their exact times, sound beside them; whole or not at all."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable, reason
from jaxdream.files.writing import replacing
from jaxdream.images.picture_files import read_image
from jaxdream.images.pixels import frame_levels
from jaxdream.types import AnyArray, Size
from jaxdream.video.codecs import (
    CODECS,
    DEFAULT_CODEC,
    VIDEO_SUFFIXES,
    Codec,
    check_video_writable,
    container_format,
)
from jaxdream.video.colours import Colour, Converter, assumed_colour, tag, yuv_colour
from jaxdream.video.library import video_library
from jaxdream.video.opening import VideoInfo
from jaxdream.video.sound import Sound, SoundCopier

__all__ = ["CODECS", "VIDEO_SUFFIXES", "check_video_writable", "write_video"]

# No shape here: frames of several sizes have an error of their own.
Source = AnyArray | PathLike

_TIME_BASE = Fraction(1, 90000)
# Players take no finer time base, and times that are not the source's need a fine one.
_FINEST, _COARSEST = Fraction(1, 10**6), Fraction(1, 1000)
_FPS = Fraction(25)


class _Shown(NamedTuple):
    """A frame with its place in time, in ticks of the time base."""

    pixels: UInt8[np.ndarray, "_ _ 3"]
    stamp: int
    duration: int


def write_video(
    path: PathLike,
    frames: Iterable[tuple[Source, Fraction]],
    *,
    like: VideoInfo | None = None,
    codec: str = DEFAULT_CODEC,
    crf: int | None = None,
    end: Fraction | None = None,
    recipe: str | None = None,
    sound: Sound | None = None,
    notify: Callable[[str], None] | None = None,
) -> None:
    """Write a video; the file is there whole or not at all.

    Frames are taken one at a time, each when the one before is encoded.

    Args:
        path: its ending chooses the format: ``.mp4``, ``.mov``, ``.mkv`` or ``.m4v``.
        frames: pictures and their times. A picture is RGB, 0..255, (h, w, 3), NumPy or JAX, or a
            picture file, upright; all are of one size. A time is in seconds, rises from frame to
            frame, and is kept to the rounding of the time base: that of ``like``, else 1/90000 s;
            in MKV 1/1000 s. If a codec needs an even number of pixels, the last row or column is
            repeated.
        like: the video that these are the frames of. Its colours, its pixel aspect, its time base
            and its rate become those of the file.
        codec: a name in ``CODECS``.
        crf: how much is lost, from 0 to 51; None is the codec's own.
        end: seconds at which the last frame ends; by default that lasts as long as the one before.
        recipe: ASCII text to keep in the file.
        sound: the sound of the video, from ``own_sound`` or ``other_sound``; None is silent.
        notify: is called with a line on sound or subtitles that could not be kept as they are.

    Raises:
        JaxdreamError: as ``check_video_writable`` and ``read_image``; no frames, or frames of
            several sizes; a recipe that is not ASCII; sound that cannot be read; a file that cannot
            be written.
    """
    path = Path(path)
    check_video_writable(path, codec=codec, crf=crf)
    if recipe is not None and not recipe.isascii():
        raise JaxdreamError(f"{printable(path)}: a recipe must be ASCII text")
    writing = _Writing(path, like, CODECS[codec], crf, recipe, sound, notify)
    base = _time_base(like)
    shown = _in_ticks(_checked(path, frames), base, end, like.fps if like else _FPS)
    try:
        first = next(shown, None)
        if first is None:
            raise JaxdreamError(f"{printable(path)}: a video needs at least one frame")
        size = first.pixels.shape[:2]
        check_video_writable(path, codec=codec, crf=crf, size=size)
        _write(writing, chain([first], shown), size, base)
    except JaxdreamError:
        raise
    except Exception as error:  # encoders raise any type of exception
        raise JaxdreamError(f"cannot write {printable(path)}: {reason(error)}") from error


def _write(writing: "_Writing", frames: Iterator[_Shown], size: Size, base: Fraction) -> None:
    with (
        replacing(writing.path) as file,
        _Writer(writing, os.path.abspath(file.name), size, base) as writer,
    ):
        writer.begin()
        for frame in frames:
            writer.write(frame)
        writer.finish()


class _Writing(NamedTuple):
    """What a video is written with, as ``write_video``."""

    path: Path
    like: VideoInfo | None
    codec: Codec
    crf: int | None
    recipe: str | None
    sound: Sound | None
    notify: Callable[[str], None] | None


class _Writer:
    """An open file that a video is written into.

    Args:
        name: of the file that is written, a temporary one.
        size: height and width of its frames, in pixels.
        base: seconds that all times are multiples of.
    """

    def __init__(self, writing: _Writing, name: str, size: Size, base: Fraction) -> None:
        self._writing, self._codec, self._like = writing, writing.codec, writing.like
        self._av, self._base = video_library(writing.path), base
        (height, width), (rows, columns) = size, self._codec.multiple
        self._size = (height + -height % rows, width + -width % columns)
        self._colour = _stored_colour(self._codec, self._like, size)
        self._converter = Converter(self._av, self._colour)
        self._durations: dict[int, int] = {}  # of frames that are not encoded yet, by their time
        self._sound: SoundCopier | None = None
        self._last: Any = None  # packet, not written yet
        self._first_dts: int | None = None
        self._start: int | None = None  # of the first frame, in ticks
        self._end = Fraction(0)
        kind = container_format(writing.path)
        options = {"movflags": "+faststart"} if kind in ("mp4", "mov") else {}
        # FFmpeg gets the name: it opens the file a second time to move the index to the front.
        self._container = self._av.open(name, "w", format=kind, container_options=options)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        try:
            if self._sound is not None:
                self._sound.close()
        finally:
            if error is None:
                self._container.close()
            else:
                with suppress(Exception):  # the first error says more
                    self._container.close()

    def begin(self) -> None:
        """Add the streams, before the first frame."""
        if self._writing.recipe is not None:
            self._container.metadata["comment"] = self._writing.recipe
        options = dict(self._codec.options)
        crf = self._codec.crf if self._writing.crf is None else self._writing.crf
        if crf is not None:
            options["crf"] = str(crf)
        fps = self._like.fps if self._like else _FPS
        self._stream = self._container.add_stream(self._codec.encoder, rate=fps, options=options)
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = self._codec.pixel_format
        self._stream.time_base = self._base
        context = self._stream.codec_context
        context.time_base = self._base
        if self._like:
            context.sample_aspect_ratio = self._like.pixel_aspect.limit_denominator(1 << 15)
        if self._codec.encoder == "libx265" and self._container.format.name != "matroska":
            context.codec_tag = "hvc1"  # Apple's players take no other
        tag(context, self._colour)
        sound, notify = self._writing.sound, self._writing.notify
        if sound is not None:
            self._sound = SoundCopier(self._av, self._container, sound, notify=notify)

    def write(self, frame: _Shown) -> None:
        """Encode a frame, and the sound up to it."""
        height, width = self._size
        h, w = frame.pixels.shape[:2]
        pixels = np.pad(frame.pixels, ((0, height - h), (0, width - w), (0, 0)), mode="edge")
        encoded = self._converter.from_rgb(pixels, self._codec.pixel_format)
        encoded.pts, encoded.time_base = frame.stamp, self._base
        self._durations[frame.stamp] = frame.duration
        self._start = frame.stamp if self._start is None else self._start
        self._end = (frame.stamp + frame.duration) * self._base
        self._mux(self._stream.encode(encoded))
        if self._sound is not None:
            self._sound.copy(until=frame.stamp * self._base)

    def finish(self) -> None:
        """Encode what the encoder still holds, and the sound up to its end."""
        self._mux(self._stream.encode(None))
        if self._last is not None:
            # MP4 and MOV take for their length what is decoded, which can end with a frame that
            # is shown before the last one.
            decoded = (self._last.dts or 0) - (self._first_dts or 0)
            if self._container.format.name != "matroska":
                rest = round(self._end / self._base) - (self._start or 0) - decoded
                self._last.duration = max(self._last.duration or 0, rest)
            self._container.mux(self._last)
        if self._sound is not None:
            self._sound.finish(self._end)

    def _mux(self, packets: list[Any]) -> None:
        """Write all packets but the last one, of which the length may have to change."""
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, 0)
            if self._last is None:
                self._first_dts = packet.dts
            else:
                self._container.mux(self._last)
            self._last = packet


def _time_base(like: VideoInfo | None) -> Fraction:
    """Seconds that all times in the file are multiples of."""
    if like is None or like.time_base < _FINEST:
        return _TIME_BASE
    # A coarse one is divided, so that its multiples stay exact.
    return like.time_base / math.ceil(like.time_base / _COARSEST)


def _stored_colour(codec: Codec, like: VideoInfo | None, size: Size) -> Colour:
    colour = like.colour if like else assumed_colour(size)
    if codec.rgb:
        return replace(colour, matrix=0, full=True)
    colour = yuv_colour(colour, size)
    return replace(colour, full=False) if codec.limited else colour


def _checked(
    path: Path, frames: Iterable[tuple[Source, Fraction]]
) -> Iterator[tuple[UInt8[np.ndarray, "_ _ 3"], Fraction]]:
    """The frames as levels, all of one size."""
    shape = None
    for number, (source, time) in enumerate(frames, 1):
        name = f"{printable(path)}: frame {number}"
        image = read_image(source) if isinstance(source, str | os.PathLike) else source
        pixels = frame_levels(image, name=name, shape=shape)
        shape = pixels.shape
        yield pixels, time


def _in_ticks(
    frames: Iterator[tuple[UInt8[np.ndarray, "_ _ 3"], Fraction]],
    base: Fraction,
    end: Fraction | None,
    fps: Fraction,
) -> Iterator[_Shown]:
    """Each frame with how long it is shown, which is known when the next one is there."""
    before = None
    duration = max(round(1 / fps / base), 1)
    for pixels, time in frames:
        stamp = round(time / base)
        if before is not None:
            stamp = max(stamp, before[1] + 1)
            duration = stamp - before[1]
            yield _Shown(*before, duration)
        before = pixels, stamp
    if before is not None:
        if end is not None:
            duration = max(round(end / base) - before[1], 1)
        yield _Shown(*before, duration)
