"""The shards of a run over a cluster, from the driver: each part of the list that is whole."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jaxdream.cluster.manifest import Row
from jaxdream.cluster.optional import imported
from jaxdream.cluster.shards import gather
from jaxdream.cluster.work import PlaceWork
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason

_RETRIES = 10  # of a task whose machine or process was lost
_STOPPING = 30.0  # seconds that tasks have to end


class Gathering:
    """Has Ray write the shards of each part, in a task of its own, when all its rows are known."""

    def __init__(self, work: PlaceWork, cpus: float) -> None:
        """
        Args:
            work: of the run. Where it is not for shards, nothing is done.
            cpus: processors of a task.
        """
        self._work, self._cpus = work, cpus
        self._rows: dict[int, list[Row]] = {}  # of parts that are not whole
        self._tasks: list[Any] = []

    def add(self, part: int, row: Row, *, whole: bool) -> None:
        """Note the row of a picture.

        Args:
            whole: whether it is the last one of its part.

        Raises:
            JaxdreamError: the shards of another part could not be written.
        """
        if self._work.shards is None:
            return
        self._rows.setdefault(part, []).append(row)
        if whole:
            self._start(self._rows.pop(part))

    def _start(self, rows: Sequence[Row]) -> None:
        ray = imported("ray")

        ended, self._tasks = ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0)
        _check(ended)
        task = ray.remote(max_retries=_RETRIES, num_cpus=self._cpus)(gather)
        self._tasks.append(task.remote(self._work, rows))

    def finish(self) -> None:
        """Wait until all shards are written.

        Raises:
            JaxdreamError: one could not be.
        """
        while self._tasks:
            ended, self._tasks = imported("ray").wait(self._tasks)
            _check(ended)

    def stop(self) -> None:
        """Have no task write any more; the same run again does what is missing."""
        ray = imported("ray")

        for task in self._tasks:
            with suppress(ray.exceptions.RayError):
                ray.cancel(task, force=True)
        if self._tasks:
            ray.wait(self._tasks, num_returns=len(self._tasks), timeout=_STOPPING)
        self._tasks = []


def _check(tasks: Sequence[Any]) -> None:
    ray = imported("ray")

    try:
        ray.get(list(tasks))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, JaxdreamError):
            raise error.cause from None
        raise JaxdreamError(reason(error.cause)) from error
    except ray.exceptions.RayError as error:
        raise JaxdreamError(f"Ray fails: {reason(error)}") from error
