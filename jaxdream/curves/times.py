"""The times of a film: frames, seconds, shares of the whole."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from jaxdream.errors import JaxdreamError

Unit = Literal["", "s", "%"]


@dataclass(frozen=True)
class Time:
    """The time of a key, in the unit in which it was given."""

    amount: float
    unit: Unit = ""  # nothing: a frame's number, from 0; s: seconds; %: of the whole film

    def __str__(self) -> str:
        # Written out, since a time's text has no exponent.
        return f"{Decimal(repr(self.amount)):f}".removesuffix(".0") + self.unit


@dataclass(frozen=True)
class Timeline:
    """When the frames of a film are shown."""

    fps: float | int = 25  # frames a second
    frames: int | None = None  # of the whole film; None where that is not known

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise JaxdreamError(f"fps is a number over 0, not {self.fps}")
        if self.frames is not None and self.frames < 1:
            raise JaxdreamError(f"a film has at least 1 frame, not {self.frames}")

    def at(self, frame: int, *, seconds: float | int | None = None) -> "Moment":
        """The moment of a frame.

        Args:
            frame: its number, from 0.
            seconds: when it is shown, where the frame rate varies; by default ``frame / fps``.
        """
        return Moment(frame, float(frame / self.fps if seconds is None else seconds), self)

    def frame_of(self, time: Time) -> float:
        """The number of the frame at a time, which may lie between two.

        0% is the first frame, 100% the last.

        Raises:
            JaxdreamError: a share, and the number of frames is not known.
        """
        if time.unit == "s":
            return time.amount * self.fps
        if time.unit == "":
            return time.amount
        if self.frames is None:
            raise JaxdreamError(
                f"the number of frames is not known, so {time} has no meaning: give frames or "
                "seconds, as in 4s"
            )
        return time.amount * (self.frames - 1) / 100

    def rises(self, first: Time, second: Time) -> bool:
        """Whether the second time comes after the first.

        A share may be the same frame as another time, since in a short film it has to be.

        Raises:
            JaxdreamError: as ``frame_of``.
        """
        if first.unit == second.unit:
            return first.amount < second.amount
        start, end = self.frame_of(first), self.frame_of(second)
        return start < end or (start == end and "%" in (first.unit, second.unit))


@dataclass(frozen=True)
class Moment:
    """A frame and when it is shown."""

    frame: int  # from 0
    seconds: float
    timeline: Timeline

    def has_reached(self, time: Time) -> bool:
        """Whether the time has come.

        Raises:
            JaxdreamError: a share, and the number of frames is not known.
        """
        if time.unit == "s":
            return self.seconds >= time.amount
        return self.frame >= self.timeline.frame_of(time)

    def share(self, first: Time, second: Time) -> float:
        """The share of the way from one time to another, 0..1.

        Between two times in seconds, and only there, it is the frame's own second that counts if
        the frame rate varies.

        Raises:
            JaxdreamError: a share of the film, and the number of frames is not known.
        """
        if first.unit == second.unit == "s":
            start, end, now = first.amount, second.amount, self.seconds
        else:
            start, end, now = map(self._frame_of, (first, second, self.frame))
        return min(max((now - start) / (end - start), 0.0), 1.0) if end > start else 0.0

    def _frame_of(self, time: Time | int) -> float:
        return self.timeline.frame_of(time) if isinstance(time, Time) else float(time)
