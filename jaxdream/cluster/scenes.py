"""What Ray's workers do for ``dream_scenes``: each opens the clip, and dreams one scene at a time.

It needs no Ray itself.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from jaxdream.cluster.engine import worker_name
from jaxdream.cluster.stages import start_worker
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.files.reading import printable, reason
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.settings import ClipSettings, Compute, DreamSettings, SourceSettings, VideoSettings
from jaxdream.types import Size
from jaxdream.video.coherence import Carried
from jaxdream.video.dreamer import Dreamer, VideoState
from jaxdream.video.masks import VideoMasks
from jaxdream.video.reading import open_video
from jaxdream.video.source import ClipSource, Part, Place

# Writes a dreamed frame: its number from 0, and RGB, 0..255, not rounded, (h, w, 3).
WriteFrame = Callable[[int, np.ndarray], None]
# The network, the objective where it has no curve, and what reads the files of its curve.
Maximised = tuple[Network, Objective | None, ObjectiveFiles | None]

_EVERY = 1.0  # seconds between two reports: each has what the next frame depends on, some megabytes


class SceneFrames(NamedTuple):
    """Frames that a worker has dreamed and written, one after the other."""

    places: tuple[Place, ...]
    carried: Carried  # of the last of them
    warnings: tuple[str, ...]
    worker: str


@dataclass(frozen=True)
class ClipWork:
    """A clip and how it is dreamed, for other processes."""

    path: str  # absolute
    size_bytes: int  # of the file
    begin: Fraction  # seconds of the video: its first frame that is dreamed
    clip: ClipSettings
    size: Size  # height and width to dream at
    source: SourceSettings
    video_settings: VideoSettings
    settings: DreamSettings
    compute: Compute
    timeline: Timeline
    curves: tuple[str, ...]
    first_image: np.ndarray
    write: WriteFrame

    def opened(self) -> ClipSource:
        """The clip, as this machine sees it.

        Raises:
            JaxdreamError: it does not see it, or sees another file.
        """
        name = printable(self.path)
        try:
            there = os.stat(self.path).st_size
        except OSError as error:
            raise JaxdreamError(
                f"{worker_name()} cannot read {name}: {reason(error)}: name a place that all "
                "machines see"
            ) from None
        if there != self.size_bytes:
            raise JaxdreamError(
                f"{worker_name()} sees another file as {name}: name a place that all machines see"
            )
        masks = VideoMasks.asked(self.source, self.size, _unheard)
        # What is damaged has been said by the process that found the scenes.
        with open_video(self.path) as reader:
            return ClipSource(reader, self.clip, self.size, masks)


class SceneWorker:
    """Dreams scenes of a clip, one after the other; an actor of Ray on its accelerator."""

    def __init__(self, work: ClipWork, maximised: Callable[[], Maximised], platform: str) -> None:
        self._work, self._maximised, self._platform = work, maximised, platform

    def ready(self) -> str:
        """Open the clip and take the network; the name of this worker.

        Apart from the constructor, so that what goes wrong is an error of its own.

        Raises:
            JaxdreamError: the clip is not there, or a package is missing.
        """
        from jaxdream.video.dreaming import plan_video

        start_worker(self._platform)
        work = self._work
        self._source = work.opened()
        model, objective, files = self._maximised()
        self._dreamer: Dreamer = plan_video(
            work.source.seed, model, objective, video_settings=work.video_settings,
            settings=work.settings, compute=work.compute, timeline=work.timeline,
            curves=work.curves, first_image=work.first_image, files=files,
        )  # fmt: skip
        return worker_name()

    def here(self) -> str:
        """The name of this worker, which says that it has not ended."""
        return worker_name()

    def dream(self, part: Part) -> Iterator[SceneFrames]:
        """Dream and write the frames of a part; tells of them about once a second.

        Raises:
            JaxdreamError: a frame cannot be read, dreamed or written.
        """
        from jaxdream.execution import compile_cache

        told, state, places = time.monotonic(), None, []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for state in self._dreamer.dream([self._source.scene(self._work.begin, part)]):
                if part.kept is None or state.number in part.kept:
                    self._work.write(state.number, state.image)
                places.append(Place(state.number, self._work.begin + (state.seconds or 0)))
                if state.number + 1 == part.end or time.monotonic() - told > _EVERY:
                    compile_cache.record()
                    yield _told(places, state, caught)
                    told, places = time.monotonic(), []
            if places and state is not None:  # the file has ended early
                yield _told(places, state, caught)


def _told(
    places: list[Place], state: VideoState, caught: list[warnings.WarningMessage]
) -> SceneFrames:
    lines = [str(each.message) for each in caught if issubclass(each.category, JaxdreamWarning)]
    caught.clear()
    return SceneFrames(tuple(places), state.carried, tuple(dict.fromkeys(lines)), worker_name())


def _unheard(_: str) -> None:
    return None
