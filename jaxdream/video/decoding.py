"""The frames of an open video in the order in which they are shown, and what is damaged in it."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from jaxdream.files.reading import PathLike
from jaxdream.video.library import exact
from jaxdream.video.opening import video_stream

# Of these formats the header says how long the file is; of others the length is a guess.
_TELL_LENGTH = {"mov", "matroska", "avi"}
_SHORTFALL = Fraction(1, 2)  # seconds that a whole file may be shorter than its header says
_MICROSECONDS = 10**6


class Decoded(NamedTuple):
    """A frame that is not converted yet."""

    stamp: int | None  # in units of the stream's time base
    frame: Any  # PyAV's; None if it is damaged


class Decoder:
    """One reading of a video, from its beginning or from a key frame on.

    Args:
        path: the file's name, for errors.
        container: the file, opened by PyAV; it is read to its end once.

    Raises:
        JaxdreamError: there is no video that can be decoded.
    """

    def __init__(self, path: PathLike, container: Any) -> None:
        self.container, self.stream = container, video_stream(path, container)
        self.time_base = exact(self.stream.time_base) or Fraction(1, 90000)
        self.ends_early = False  # known when all was read
        self.key_stamp: int | None = None  # of the first key frame in the file's order
        self._end = Fraction(0)  # seconds on the file's clock up to which there were packets

    def seek(self, stamp: int) -> None:
        """Go to a key frame, which should be at or before a time, but can be after it.

        Raises:
            Exception: one of PyAV's, if the format has no seeking.
        """
        self.container.seek(stamp, stream=self.stream, backward=True)

    def decode(self) -> Iterator[Decoded]:
        """The frames in the order in which they are shown, one at a time."""
        lost: list[int | None] = []  # times of packets that could not be decoded
        for packet in self._packets():
            try:
                frames = self.stream.decode(packet)
            except Exception:  # PyAV has many types of them
                if packet is not None and packet.size and not packet.is_discard:
                    lost.append(_stamp(packet))
                continue
            for frame in frames:
                stamp = _stamp(frame)
                earlier = [each for each in lost if each is None or stamp is None or each < stamp]
                yield from _damaged(earlier)
                lost = [each for each in lost if each not in (*earlier, stamp)]
                # Where the decoder had to guess, some of the frame may be good, but not all.
                yield Decoded(stamp, None if frame.is_corrupt else frame)
        self.ends_early |= self._is_short()
        yield from _damaged(lost)

    def _packets(self) -> Iterator[Any]:
        """The packets of the stream, and at last None or an empty one, which ends it."""
        packets = self.container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception:  # nothing can be read from here on
                self.ends_early = True
                yield None
                return
            stamp = _stamp(packet)
            if packet.size and stamp is not None:
                end = (stamp + (packet.duration or 0)) * (exact(packet.time_base) or Fraction(0))
                self._end = max(self._end, end)
            if packet.stream.index == self.stream.index:
                if self.key_stamp is None and packet.size and packet.is_keyframe:
                    self.key_stamp = stamp
                yield packet

    def _is_short(self) -> bool:
        length = self.container.duration
        if not length or not _TELL_LENGTH.intersection(self.container.format.name.split(",")):
            return False
        end = Fraction(length + (self.container.start_time or 0), _MICROSECONDS)
        return self._end + _SHORTFALL < end


def _stamp(of: Any) -> int | None:
    """The time of a packet or a frame: some formats only have that of decoding."""
    return of.pts if of.pts is not None else of.dts


def _damaged(stamps: list[int | None]) -> Iterator[Decoded]:
    # They were lost in the order of decoding.
    for stamp in sorted(stamps, key=lambda each: (each is None, each or 0)):
        yield Decoded(stamp, None)
