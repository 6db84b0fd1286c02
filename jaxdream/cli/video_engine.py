"""What dreams the missing frames of a video: this machine, or by the same calls a cluster."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jaxdream.cli import session
from jaxdream.cli.video_frames import VideoFolder
from jaxdream.execution.tiles import round_up
from jaxdream.recipe import Provenance, provenance
from jaxdream.video.clips import split_scenes
from jaxdream.video.cuts import CutFinder
from jaxdream.video.source import ClipSource, Scanned

if TYPE_CHECKING:
    from jaxdream.video.dreamer import Dreamer, VideoState

Show = Callable[[str, float], None]  # how far it is: in words, and as a share, 0..1


@runtime_checkable
class VideoEngine(Protocol):
    """Dreams the frames of a video into a folder."""

    @property
    def made_with(self) -> Provenance:
        """What the frames are made with."""
        ...

    def make(self, frames: VideoFolder, source: ClipSource, begin: Fraction, show: Show) -> None:
        """Make the frames that are damaged or missing.

        Args:
            begin: the second of the video of the clip's first frame.

        Raises:
            JaxdreamError: one cannot be read, dreamed or written.
        """
        ...


class ThisMachine:
    """Dreams frames with the devices of this machine."""

    def __init__(self, dreamer: "Dreamer") -> None:
        self._dreamer = dreamer

    @property
    def made_with(self) -> Provenance:
        return provenance(self._dreamer.model)

    def make(self, frames: VideoFolder, source: ClipSource, begin: Fraction, show: Show) -> None:
        if frames.damaged:
            scanned = source.scan(CutFinder(self._dreamer.video_settings))
            parts = scanned.damaged(number - 1 for number in frames.damaged)
            for state in self._dreamer.dream(source.scene(begin, part) for part in parts):
                show(f"frame {state.number + 1} again", 0.0)
                if state.number + 1 in frames.damaged:
                    frames.restore(state.number + 1, state.image)
        for states in self._missing(frames, source, begin):
            frames.add(states, begin)
            show(*how_far(frames.done, source.expected))

    def _missing(
        self, frames: VideoFolder, source: ClipSource, begin: Fraction
    ) -> "Iterator[list[VideoState]]":
        """The frames that are missing, dreamed: one scene after the other, or several at once."""
        dreamer = self._dreamer
        lanes = dreamer.useful_lanes(source.size)
        if lanes == 1 and frames.in_order:
            if not frames.done:
                finder = CutFinder(dreamer.video_settings)
                return dreamer.turns(split_scenes(source.frames(begin), finder))
            last = frames.finished[-1]
            carried = frames.carried[last.number]
            finder = CutFinder(dreamer.video_settings, carried.frame, carried.frames)
            return dreamer.turns(split_scenes(source.frames(begin, after=last), finder, carried))
        scanned = found_scenes(source, dreamer)
        finished = [place.number for place in frames.finished]
        parts = scanned.missing(finished, frames.carried)
        scenes = [source.scene(begin, part) for part in parts]
        # A multiple of the devices, which share them evenly; what is idle costs nothing.
        lanes = round_up(min(lanes, max(len(scenes), 1)), dreamer.devices)
        return dreamer.turns(scenes, lanes=lanes)


def found_scenes(source: ClipSource, dreamer: "Dreamer") -> Scanned:
    """The scenes of a clip, for which it is read once."""
    session.say("reading the video once, to find its scenes")
    return source.scan(CutFinder(dreamer.video_settings))


def how_far(done: int, expected: int | None) -> tuple[str, float]:
    """How many frames are done, in words, and which share of all that is."""
    if expected is None:
        return f"frame {done}", 0.0
    return f"frame {done}/{expected}", min(done / expected, 1.0)
