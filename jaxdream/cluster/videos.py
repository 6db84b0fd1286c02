"""The scenes of a video on many machines.

Nothing is carried from one scene to another, so each goes to the next worker that is free, and its
frames are those that one machine makes. The frames of one scene depend on one another: one worker
dreams them, one after the other.
"""

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from jaxdream.cluster.engine import (
    LOCAL,
    Workers,
    check_address,
    connected,
    find_workers,
    ray_data,
)
from jaxdream.cluster.machines import FromStore, ask_machine, check_network, network_for
from jaxdream.cluster.optional import imported
from jaxdream.cluster.scenes import ClipWork, Maximised, SceneFrames, SceneWorker, WriteFrame
from jaxdream.cluster.tries import MOST_TRIES
from jaxdream.curves.curve import OBJECTIVE, Curve
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.files.reading import PathLike, reason
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import named_files, with_files_renamed
from jaxdream.settings import (
    ClipSettings,
    Compute,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    takes_settings,
)
from jaxdream.video.coherence import Carried
from jaxdream.video.cuts import CutFinder
from jaxdream.video.dreamer import Dreamer
from jaxdream.video.dreaming import plan_video
from jaxdream.video.masks import VideoMasks
from jaxdream.video.reading import open_video
from jaxdream.video.source import ClipSource, Part, size_to_dream

_LOOK = 2.0  # seconds after which one looks again whether machines have joined


@takes_settings(
    video_settings=VideoSettings, settings=DreamSettings, source=SourceSettings,
    clip_settings=ClipSettings, compute=Compute,
)  # fmt: skip
def dream_scenes(
    model: Network,
    video: PathLike,
    write: WriteFrame,
    objective: Objective | str | None = None,
    *,
    video_settings: VideoSettings,
    settings: DreamSettings,
    source: SourceSettings,
    clip_settings: ClipSettings,
    compute: Compute,
    curves: Sequence[str] = (),
    finished: Iterable[int] = (),
    carried: Mapping[int, Carried] | None = None,
    address: str = LOCAL,
    device: str | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[SceneFrames]:
    """Dream the scenes of a video, each on the next free machine of a cluster of Ray.

    The video is read once to find its scenes. A scene goes to one worker, which opens the video
    itself and dreams frame after frame, as ``iterate_video`` does; long ones are begun first. Where
    a worker is lost, another goes on after the last frame that was told of.

    Args:
        model: from ``load_model`` or ``wrap``; every worker gets it from Ray's object store.
        video: a file that all machines see by this path, like a mask's, or one that the curve of
            the objective names.
        write: is called in the workers with the number of a frame, from 0, and its dream: RGB,
            0..255, not rounded, (h, w, 3).
        objective: as of ``iterate_video``.
        {settings}
        curves: as of ``iterate_video``.
        finished: numbers of frames that are written already.
        carried: what some of these hand to the next one (``SceneFrames.carried``), by number.
        address: as of ``dream_places``.
        device: "cpu", "gpu" or "tpu", where only that is wanted.
        notify: is called with a line about what is unusual but stops nothing.

    Yields:
        Frames of a scene that are written, and what the next one depends on. Those of different
        scenes come in no particular order.

    Raises:
        JaxdreamError: when it is called: a setting is wrong, the video cannot be read, or Ray is
            not installed. Later: there is no cluster; a machine does not see the video; a frame
            cannot be dreamed or written, or ended its worker again and again.
    """
    ray_data()
    check_address(address)
    check_network(model)
    _check_source(source, settings)
    with open_video(video, notify=notify) as reader:
        size = size_to_dream(reader.info.size, source.size)
        found = ClipSource(reader, clip_settings, size, VideoMasks.asked(source, size, notify))
    first = found.first()
    count = found.count if any("%" in text for text in curves) else None
    dreamer = plan_video(
        source.seed, model, objective, video_settings=video_settings, settings=settings,
        compute=on_workers(compute), timeline=Timeline(float(found.fps), count), curves=curves,
        first_image=first.pixels,
    )  # fmt: skip

    def told() -> Iterator[SceneFrames]:
        with connected(address):
            scanned = found.scan(CutFinder(video_settings))
            parts = list(scanned.missing(finished, carried or {}))
            workers = SceneWorkers.found(model, compute, device)
            several = workers.dream(dreamer, found, source, first.time, parts, write)
            with closing(several):
                yield from chain.from_iterable(several)

    return told()


def _check_source(source: SourceSettings, settings: DreamSettings) -> None:
    source.check_with(settings)
    if source.begin is not None:
        raise JaxdreamError(f"begin {source.begin!r} is for a picture: leave it out for a video")


def on_workers(compute: Compute) -> Compute:
    """How a worker computes: it has one accelerator, which has nothing to share pictures with."""
    return compute.replace(shard=None) if compute.shard == "pictures" else compute


class SceneWorkers(NamedTuple):
    """What a cluster has for the scenes of a video."""

    model: Network  # with the precision that its machines compute with
    platform: str  # as JAX names it
    compute: Compute
    workers: Workers

    @classmethod
    def found(cls, model: Network, compute: Compute, device: str | None = None) -> "SceneWorkers":
        """What the cluster that this process has joined has.

        Raises:
            JaxdreamError: no machine has the device, or JAX there does not compute on it.
        """
        compute = on_workers(compute)
        workers = find_workers(compute, device)
        machine = ask_machine(workers, compute)
        return cls(network_for(machine, model, compute), machine.platform, compute, workers)

    def dream(
        self,
        dreamer: Dreamer,
        clip: ClipSource,
        source: SourceSettings,
        begin: Fraction,
        parts: Sequence[Part],
        write: WriteFrame,
    ) -> Generator[list[SceneFrames], None, None]:
        """Dream parts of scenes, and give what is done, of several scenes at a time.

        Args:
            dreamer: of all settings, with another model perhaps.
            clip: whose first frame is at the second ``begin`` of the video.
            source: by which the clip was opened.
            write: as of ``dream_scenes``.

        Raises:
            JaxdreamError: as of ``dream_scenes``.
        """
        ray = imported("ray")
        try:
            imported("ray.cloudpickle").dumps(write)
        except Exception as error:  # of whatever the function holds: any type
            raise JaxdreamError(
                f"write cannot be sent to other machines: {reason(error)}"
            ) from error
        mask = source.mask if source.mask is None else os.path.abspath(source.mask)
        path = os.path.abspath(clip.reader.info.path)
        assert dreamer.first_image is not None
        work = ClipWork(
            path=path, size_bytes=os.stat(path).st_size, begin=begin, clip=clip.clip,
            size=clip.size, source=source.replace(mask=mask),
            video_settings=dreamer.video_settings, settings=dreamer.settings,
            compute=self.compute, timeline=dreamer.timeline,
            curves=tuple(str(_with_paths(curve)) for curve in dreamer.curves.values()),
            first_image=np.asarray(dreamer.first_image), write=write,
        )  # fmt: skip
        maximised = FromStore[Maximised](ray.put((self.model, dreamer.objective, dreamer.files)))
        actor = ray.remote(scheduling_strategy="SPREAD", **self.workers.options)(SceneWorker)
        make = partial(actor.remote, work, maximised, self.workers.platform)
        # The long ones first, since none can be split: so all workers end at about one time.
        scenes = sorted(parts, key=lambda part: part.begin - part.end)
        return _Run(self, make, deque(map(_Scene, scenes))).told()

    @property
    def room(self) -> int:
        """For how many workers the cluster has room now."""
        try:
            return find_workers(self.compute, self.workers.platform).now
        except JaxdreamError:  # all such machines are gone
            return 0


def _with_paths(curve: Curve) -> Curve:
    """The curve with absolute paths of files, since a worker is in another folder."""
    if curve.name != OBJECTIVE:
        return curve

    def changed(text: str) -> str:
        return with_files_renamed(text, {path: os.path.abspath(path) for path in named_files(text)})

    return curve.with_texts(changed)


@dataclass
class _Scene:
    """What is left of a scene."""

    part: Part
    tries: int = 0  # workers that were lost since a frame of it was told of


@dataclass(eq=False)
class _Worker:
    """An actor of Ray, which has a scene or none."""

    actor: Any
    waited: Any  # a reference, or what gives several; None while it has nothing to do
    is_ready: bool = False
    was_ready: bool = False  # also while it is asked whether it is still there
    scene: _Scene | None = None
    name: str = "a worker"  # its machine and process, once it is ready


@dataclass
class _Run:
    """The scenes of one run, and the workers that dream them."""

    setup: SceneWorkers
    make: Callable[[], Any]  # another actor
    waiting: deque[_Scene]
    _workers: list[_Worker] = field(default_factory=list)
    _lost: int = 0  # workers that were not ready yet, since one was
    _warned: set[str] = field(default_factory=set)

    def told(self) -> Generator[list[SceneFrames], None, None]:
        ray = imported("ray")
        try:
            while self.waiting or any(worker.scene for worker in self._workers):
                self._hand_out()
                busy = {each.waited: each for each in self._workers if each.waited is not None}
                if not busy:  # all machines are gone: others may come
                    time.sleep(_LOOK)
                    continue
                if not ray.wait(list(busy), timeout=_LOOK)[0]:
                    continue
                done, _ = ray.wait(list(busy), num_returns=len(busy), timeout=0)
                found = [self._taken(busy[each]) for each in done]
                if told := [each for each in found if each is not None]:
                    yield told
        finally:
            for worker in self._workers:
                _end(worker)

    def _hand_out(self) -> None:
        """Give a scene to each worker that is free; start workers where there is room."""
        scenes = len(self.waiting) + sum(each.scene is not None for each in self._workers)
        for _ in range(min(self.setup.room, scenes) - len(self._workers)):
            actor = self.make()
            self._workers.append(_Worker(actor, actor.ready.remote()))
        for worker in self._workers:
            # Not to one that is not ready: it may wait for a machine that never comes.
            if worker.is_ready and worker.scene is None and self.waiting:
                worker.scene = self.waiting.popleft()
                dream = worker.actor.dream.options(num_returns="streaming")
                worker.waited = dream.remote(worker.scene.part)

    def _taken(self, worker: _Worker) -> SceneFrames | None:
        """What a worker has to tell; None if that is no frame."""
        ray = imported("ray")
        try:
            if worker.scene is None:
                worker.name = ray.get(worker.waited)
                worker.is_ready, worker.was_ready, worker.waited, self._lost = True, True, None, 0
                return None
            told: SceneFrames = ray.get(next(worker.waited))
        except StopIteration:
            raise JaxdreamError(
                f"{worker.name} reads fewer frames of the video than were found in it: give all "
                "machines the same PyAV"
            ) from None
        except ray.exceptions.RayTaskError as error:  # an error of ours, not of Ray
            raise JaxdreamError(reason(getattr(error, "cause", None) or error)) from error
        except ray.exceptions.RayError as error:
            self._lose(worker, reason(error))
            return None
        for line in told.warnings:
            if line not in self._warned:
                self._warned.add(line)
                warnings.warn(line, JaxdreamWarning, stacklevel=2)
        last = told.places[-1]
        worker.scene.tries = 0
        worker.scene.part = worker.scene.part._replace(after=last, carried=told.carried)
        if last.number + 1 == worker.scene.part.end:
            worker.scene = worker.waited = None
        return told

    def _lose(self, worker: _Worker, why: str) -> None:
        """Let another worker go on where this one ended.

        Raises:
            JaxdreamError: too many have ended there.
        """
        self._workers.remove(worker)
        _end(worker)
        scene = worker.scene
        # Others may have gone with the same machine: a scene that is given to one of them would
        # have a try that it never had.
        for other in self._workers:
            if other.is_ready and other.scene is None:
                other.is_ready, other.waited = False, other.actor.here.remote()
        if scene is None:
            self._lost += not worker.was_ready
            if self._lost >= MOST_TRIES * max(self.setup.room, 1):
                raise JaxdreamError(f"the cluster's workers end as they begin: {why}")
            return
        scene.tries += 1
        if scene.tries >= MOST_TRIES:
            raise JaxdreamError(
                f"frame {scene.part.begin + 1} of the video, or one that follows, ended its worker "
                f"{scene.tries} times: {why}"
            )
        self.waiting.appendleft(scene)


def _end(worker: _Worker) -> None:
    with suppress(Exception):  # it has ended
        imported("ray").kill(worker.actor)
