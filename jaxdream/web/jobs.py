"""The queue of dreams: one is made at a time, the others wait, and each can be stopped at once.

A dream runs in a thread of the queue's own, and a visitor's page only watches it. So a page that
is closed, or a connection that is lost, cannot hold up the others: what nobody watches is stopped.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jaxdream.errors import JaxdreamError

_UNWATCHED = 30.0  # seconds after which a dream that nobody watches is stopped
_POLL = 0.5  # seconds after which a watcher is told again where its dream stands


@dataclass(frozen=True)
class Progress:
    """A dream as far as it has got."""

    text: str  # where it is, in words
    done: float  # share of it, 0..1
    shown: Any = None  # a picture to look at (uint8, (h, w, 3)), or several
    result: Any = None  # the last one has it: what was made


@dataclass(frozen=True)
class Waiting:
    """A dream that is not begun yet."""

    ahead: int  # dreams that are made before it
    seconds: float | None  # until it begins; None where that is not known


# What makes a dream: is given what says whether it was stopped, to be asked after every step.
Run = Callable[[Callable[[], bool]], Iterator[Progress]]


@dataclass(eq=False)
class Job:
    """A dream in the queue."""

    owner: str  # whose it is
    run: Run
    cost: float | int  # in any unit that all share: pixels times steps
    stopped: threading.Event = field(default_factory=threading.Event)
    latest: Progress | None = None
    error: Exception | None = None
    ended: bool = False
    begun: float | None = None
    watched: float = field(default_factory=time.monotonic)  # when somebody last asked

    @property
    def is_unwatched(self) -> bool:
        return time.monotonic() - self.watched > _UNWATCHED


class JobQueue:
    """Makes one dream after another, in the order in which they came."""

    def __init__(self, *, waiting: int) -> None:
        """``waiting`` dreams may wait; more are refused."""
        self._limit = waiting
        self._jobs: list[Job] = []  # the first is being made
        self._changed = threading.Condition()
        self._seconds_per_cost: float | None = None  # of the dreams so far
        self._worker: threading.Thread | None = None

    def submit(self, owner: str, run: Run, cost: float | int) -> Job:
        """Put a dream at the end of the queue. An earlier one of the same owner is stopped.

        Raises:
            JaxdreamError: too many are waiting.
        """
        job = Job(owner, run, max(cost, 1))
        self.stop(owner)
        with self._changed:
            if len(self._jobs) > self._limit:
                raise JaxdreamError(
                    f"{self._limit} dreams are waiting already: try again in a few minutes"
                )
            self._jobs.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="dreams", daemon=True)
                self._worker.start()
            self._changed.notify_all()
        return job

    def stop(self, owner: str) -> None:
        """Stop an owner's dreams: what is made keeps what there is, what waits leaves the queue."""
        with self._changed:
            for job in [job for job in self._jobs if job.owner == owner]:
                job.stopped.set()
                if job.begun is None:
                    self._jobs.remove(job)
                    job.ended = True
            self._changed.notify_all()

    def watch(self, job: Job) -> Iterator[Waiting | Progress]:
        """Where a dream stands, from now to its end; every change, and twice a second at least.

        Raises:
            Exception: what the dream ended with.
        """
        shown: Progress | None = None
        while True:
            with self._changed:
                if not job.ended and job.latest is shown:
                    self._changed.wait(_POLL)
                job.watched = time.monotonic()
                latest, ended = job.latest, job.ended
                waiting = None if job.begun is not None or ended else self._waiting(job)
            if waiting is not None:
                yield waiting
            elif latest is not None and latest is not shown:
                shown = latest
                yield latest
            elif ended or (job.stopped.is_set() and latest is None):  # it may still be compiled
                if job.error is not None:
                    raise job.error
                return
            elif latest is None:
                yield Progress("preparing", 0.0)
            else:
                yield latest  # so that who watches knows that it goes on

    def _waiting(self, job: Job) -> Waiting:
        ahead = self._jobs[: self._jobs.index(job)]
        left = [self._seconds_left(other) for other in ahead]
        known = [seconds for seconds in left if seconds is not None]
        return Waiting(len(ahead), sum(known) if len(known) == len(left) else None)

    def _seconds_left(self, job: Job) -> float | None:
        expected = None
        if self._seconds_per_cost is not None:
            expected = job.cost * self._seconds_per_cost
        if job.begun is None or job.latest is None or job.latest.done < 0.05:
            return expected
        elapsed = time.monotonic() - job.begun
        return elapsed * (1 - job.latest.done) / job.latest.done

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job = self._jobs[0]
                if job.is_unwatched:
                    job.stopped.set()
                job.begun = time.monotonic()
            if not job.stopped.is_set():
                self._make(job)
            with self._changed:
                self._jobs.remove(job)
                job.ended = True
                self._changed.notify_all()

    def _make(self, job: Job) -> None:
        def stopped() -> bool:
            return job.stopped.is_set() or job.is_unwatched

        assert job.begun is not None
        try:
            for progress in job.run(stopped):
                with self._changed:
                    job.latest = progress
                    self._changed.notify_all()
        except Exception as error:
            job.error = error
        done = 0.0 if job.latest is None else job.latest.done
        if done > 0 and job.error is None:
            self._seconds_per_cost = (time.monotonic() - job.begun) / (done * job.cost)
