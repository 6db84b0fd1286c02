"""How often each picture was begun, so that one which ends its worker does not do so for ever."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from jaxdream.cluster.optional import imported

MOST_TRIES = 3


@runtime_checkable
class Counting(Protocol):
    """What workers see of the one ``Tries`` of a run."""

    def begun(self, names: Sequence[str]) -> list[int]:
        """How often each of these was begun since it was last finished."""
        ...

    def begin(self, names: Sequence[str]) -> None:
        """Each of these is begun."""
        ...

    def finish(self, names: Sequence[str]) -> None:
        """These did not end their worker."""
        ...


class Tries:
    """Counts what workers begin and finish; one for all of them."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begun(self, names: Sequence[str]) -> list[int]:
        return [self._begun[name] for name in names]

    def begin(self, names: Sequence[str]) -> None:
        self._begun.update(names)

    def finish(self, names: Sequence[str]) -> None:
        for name in names:
            self._begun.pop(name, None)


class RemoteTries:
    """The ``Tries`` of a run, an actor of Ray, from any worker."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begun(self, names: Sequence[str]) -> list[int]:
        return self._call("begun", names)

    def begin(self, names: Sequence[str]) -> None:
        self._call("begin", names)

    def finish(self, names: Sequence[str]) -> None:
        self._call("finish", names)

    def _call(self, method: str, names: Sequence[str]) -> Any:
        ray = imported("ray")

        # It has happened before the worker goes on, which may be its end.
        return ray.get(getattr(self._actor, method).remote(list(names)))


def gone(count: int) -> str:
    """Why a picture that was begun so often is not begun once more."""
    return f"it ended its worker {count} times, and was set aside"
