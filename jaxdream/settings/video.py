"""Which frames of a video are dreamed, and how each follows the one before."""

import re
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.settings.base import Settings, setting
from jaxdream.settings.dreaming import DreamSettings

AUTO, NONE = "auto", "none"
VIDEO_LONGEST = 640  # pixels of a video's longer side at most, where no size is given
_LONGEST = 10_000  # characters of a list of cuts


class ClipSettings(Settings):
    """Which frames of a video are dreamed."""

    title = "which frames"

    start: float = setting(
        default=0.0,
        help="begin at this second of the video",
        unit="seconds",
        metavar="SECONDS",
        minimum=0,
        maximum=1e6,
    )
    end: float | None = setting(
        default=None,
        help="end at this second of the video",
        kind=float,
        unit="seconds",
        metavar="SECONDS",
        minimum=0,
        maximum=1e6,
        default_text="its end",
    )
    every: int = setting(
        default=1,
        help="take every Nth frame only; each keeps its time, so that sound stays in step",
        minimum=1,
        maximum=10**6,
        also=("extract_nth_frame", "frame_step"),
    )
    max_frames: int | None = setting(
        default=None,
        help="make at most this many frames",
        kind=int,
        minimum=1,
        maximum=10**7,
        default_text="all",
    )

    def check(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise JaxdreamError(f"end is after start, which is {self.start:g}, not {self.end:g}")


class VideoSettings(Settings):
    """How each frame of a video follows the one before."""

    title = "how frames follow each other"

    frame_steps: int = setting(
        default=2,
        help="steps in each octave of a frame whose dream goes on from that of the frame before; "
        "the steps of a still are given where there is nothing to go on from",
        minimum=1,
        maximum=10**6,
    )
    boil: bool = setting(
        default=False,
        help="draw another jitter for every frame, so that the dream is restless",
        also=("vary_seed",),
    )
    cuts: str = setting(
        default=AUTO,
        help="frames that begin a scene, which takes nothing from the dream before: auto finds "
        "them, none for no cuts, or their numbers from 0 among those that are made, such as "
        "120,355",
        metavar="auto|none|N,N",
    )

    def check(self) -> None:
        self.cut_frames()

    def cut_frames(self) -> frozenset[int]:
        """The frames that are named as cuts.

        Raises:
            JaxdreamError: the text is neither a list of numbers nor one of the two words.
        """
        if self.cuts in (AUTO, NONE):
            return frozenset()
        pattern = r"\s*[0-9]{1,9}\s*(,\s*[0-9]{1,9}\s*)*"
        if len(self.cuts) > _LONGEST or re.fullmatch(pattern, self.cuts, re.ASCII) is None:
            raise JaxdreamError(
                f"cuts are auto, none or numbers of frames such as 120,355, not {self.cuts[:80]!r}"
            )
        return frozenset(map(int, self.cuts.split(",")))

    def recorded_with(self, clip: ClipSettings) -> dict[str, Any]:
        """What is recorded with the frames of a clip.

        How many there are is left out, so that a longer film goes on from a shorter one.
        """
        recorded = {**clip.recorded(), **self.recorded()}
        del recorded["end"], recorded["max_frames"]
        if cuts := self.cut_frames():
            recorded["cuts"] = sorted(cuts)
        return recorded

    def check_with(self, dream: DreamSettings) -> None:
        """Make sure that they go together with how to dream.

        Raises:
            JaxdreamError: they do not.
        """
        if dream.seamless is not None:
            raise JaxdreamError("the frames of a video cannot be tiles: leave out --tile")

    def steps_of(self, dream: DreamSettings) -> int:
        """The steps of a frame that goes on from the one before: no more than those of a still."""
        return min(self.frame_steps, dream.steps)
