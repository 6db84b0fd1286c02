"""Parts of a run, handed out one by one to workers that each keep the network.

Ray Data, which ``run`` uses, streams many pictures from one kind of task to the next. Here a part
takes a while, and one worker does all of it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from jaxdream.cluster.engine import find_workers, worker_name
from jaxdream.cluster.machines import FromStore, ask_machine, network_for
from jaxdream.cluster.optional import imported
from jaxdream.cluster.stages import start_worker
from jaxdream.cluster.tries import MOST_TRIES
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable, reason
from jaxdream.models.network import Network
from jaxdream.settings import Compute

Part = TypeVar("Part")
Result = TypeVar("Result")

_LOOK_EVERY = 2.0  # seconds: how often it is asked whether machines have joined
_AHEAD = 2  # parts for each worker that are begun while the first of them is not done


class PartWorker:
    """What computes parts: an actor of Ray on its accelerator."""

    def __init__(self, network: FromStore[Network], platform: str) -> None:
        start_worker(platform)
        self._model = network()

    def ready(self) -> str:
        """Its name, as soon as it has the network."""
        return worker_name()

    def do(self, function: Callable[[Network, Part], Result], part: Part) -> tuple[str, Result]:
        """Its name, and what comes of a part."""
        from jaxdream.execution import compile_cache

        result = function(self._model, part)
        compile_cache.record()
        return worker_name(), result


class Pool:
    """The workers of a cluster: one for each accelerator, or for each machine without one.

    A worker that ends is replaced, and machines that join have workers as well.
    """

    def __init__(self, model: Network, compute: Compute, device: str | None) -> None:
        """
        Args:
            model: as it is loaded here; ``self.model`` is what the workers compute.
            device: "cpu", "gpu" or "tpu", where only that is wanted.

        Raises:
            JaxdreamError: no machine has the device, or JAX does not compute on it.
        """
        ray = imported("ray")

        workers = find_workers(compute, device)
        machine = ask_machine(workers, compute)
        self.platform = machine.platform  # as JAX names it
        self.model = network_for(machine, model, compute)
        self._compute, self._device = compute, workers.platform
        self._network = FromStore[Network](ray.put(self.model))
        # Without SPREAD two workers may be on one machine, and none on another.
        options = {"max_restarts": 0, "scheduling_strategy": "SPREAD", **workers.options}
        self._actor = ray.remote(PartWorker).options(**options)
        self._ended = 0  # workers that were never ready, since one was
        # Workers that have not answered yet, by the reference of their answer, each with whether it
        # was ready before.
        self.starting: dict[Any, tuple[Any, bool]] = {}
        self.idle: list[Any] = []
        self.busy: dict[Any, _Given] = {}  # by the reference that says that it is done

    def close(self) -> None:
        """End the workers, also those that are at work."""
        starting = [worker for worker, _ in self.starting.values()]
        given = [one.worker for one in self.busy.values()]
        for worker in (*starting, *self.idle, *given):
            imported("ray").kill(worker)

    def each(
        self,
        function: Callable[[Network, Part], Result],
        parts: Iterable[Part],
        *,
        label: Callable[[Part], str],
        in_order: bool = False,
    ) -> Generator[tuple[Part, Result], None, None]:
        """What comes of each part; a part whose worker ends is done again.

        Args:
            function: of the network and a part; both it and the parts can go to other processes.
            parts: are taken from this as there are workers for them.
            label: names a part, for errors.
            in_order: give results in the order of the parts, and not as they are done. Some that
                are done then wait in Ray's object store, but not more than workers have at hand.

        Raises:
            JaxdreamError: one of a part, or a part has ended its worker several times.
        """
        self.look_again()
        run = _Run(self, function, iter(enumerate(parts)), label, in_order)
        while run.hand_out():
            yield from run.results()

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self.starting) + len(self.idle) + len(self.busy)

    def fill(self) -> None:
        """Start workers for what the cluster has now."""
        try:
            wanted = find_workers(self._compute, self._device).now
        except JaxdreamError:  # all such machines are gone: one may come back
            wanted = 1
        while self.size < wanted:
            worker = self._actor.remote(self._network, self._device)
            self.starting[worker.ready.remote()] = worker, False

    def look_again(self) -> None:
        """Ask idle workers whether they are still there: they may have gone with their machine.

        A part that is given to one that is not would have a try that it never had.
        """
        for worker in self.idle:
            self.starting[worker.ready.remote()] = worker, True
        self.idle = []

    def has_started(self, reference: Any) -> None:
        """Take a worker that is ready, or see why it has ended before it was.

        Raises:
            JaxdreamError: they all end.
        """
        ray = imported("ray")

        worker, was_ready = self.starting.pop(reference)
        try:
            ray.get(reference)
            self._ended = 0
            self.idle.append(worker)
        except ray.exceptions.RayError as error:
            ray.kill(worker)
            if was_ready:
                return
            self._ended += 1
            if self._ended >= MOST_TRIES * max(1, self.size):  # a machine has several
                tried = f"no worker starts, tried {self._ended} times"
                raise JaxdreamError(f"{tried}: {_why(error)}") from error


class _Given(NamedTuple):
    """A part that a worker has, or had."""

    number: int
    part: Any
    worker: Any
    result: Any  # the reference to what comes of it


@dataclass
class _Run(Generic[Part, Result]):
    """Parts on their way through the workers."""

    pool: Pool
    function: Callable[[Network, Part], Result]
    parts: Iterator[tuple[int, Part]]  # that were not taken yet
    label: Callable[[Part], str]
    in_order: bool
    taken: int = 0  # how many parts were taken
    given: int = 0  # how many results were given: in order, the number of the next one
    waiting: list[tuple[int, Part]] = field(default_factory=list)  # for a worker; a heap
    done: dict[int, _Given] = field(default_factory=dict)  # whose results were not given yet
    ended: Counter[int] = field(default_factory=Counter)  # workers, by the part that they had

    def hand_out(self) -> bool:
        """Give parts to workers that have none; whether anything is still to come."""
        self._take()
        if self.waiting:
            self.pool.fill()
        while self.waiting and self.pool.idle:
            number, part = heapq.heappop(self.waiting)
            worker = self.pool.idle.pop()
            # The first of the two is small and says that it is done. The second stays where it is
            # until its turn.
            done, result = worker.do.options(num_returns=2).remote(self.function, part)
            self.pool.busy[done] = _Given(number, part, worker, result)
            self._take()
        return bool(self.waiting or self.pool.busy or self.done)

    def _take(self) -> None:
        """Have a part wait for a worker, if there is one and it may be begun."""
        far = self.in_order and self.taken - self.given >= _AHEAD * max(1, self.pool.size)
        if not self.waiting and not far and (one := next(self.parts, None)) is not None:
            heapq.heappush(self.waiting, one)
            self.taken += 1

    def results(self) -> Generator[tuple[Part, Result], None, None]:
        """Wait until something happens, and give what can be given then."""
        ray = imported("ray")

        references = [*self.pool.starting, *self.pool.busy]
        ready, _ = ray.wait(references, num_returns=1, timeout=_LOOK_EVERY)
        for reference in ready:
            if reference in self.pool.starting:
                self.pool.has_started(reference)
                continue
            given, got = self.pool.busy.pop(reference), None
            try:
                got = self._got(given, reference)
            finally:
                if got is None:
                    ray.kill(given.worker)  # where it has not ended, but does not answer
            if got is not None:
                self.pool.idle.append(given.worker)
                self.done[given.number] = given
        for given in self._in_turn():
            if (result := self._got(given, given.result)) is not None:
                self.given += 1
                yield given.part, result[0]

    def _in_turn(self) -> Iterator[_Given]:
        """The parts that are done and whose results may be given."""
        while self.done:
            number = self.given if self.in_order else next(iter(self.done))
            if number not in self.done:
                return
            yield self.done.pop(number)

    def _got(self, given: _Given, reference: Any) -> tuple[Any] | None:
        """What a reference is to; None where it is lost, and the part is to be done again.

        Raises:
            JaxdreamError: of the part, or it is lost every time.
        """
        ray = imported("ray")

        try:
            return (ray.get(reference),)
        except ray.exceptions.RayTaskError as error:  # an error of ours, not of Ray
            raise JaxdreamError(_why(error)) from error
        except ray.exceptions.RayError as error:
            self.ended[given.number] += 1
            if (count := self.ended[given.number]) >= MOST_TRIES:
                raise JaxdreamError(
                    f"{self.label(given.part)} ended their worker {count} times: {_why(error)}"
                ) from error
            heapq.heappush(self.waiting, (given.number, given.part))
            self.pool.look_again()
            return None


def _why(error: Exception) -> str:
    """What an error of Ray's says: where it has one, the error in the worker."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, JaxdreamError):
        return str(cause)
    if cause is not None:
        return f"{type(cause).__name__}: {reason(cause)}"
    lines = str(error).strip().splitlines()
    # Of a worker that did not start, its own error is at the end of the traceback.
    return printable(lines[-1]) if "creation task" in lines[0] else reason(error)
