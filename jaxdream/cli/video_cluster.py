"""``jaxdream video --cluster``: the scenes of a video on many machines."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from jaxdream.cli import session
from jaxdream.cli.cluster import check_cluster
from jaxdream.cli.video_engine import Show, found_scenes, how_far
from jaxdream.cli.video_frames import VideoFolder
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import remove_temporaries
from jaxdream.recipe import Provenance
from jaxdream.settings import Compute, SourceSettings
from jaxdream.video.source import ClipSource

if TYPE_CHECKING:
    from jaxdream.cluster.scenes import SceneFrames
    from jaxdream.cluster.videos import SceneWorkers
    from jaxdream.video.coherence import Carried
    from jaxdream.video.dreamer import Dreamer
    from jaxdream.video.source import Place

_SECONDS = 1.0  # at least, between two times that the folder's state is written
_SHARE = 0.2  # of the time, at most, in which it is written: it has a part for each scene


def check_options(options: argparse.Namespace) -> None:
    """Make sure that a cluster can dream what is asked for.

    Raises:
        JaxdreamError: it cannot, or as ``check_cluster``.
    """
    check_cluster(options)
    if options.plan:
        raise JaxdreamError("--plan measures this machine: leave out --cluster")
    for name in (options.input, options.output or ""):
        if "://" in name:
            raise JaxdreamError(
                f"{name} is a URL: with --cluster a video and its film have paths that all "
                "machines see"
            )


@contextmanager
def joined_cluster(
    options: argparse.Namespace, asked: SourceSettings, compute: Compute, dreamer: "Dreamer"
) -> "Iterator[VideoCluster]":
    """The cluster that the options ask for, joined for the block.

    Raises:
        JaxdreamError: there is none, or it has no such device.
    """
    from jaxdream.cluster.engine import connected
    from jaxdream.cluster.machines import check_network
    from jaxdream.cluster.videos import SceneWorkers

    check_network(dreamer.model)
    with connected(options.cluster):
        workers = SceneWorkers.found(dreamer.model, compute, options.device)
        yield VideoCluster(workers, dreamer, asked)


@dataclass
class VideoCluster:
    """Dreams frames with the machines of a cluster."""

    workers: "SceneWorkers"
    dreamer: "Dreamer"
    asked: SourceSettings

    @property
    def made_with(self) -> Provenance:
        from jaxdream.cluster.machines import made_by_workers

        return made_by_workers(self.workers.model, self.workers.platform)

    def make(self, frames: VideoFolder, source: ClipSource, begin: Fraction, show: Show) -> None:
        scanned = found_scenes(source, self.dreamer)
        finished = [place.number for place in frames.finished]
        parts = [
            *scanned.damaged(number - 1 for number in frames.damaged),
            *scanned.missing(finished, frames.carried),
        ]
        if not parts:
            return
        frames.prepare()
        told = self.workers.dream(
            self.dreamer, source, self.asked, begin, parts, frames.writer()
        )  # fmt: skip
        state = _State(frames)
        try:
            with session.closing_uninterrupted(told):
                for several in told:
                    state.add(several)
                    show(*how_far(state.done, len(scanned.times)))
        finally:
            with session.uninterrupted():
                state.keep()
        remove_temporaries(frames.paths())  # of workers that were lost


@dataclass
class _State:
    """What is done, of which the folder's state has all but the newest."""

    frames: VideoFolder
    _there: set[int] = field(default_factory=set)  # numbers of frames, from 1
    _places: "list[Place]" = field(default_factory=list)
    _carried: "dict[int, Carried]" = field(default_factory=dict)  # by the frame before; large
    _next: float = 0.0  # when the state is to be written

    def __post_init__(self) -> None:
        self._there.update(self.frames.numbers)

    @property
    def done(self) -> int:
        return len(self._there)

    def add(self, told: "list[SceneFrames]") -> None:
        for each in told:
            self._places += each.places
            self._carried.pop(each.places[0].number - 1, None)
            self._carried[each.places[-1].number] = each.carried
        written = {place.number + 1 for each in told for place in each.places}
        self._there |= written
        self.frames.damaged = [n for n in self.frames.damaged if n not in written]
        if time.monotonic() >= self._next:
            self.keep()

    def keep(self) -> None:
        """Write the state, which has what each scene's next frame depends on."""
        if not self._places:
            return
        begun = time.monotonic()
        self.frames.note(self._places, self._carried)
        self._places, self._carried = [], {}
        now = time.monotonic()
        self._next = now + max(_SECONDS, (now - begun) / _SHARE)
