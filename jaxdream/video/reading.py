"""Reading videos: their frames as RGB, upright, with their times, one at a time."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable, reason
from jaxdream.video.colours import Converter
from jaxdream.video.decoding import Decoded, Decoder
from jaxdream.video.library import video_library
from jaxdream.video.opening import (
    Orientation,
    VideoInfo,
    check_no_picture,
    frame_orientation,
    open_container,
    video_info,
    video_stream,
)

__all__ = ["VideoFrame", "VideoInfo", "VideoReader", "open_video"]

Notify = Callable[[str], None]

# How long before the wanted time a key frame is looked for, in seconds: some formats find one that
# is too late, and the first can be damaged.
_SEEK_MARGINS = (0, 2, 10, 60)


class VideoFrame(NamedTuple):
    """A frame of a video."""

    number: int  # from 0, in the order in which they are shown
    time: Fraction  # seconds from the video's first frame
    pixels: UInt8[np.ndarray, "h w 3"]  # RGB, 0..255, upright
    repeated: bool  # whether it could not be decoded, and is the one before


class _Timed(NamedTuple):
    """A frame with its time that is not converted yet."""

    time: Fraction
    frame: Any  # PyAV's
    repeated: bool


@contextmanager
def open_video(path: PathLike, *, notify: Notify | None = None) -> Iterator["VideoReader"]:
    """A video, to be read frame by frame.

    Args:
        path: a video that FFmpeg reads: MP4, MOV, MKV, WebM, AVI, an animated GIF, ...
        notify: is called with a line on what is damaged, or that the file ends early, as soon as
            that has been read.

    Raises:
        JaxdreamError: no PyAV; no regular file, or no video: a picture, only sound, nothing that
            can be decoded; HDR, which has to be converted first.
    """
    with open_container(path) as container:
        check_no_picture(path, container)
        stream = video_stream(path, container)
        decoder = Decoder(path, container)
        first = next((each for each in decoder.decode() if each.frame is not None), None)
        if first is None:
            raise JaxdreamError(
                f"{printable(path)} has no frame that can be decoded: it is damaged, or not whole"
            )
        origin = (first.stamp or 0) * decoder.time_base
        info = video_info(path, container, stream, first.frame, origin)
        reader = VideoReader(info, first, notify)
    yield reader


class VideoReader:
    """A video: what is known of it, and its frames. ``open_video`` makes it.

    Each reading opens the file on its own, so that several can take turns.
    """

    info: VideoInfo

    def __init__(self, info: VideoInfo, first: Decoded, notify: Notify | None) -> None:
        self.info = info
        self._orientation: Orientation = frame_orientation(first.frame)
        self._stored_size = (first.frame.height, first.frame.width)
        # Without timestamps of their own, frames are only found by counting.
        self._seekable = first.frame.pts is not None
        self._notify = notify
        self._damaged: set[Fraction] = set()  # times of frames that were told of
        self._told_end = False

    def frames(self, *, begin: Fraction | None = None, number: int = 0) -> Iterator[VideoFrame]:
        """The frames in the order in which they are shown, one at a time.

        Args:
            begin: seconds from the video's first frame. Frames before it are left out, and those
                after it are the same as without it.
            number: of the first frame that is given.

        Raises:
            JaxdreamError: the file cannot be read any more, or a frame cannot be converted.
        """
        converter = Converter(video_library(self.info.path), self.info.colour)
        damaged: list[Fraction] = []
        try:
            for time, frame, repeated in self._timed(begin or Fraction(0)):
                if begin is not None and time < begin:
                    continue
                if repeated:
                    damaged.append(time)
                yield VideoFrame(number, time, self._pixels(converter, frame), repeated)
                number += 1
        finally:
            self._tell_damaged(damaged)

    def _pixels(self, converter: Converter, frame: Any) -> UInt8[np.ndarray, "h w 3"]:
        try:
            return self._orientation.upright(converter.to_rgb(frame, self._stored_size))
        except Exception as error:  # PyAV has many types of them
            raise JaxdreamError(
                f"{printable(self.info.path)} cannot be converted to RGB: {reason(error)}"
            ) from error

    def _timed(self, begin: Fraction) -> Iterator[_Timed]:
        """The frames with their times; some before ``begin`` may be left out."""
        for margin in _SEEK_MARGINS if self._seekable else ():
            if begin - margin <= 0:
                break
            with open_container(self.info.path) as container:
                decoder = Decoder(self.info.path, container)
                decoded = self._sought(decoder, begin - margin)
                if decoded is not None:
                    yield from self._repeating(decoder, decoded)
                    return
        with open_container(self.info.path) as container:
            decoder = Decoder(self.info.path, container)
            yield from self._repeating(decoder, decoder.decode())

    def _sought(self, decoder: Decoder, begin: Fraction) -> Iterator[Decoded] | None:
        """The frames from a whole key frame at or before a time on; None if that is not found."""
        wanted = math.floor((self.info.origin + begin) / decoder.time_base)
        try:
            decoder.seek(wanted)
        except Exception:  # a format without seeking
            return None
        decoded = decoder.decode()
        for first in decoded:
            key = decoder.key_stamp
            if key is None or first.stamp is None or key > wanted:
                return None
            # Frames that are shown before the key frame can need others that were not read.
            if first.stamp >= key:
                whole = first.frame is not None and first.stamp == key
                return chain([first], decoded) if whole else None
        return None

    def _repeating(self, decoder: Decoder, decoded: Iterator[Decoded]) -> Iterator[_Timed]:
        """The frames with rising times; in the place of a damaged one the one before it."""
        last = previous = None
        waiting: list[Fraction] = []
        for stamp, frame in decoded:
            if frame is None and last is None:
                continue
            time = self._time(decoder, stamp, previous)
            previous = time
            if frame is None:
                waiting.append(time)
                continue
            yield from (_Timed(each, last, True) for each in waiting)
            waiting.clear()
            last = frame
            yield _Timed(time, frame, False)
        if decoder.ends_early:
            # The last ones were not damaged but cut off.
            self._tell_end(previous if not waiting else waiting[0])
        else:
            yield from (_Timed(each, last, True) for each in waiting)

    def _time(self, decoder: Decoder, stamp: int | None, previous: Fraction | None) -> Fraction:
        step = 1 / self.info.fps
        if stamp is None:
            return previous + step if previous is not None else Fraction(0)
        time = stamp * decoder.time_base - self.info.origin
        if previous is not None and time <= previous:
            time = previous + min(decoder.time_base, step)
        return time

    def _tell_damaged(self, times: list[Fraction]) -> None:
        new = sorted(set(times) - self._damaged)
        self._damaged.update(new)
        if not new or self._notify is None:
            return
        name, first = printable(self.info.path), f"{float(new[0]):.2f} s"
        if len(new) == 1:
            self._notify(f"{name}: 1 damaged frame, at {first}: it repeats the one before")
        else:
            self._notify(
                f"{name}: {len(new)} damaged frames, the first at {first}: each repeats the one "
                "before"
            )

    def _tell_end(self, time: Fraction | None) -> None:
        if self._told_end or self._notify is None:
            return
        self._told_end = True
        name = printable(self.info.path)
        self._notify(f"{name} ends early, at {float(time or 0):.2f} s: the rest is missing")
