"""The frames of a video file that are dreamed, at the size to dream at."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable
from jaxdream.images.pixels import parse_size
from jaxdream.settings import VIDEO_LONGEST, ClipSettings
from jaxdream.types import Size
from jaxdream.video.clips import ClipFrame, Scene
from jaxdream.video.coherence import Carried
from jaxdream.video.masks import VideoMasks
from jaxdream.video.reading import VideoFrame, VideoReader


class Place(NamedTuple):
    """A frame of a clip, and where it is in the video."""

    number: int  # in the clip, from 0
    time: Fraction  # seconds from the video's first frame


class Part(NamedTuple):
    """Frames of one scene that are to be dreamed, one after the other."""

    after: Place | None  # the frame before the first of them, if there is one
    end: int  # the number of the first frame that is not one of them
    carried: Carried | None = None  # of the frame before, where they go on from it
    kept: tuple[int, ...] | None = None  # the numbers of those that are wanted; None: all

    @property
    def begin(self) -> int:
        """The number of the first of them."""
        return 0 if self.after is None else self.after.number + 1


class Scanned(NamedTuple):
    """What a reading of the whole clip found."""

    times: tuple[Fraction, ...]  # of its frames, in seconds from the video's first frame
    cuts: tuple[int, ...]  # the frames that begin a scene; the first is 0

    @property
    def scenes(self) -> list[tuple[int, int]]:
        """The first frame of each scene, and that of the next."""
        return list(pairwise([*self.cuts, len(self.times)]))

    def missing(self, finished: Iterable[int], carried: Mapping[int, Carried]) -> Iterator[Part]:
        """The rest of each scene of which frames are missing.

        Args:
            finished: numbers of the frames that are there.
            carried: what some of them hand to the next, by their numbers.
        """
        there = set(finished)
        for start, end in self.scenes:
            number = next((n for n in range(start, end) if n not in there), None)
            if number is None:
                continue
            if number > start and number - 1 not in carried:
                number = start  # what the frame depends on is lost
            yield Part(self._before(number), end, carried[number - 1] if number > start else None)

    def damaged(self, numbers: Iterable[int]) -> Iterator[Part]:
        """Of each scene with damaged frames those from its first to the last damaged one.

        Args:
            numbers: of the damaged frames.
        """
        wanted = sorted(numbers)
        for start, end in self.scenes:
            within = tuple(number for number in wanted if start <= number < end)
            if within:
                yield Part(self._before(start), within[-1] + 1, kept=within)

    def _before(self, number: int) -> Place | None:
        return Place(number - 1, self.times[number - 1]) if number else None


@dataclass(frozen=True)
class ClipSource:
    """The frames of a video that settings choose."""

    reader: VideoReader
    clip: ClipSettings
    size: Size  # height and width to dream at
    masks: VideoMasks | None = None

    @property
    def fps(self) -> Fraction:
        """Frames a second of the clip, on average."""
        return self.reader.info.fps / self.clip.every

    def end(self, after: Fraction = Fraction(0)) -> Fraction | None:
        """Seconds of the video at which the clip ends, if there is no limit to its frames.

        Args:
            after: a time before it, since a file may be wrong about its length.
        """
        ends = (self.reader.info.seconds, _exact(self.clip.end))
        return min((end for end in ends if end is not None and end > after), default=None)

    @property
    def expected(self) -> int | None:
        """How many frames the clip has, more or less; None if the file does not tell."""
        end = self.end()
        if end is None:
            return self.clip.max_frames
        length = max(end - _exact(self.clip.start), Fraction(0))
        count = max(-(-length * self.fps // 1), 1)
        return int(min(count, self.clip.max_frames or count))

    @cached_property
    def count(self) -> int:
        """How many frames the clip has, for which it is read as a whole, once."""
        return len(self.scan().times)

    def first(self) -> VideoFrame:
        """The first frame of the clip, at the size to dream at.

        Raises:
            JaxdreamError: there is none.
        """
        for _, frame in self._selected(None, None):
            return frame._replace(pixels=self._resized(frame.pixels))
        name, clip = printable(self.reader.info.path), self.clip
        until = "" if clip.end is None else f" to {clip.end:g}"
        raise JaxdreamError(f"{name} has no frame from second {clip.start:g} on{until}")

    def frames(
        self, begin: Fraction, *, after: Place | None = None, end: int | None = None
    ) -> Iterator[ClipFrame]:
        """The frames, with their seconds since the clip's first.

        Args:
            begin: the time of the clip's first frame.
            after: a frame of the clip; those after it are given.
            end: the number of the first frame that is not given any more.
        """
        mask = None if self.masks is None else self.masks.opened()
        for place, frame in self._selected(after, end):
            yield ClipFrame(
                place.number, self._resized(frame.pixels), place.time - begin,
                None if mask is None else mask(place.number, place.time),
            )  # fmt: skip

    def scan(self, begins: Callable[[int, np.ndarray], bool] | None = None) -> Scanned:
        """Read the whole clip once, for the times of its frames and its cuts.

        Args:
            begins: whether a frame begins a scene; by default only the first does.
        """
        times, cuts = [], []
        for place, frame in self._selected(None, None):
            times.append(place.time)
            if begins is None:
                cuts = [0]
            elif begins(place.number, self._resized(frame.pixels)):
                cuts.append(place.number)
        return Scanned(tuple(times), tuple(cuts))

    def scene(self, begin: Fraction, part: Part) -> Scene:
        """The frames of a part.

        Args:
            begin: as of ``frames``.
        """
        return Scene(self.frames(begin, after=part.after, end=part.end), part.carried)

    def has(self, place: Place) -> bool:
        """Whether a frame is one of the clip's, which an earlier run may have made longer."""
        most, last = self.clip.max_frames, _exact(self.clip.end)
        return (most is None or place.number < most) and (last is None or place.time < last)

    def _selected(self, after: Place | None, end: int | None) -> Iterator[tuple[Place, VideoFrame]]:
        clip, last = self.clip, _exact(self.clip.end)
        begin = _exact(clip.start) if after is None else after.time
        number = 0 if after is None else after.number
        limits = [limit for limit in (clip.max_frames, end) if limit is not None]
        for index, frame in enumerate(self.reader.frames(begin=begin or None)):
            past = last is not None and frame.time >= last
            if past or (limits and number + index // clip.every >= min(limits)):
                return
            if index % clip.every == 0 and (after is None or index > 0):
                yield Place(number + index // clip.every, frame.time), frame

    def _resized(self, pixels: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "h w 3"]:
        height, width = self.size
        if pixels.shape[:2] == self.size:
            return pixels
        image = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(image)


def size_to_dream(size: Size, text: str | None, *, longest: int = VIDEO_LONGEST) -> Size:
    """Height and width to dream a video of this height and width at.

    Args:
        text: the size that is asked for, if one is.
        longest: pixels of the longer side at most, where none is.
    """
    height, width = size
    return parse_size(text or str(min(longest, max(height, width))), height, width)


@overload
def _exact(seconds: float | int) -> Fraction: ...
@overload
def _exact(seconds: None) -> None: ...
def _exact(seconds: float | int | None) -> Fraction | None:
    """The decimal number that is written: 0.1 is a tenth, unlike the float, which is more."""
    return None if seconds is None else Fraction(str(seconds))
