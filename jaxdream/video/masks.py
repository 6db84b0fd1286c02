"""The masks of a video's frames: a picture for all, a folder with one for each, or a video."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, printable, reason
from jaxdream.images.formats import PICTURE_SUFFIXES
from jaxdream.images.masks import ALPHA, brightness, feather, pixel_brightness, resize_mask
from jaxdream.images.picture_files import read_picture
from jaxdream.settings import SourceSettings
from jaxdream.types import Size
from jaxdream.video.opening import MAX_VIDEO_BYTES
from jaxdream.video.reading import VideoFrame, VideoReader, open_video

Mask = Float[np.ndarray, "h w"]
# The mask of the frame of this number, from 0, that is shown at this second of the video.
MaskOf = Callable[[int, Fraction], Mask]


@dataclass(frozen=True)
class VideoMasks:
    """Where the masks of a video's frames come from."""

    path: str
    pictures: tuple[Path, ...]  # one for all frames, or one for each in turn; none: a video
    video: VideoReader | None
    size: Size  # of the frames
    invert: bool
    softness: float  # standard deviation of the blur of its edges, in pixels

    @classmethod
    def asked(
        cls, source: SourceSettings, size: Size, notify: Callable[[str], None]
    ) -> "VideoMasks | None":
        """What the settings ask for; None without a mask.

        Raises:
            JaxdreamError: there is nothing that can be a mask.
        """
        path = source.mask
        if path is None:
            return None
        if path == ALPHA:
            raise JaxdreamError("a video has no transparency: give a picture, a folder or a video")
        masks = cls(path, (), None, size, source.mask_invert, source.mask_feather)
        if os.path.isdir(path):
            try:
                found = sorted(filter(_is_picture, Path(path).iterdir()), key=_in_order)
            except OSError as error:
                raise JaxdreamError(f"cannot read {printable(path)}: {reason(error)}") from error
            if not found:
                raise JaxdreamError(f"{printable(path)} has no pictures that could be masks")
            return replace(masks, pictures=tuple(found))
        if _is_picture(Path(path)):
            masks = replace(masks, pictures=(Path(path),))
            if not masks._of_picture(0).any():
                colour = "white" if masks.invert else "black"
                raise JaxdreamError(
                    f"the mask {printable(path)} is {colour} everywhere: nothing would be dreamed"
                )
            return masks
        with open_video(path, notify=notify) as reader:
            return replace(masks, video=reader)

    @property
    def one_for_each(self) -> bool:
        """Whether each frame has a picture of its own."""
        return len(self.pictures) > 1

    def check_count(self, frames: int) -> None:
        """Make sure that there is a picture for each of so many frames, where each has its own.

        Raises:
            JaxdreamError: there are fewer.
        """
        if self.one_for_each and len(self.pictures) < frames:
            raise JaxdreamError(
                f"{printable(self.path)} has {len(self.pictures)} pictures and the video {frames} "
                "frames to dream: give one for each frame, or a single file"
            )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.pictures or (Path(self.path),)

    @property
    def sha256(self) -> str:
        """Of the content of all files, in their order."""
        hashes = [file_hash(path, "sha256", limit=MAX_VIDEO_BYTES) for path in self.files]
        return (
            hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        )

    def opened(self) -> MaskOf:
        """What gives the masks of frames that are asked for in their order."""
        if self.video is not None:
            return _Following(self.video, self._of_frame)
        if len(self.pictures) == 1:
            mask = self._of_picture(0)
            return lambda _, __: mask
        return lambda number, _: self._of_picture(number)

    def _of_picture(self, number: int) -> Mask:
        if number >= len(self.pictures):
            raise JaxdreamError(
                f"{printable(self.path)} has {len(self.pictures)} pictures, so there is no mask "
                f"for frame {number + 1}: give one for each frame, or a single file"
            )
        return self._finished(brightness(read_picture(self.pictures[number])))

    def _of_frame(self, frame: VideoFrame) -> Mask:
        return self._finished(pixel_brightness(frame.pixels))

    def _finished(self, mask: np.ndarray) -> Mask:
        mask = mask.astype(np.float32)
        if mask.shape != self.size:
            mask = resize_mask(mask, self.size)
        mask = feather(1 - mask if self.invert else mask, self.softness)
        return np.clip(mask, 0, 1).astype(np.float32)


class _Following:
    """The masks in a video: at each time the last frame that is shown."""

    def __init__(self, video: VideoReader, mask_of: Callable[[VideoFrame], Mask]) -> None:
        self._video, self._mask_of = video, mask_of
        self._frames: Iterator[VideoFrame] | None = None
        self._shown: VideoFrame | None = None
        self._next: VideoFrame | None = None

    def __call__(self, number: int, time: Fraction) -> Mask:
        del number
        if self._frames is None:
            self._frames = self._begun(time)
            self._shown = self._next = next(self._frames, None)
        while self._next is not None and self._next.time <= time:
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None:
            name = printable(self._video.info.path)
            raise JaxdreamError(f"{name} has no frame that could be a mask")
        return self._mask_of(self._shown)

    def _begun(self, time: Fraction) -> Iterator[VideoFrame]:
        """The frames from a moment before a time on: the one that is shown is among them."""
        begin = time - 2 / self._video.info.fps
        frames = self._video.frames(begin=begin if begin > 0 else None)
        first = next(frames, None)
        if first is None or first.time > time:  # the mask ended before, or its rate varies
            frames.close()  # pyright: ignore[reportAttributeAccessIssue]
            return self._video.frames()
        return _chained(first, frames)


def _chained(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _is_picture(path: Path) -> bool:
    known = path.suffix.lower() in PICTURE_SUFFIXES and path.suffix.lower() != ".gif"
    # Names that begin with a dot are other files' data on some systems.
    return known and not path.name.startswith(".")


def _in_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """So that 10.png comes after 9.png."""
    parts = re.split(r"(\d+)", path.name)
    order = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return order, path.name  # 01.png and 1.png are of one number
