"""Batches of picture files: decoded ahead of the device, dreamed, and encoded behind it."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxdream.batches import Batch, iterate_batch, plan_batches
from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import available
from jaxdream.execution.sharding import Sharding
from jaxdream.folder.decoding_memory import DecodingMemory
from jaxdream.folder.worker import FileResult, FileWork, Loaded, PictureFile
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.settings import Compute
from jaxdream.types import AnyArray, Size

_THREADS = min(8, os.cpu_count() or 1)  # of each kind
MAX_BYTES_AHEAD = 1 << 29  # of decoded pictures that wait for the device, beside the next batch
_BEHIND = 1 << 29  # and of dreams that wait to be written
_MAX_AHEAD = 1000  # pictures, however small

# Called after every state, with the pictures of the batch by their slots.
Watch = Callable[[DreamState, dict[int, Loaded]], None]


class Job(NamedTuple):
    """A batch and the files of its pictures."""

    batch: Batch
    files: tuple[PictureFile, ...]
    sizes: tuple[Size, ...]  # height and width that each is dreamed at

    @property
    def bytes(self) -> int:
        """Of its pictures, decoded."""
        return sum(12 * height * width for height, width in self.sizes)


def pictures_so_far(state: DreamState, wanted: dict[int, Loaded]) -> list[tuple[Loaded, AnyArray]]:
    """The pictures of a batch at their full sizes, as far as they have got: RGB, 0..255."""
    first = next(iter(wanted.values()))
    # An idle slot holds the first picture once more.
    images = [wanted.get(slot, first).picture.pixels for slot in range(len(state.layout.sizes))]
    pictures = state.at_full_size(images)
    return [(loaded, pictures[slot]) for slot, loaded in wanted.items()]


def _masks(pictures: Iterable[Loaded]) -> list[Float[np.ndarray, "h w"]] | None:
    """The mask of each picture; all have one, or none has."""
    masks = [loaded.mask for loaded in pictures if loaded.mask is not None]
    return masks or None


class Dreamed(NamedTuple):
    """What came of a picture on the device."""

    loaded: Loaded
    picture: AnyArray | None
    error: str | None
    seconds: float


@dataclass
class Pipeline:
    """Runs jobs one after the other on the device, with threads on both sides."""

    work: FileWork
    model: Network
    objective: Objective
    compute: Compute
    sharding: Sharding | None = None
    watch: Watch | None = None
    keep_unfinished: Callable[[DreamState, dict[int, Loaded]], None] | None = None
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
                for batch, dreamed in self.dream(job, wanted):
                    result = self._saved(batch, dreamed)
                    if isinstance(result, FileResult):
                        yield result
                    else:
                        behind.append((2 * np.asarray(dreamed.picture).nbytes, result))
                while behind and (behind[0][1].done() or sum(n for n, _ in behind) > _BEHIND):
                    yield behind.popleft()[1].result()
            while behind:
                yield behind.popleft()[1].result()
        finally:
            self._loaders.shutdown(wait=False, cancel_futures=True)
            self._savers.shutdown()  # what has been computed is kept
            self._loaders.shutdown()

    def _saved(self, batch: Batch, dreamed: Dreamed) -> FileResult | Future[FileResult]:
        loaded, picture, error, seconds = dreamed
        if error is not None or picture is None:
            error = error or "no picture was computed"
            return self.work.failed(loaded.file, JaxdreamError(error), loaded.picture.sha256)
        shapes = batch.buckets.text()
        return self._savers.submit(self.work.save, loaded, picture, shapes, seconds)

    def _loaded_ahead(
        self, jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, list[Future[Loaded | FileResult]]]]:
        """Every job with its pictures on their way, and those of later jobs begun."""
        ahead: deque[tuple[Job, list[Future[Loaded | FileResult]]]] = deque()
        remaining = deque(jobs)
        memory = DecodingMemory(available(self.compute.memory))
        while remaining or ahead:
            while remaining and (
                len(ahead) < 2
                or (
                    sum(job.bytes for job, _ in ahead) + remaining[0].bytes <= MAX_BYTES_AHEAD
                    and sum(len(job.files) for job, _ in ahead) < _MAX_AHEAD
                )
            ):
                job = remaining.popleft()
                loading = [self._loaders.submit(self.work.load, f, memory) for f in job.files]
                ahead.append((job, loading))
            yield ahead.popleft()

    def dream(self, job: Job, wanted: dict[int, Loaded]) -> Iterator[tuple[Batch, Dreamed]]:
        """The dreams of a job's pictures that are wanted, by their slots in the batch."""
        as_planned = {
            slot: loaded
            for slot, loaded in wanted.items()
            if loaded.picture.pixels.shape[:2] == job.sizes[slot]
        }
        if as_planned:
            yield from self._compute(job.batch, as_planned)
        for slot in sorted(wanted.keys() - as_planned.keys()):
            # The header gave another size, or the file has just changed: it is its own batch.
            loaded = wanted[slot]
            try:
                (alone,) = self._plan_alone(loaded)
            except JaxdreamError as error:
                yield job.batch, Dreamed(loaded, None, str(error), 0.0)
            else:
                yield from self._compute(alone, {0: loaded})

    def _plan_alone(self, loaded: Loaded) -> list[Batch]:
        height, width, _ = loaded.picture.pixels.shape
        return plan_batches(
            [(height, width)],
            model=self.model,
            objective=self.objective,
            settings=self.work.settings,
            compute=self.compute,
            max_batch=1,
        )

    def _compute(self, batch: Batch, wanted: dict[int, Loaded]) -> Iterator[tuple[Batch, Dreamed]]:
        """For each picture of a batch its dream, or why there is none."""
        progress = self.work.progress
        progress.batch_pictures = len(wanted)
        begun = time.perf_counter()
        try:
            pictures, errors = self._iterate(batch, wanted)
        except JaxdreamError as error:  # of the batch, such as too little memory
            pictures, errors = [None] * batch.slots, [str(error)] * batch.slots
        finally:
            progress.batch_pictures, progress.batch_done = 0, 0.0
        seconds = time.perf_counter() - begun
        progress.busy += seconds
        for slot, loaded in wanted.items():
            yield batch, Dreamed(loaded, pictures[slot], errors[slot], seconds / len(wanted))

    def _iterate(
        self, batch: Batch, wanted: dict[int, Loaded]
    ) -> tuple[Sequence[AnyArray], list[str | None]]:
        """Run a batch to its end; its pictures and errors by slot."""
        state, errors = None, []
        try:
            for state, errors in iterate_batch(  # noqa: B007 (read after the loop)
                [jax.random.key(loaded.file.seed) for loaded in wanted.values()],
                self.model,
                [loaded.picture.pixels for loaded in wanted.values()],
                batch,
                self.objective,
                settings=self.work.settings,
                compute=self.compute,
                slots=list(wanted),
                sharding=self.sharding,
                masks=_masks(wanted.values()),
            ):
                self.work.progress.batch_done = state.done
                if self.watch is not None:
                    self.watch(state, wanted)
        except KeyboardInterrupt:
            if state is not None and self.keep_unfinished is not None:
                self.keep_unfinished(state, wanted)
            raise
        assert state is not None
        return state.layout.take(state.array), errors
