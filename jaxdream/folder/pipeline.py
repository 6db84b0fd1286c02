"""Batches of picture files: decoded ahead of the device, dreamed, and encoded behind it."""

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdream.batches import Batch, dream_together, plan_batches
from jaxdream.errors import JaxdreamError
from jaxdream.execution.shapes import Canvases
from jaxdream.folder.worker import FileResult, FileWork, Loaded, PictureFile
from jaxdream.models.network import Network

_THREADS = min(8, os.cpu_count() or 1)  # of each kind
_AHEAD = 1 << 29  # bytes of decoded pictures that wait for the device, beside the next batch
_BEHIND = 1 << 29  # and of dreams that wait to be written
_MOST_AHEAD = 1000  # pictures, however small
_PLANNED = ("objective", "octave_scale", "optimizer", "memory")  # options that a plan depends on


class Job(NamedTuple):
    """A batch and the files of its pictures."""

    batch: Batch
    files: tuple[PictureFile, ...]
    sizes: tuple[tuple[int, int], ...]  # height and width that each is dreamed at

    @property
    def bytes(self) -> int:
        """Of its pictures, decoded."""
        return sum(12 * height * width for height, width in self.sizes)


class _Dreamed(NamedTuple):
    loaded: Loaded
    dream: np.ndarray | JaxdreamError
    canvases: str
    seconds: float


@dataclass
class Pipeline:
    """Runs jobs one after the other on the device, with threads on both sides."""

    work: FileWork
    model: Network
    options: Mapping[str, Any]  # of ``dream_together``
    _loaders: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, "jaxdream-load")
    )
    _savers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, "jaxdream-save")
    )

    def results(self, jobs: Sequence[Job]) -> Iterator[FileResult]:
        """The results of all pictures, as they are written."""
        behind: deque[tuple[int, Future[FileResult]]] = deque()
        try:
            for job, loading in self._loaded_ahead(jobs):
                wanted: dict[int, Loaded] = {}
                for slot, future in enumerate(loading):
                    loaded = future.result()
                    if isinstance(loaded, Loaded):
                        wanted[slot] = loaded
                    else:
                        yield loaded
                for loaded, dream, canvases, seconds in self._dream(job, wanted):
                    if isinstance(dream, JaxdreamError):
                        yield self.work.failed(loaded.file, dream, loaded.picture.sha256)
                        continue
                    save = self._savers.submit(self.work.save, loaded, dream, canvases, seconds)
                    behind.append((2 * dream.nbytes, save))
                while behind and (behind[0][1].done() or sum(n for n, _ in behind) > _BEHIND):
                    yield behind.popleft()[1].result()
            while behind:
                yield behind.popleft()[1].result()
        finally:
            self._loaders.shutdown(wait=False, cancel_futures=True)
            self._savers.shutdown()  # what has been computed is kept
            self._loaders.shutdown()

    def _loaded_ahead(
        self, jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, list[Future[Loaded | FileResult]]]]:
        """Every job with its pictures on their way, and those of later jobs begun."""
        ahead: deque[tuple[Job, list[Future[Loaded | FileResult]]]] = deque()
        remaining = deque(jobs)
        while remaining or ahead:
            while remaining and (
                len(ahead) < 2
                or (
                    sum(job.bytes for job, _ in ahead) + remaining[0].bytes <= _AHEAD
                    and sum(len(job.files) for job, _ in ahead) < _MOST_AHEAD
                )
            ):
                job = remaining.popleft()
                ahead.append((job, [self._loaders.submit(self.work.load, f) for f in job.files]))
            yield ahead.popleft()

    def _dream(self, job: Job, wanted: dict[int, Loaded]) -> Iterator[_Dreamed]:
        """The dreams of a job's pictures that are wanted, by their slots in the batch."""
        as_planned = {
            slot: loaded
            for slot, loaded in wanted.items()
            if loaded.picture.pixels.shape[:2] == job.sizes[slot]
        }
        if as_planned:
            yield from self._compute(job.batch, as_planned)
        for slot in sorted(wanted.keys() - as_planned.keys()):
            # Its header told another size, or it was changed just now: it is a batch of its own.
            loaded = wanted[slot]
            try:
                (alone,) = self._plan_alone(loaded)
            except JaxdreamError as error:
                yield _Dreamed(loaded, error, "", 0.0)
            else:
                yield from self._compute(alone, {0: loaded})

    def _plan_alone(self, loaded: Loaded) -> list[Batch]:
        return plan_batches(
            [loaded.picture.pixels.shape[:2]],
            model=self.model,
            octaves=self.work.recipe.octaves,
            most=1,
            **{name: self.options[name] for name in _PLANNED},
        )

    def _compute(self, batch: Batch, wanted: dict[int, Loaded]) -> list[_Dreamed]:
        begun = time.perf_counter()
        dreams = self._dreams(batch, wanted)
        seconds = time.perf_counter() - begun
        self.work.report.busy += seconds
        return [
            _Dreamed(loaded, dream, _canvases(batch), seconds / len(wanted))
            for loaded, dream in zip(wanted.values(), dreams, strict=True)
        ]

    def _dreams(
        self, batch: Batch, wanted: dict[int, Loaded]
    ) -> Sequence[np.ndarray | JaxdreamError]:
        """For each picture its dream, or why there is none."""
        try:
            return dream_together(
                [jax.random.key(loaded.file.seed) for loaded in wanted.values()],
                self.model,
                [loaded.picture.pixels for loaded in wanted.values()],
                batch,
                slots=list(wanted),
                **self.options,
            )
        except JaxdreamError as error:  # of the batch, such as too little memory
            return [error] * len(wanted)


def _canvases(batch: Batch) -> str:
    """A batch's canvases, as the recipes of its pictures have them."""
    return "" if batch.exact else Canvases(tuple(sorted(set(batch.canvases)))).text()
