"""Several machines: each process takes its share of the work, on its own devices.

Processes rendezvous once through ``jax.distributed``, exchange a few integers, and then run
independently, so losing one does not stop the others: while processes are connected, JAX ends all
of them when one is lost. Each process joins in a child process, since JAX also ends a process that
does not find its coordinator; the parent then reports why in one line.

This is the one file that uses something private of JAX: its store of keys and values has no public
name.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from jaxdream.errors import JaxdreamError

Item = TypeVar("Item")

_HEARTBEAT = 30  # seconds without an answer after which a process counts as lost
_SHUTDOWN = 10  # seconds that the processes wait for each other at the end


@dataclass(frozen=True)
class Process:
    """Which this is of several processes that do the same work together."""

    index: int = 0
    count: int = 1
    # Gives every process the numbers that process 0 calls it with; all call it, once.
    broadcast: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda numbers: numbers


def shard(items: Sequence[Item], index: int, count: int) -> list[Item]:
    """The items that process ``index`` of ``count`` takes from a list that all of them have.

    It is every ``count``-th item, so that large and small ones are spread evenly in any order.

    Raises:
        JaxdreamError: there is no such process.
    """
    if not 0 <= index < count:
        raise JaxdreamError(f"the index of a process is from 0 to {count - 1}, not {index}")
    return list(items[index::count])


@contextmanager
def rendezvous(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: int = 300,
) -> Iterator[Process]:
    """Waits until all processes have joined, and gives this one's index.

    Enter it before JAX computes anything, since it also chooses which of the machine's GPUs this
    process uses. Inside, after a broadcast, or without one, losing a process does not stop the
    others.

    Args:
        coordinator: ``"HOST:PORT"`` at which process 0 can be reached; the port must be free there.
            Without any of the three, they are found on a TPU pod, and under Slurm and Open MPI.
        processes: how many there are.
        process_id: which of them this is, from 0.
        timeout: seconds to wait for the others.

    Raises:
        JaxdreamError: only some of the three are given, or they are out of range, or the others
            were not there in time.
    """
    check(coordinator, processes, process_id, timeout)
    # The child has to find modules where this process does.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    order = json.dumps([coordinator, processes, process_id, timeout])
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "jaxdream.execution.distributed", order],
            env=os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

        def answer(**context) -> list[int]:
            """What the child says next."""
            assert child.stdout is not None
            line = child.stdout.readline()
            if line:
                return json.loads(line)
            child.wait()
            errors.seek(0)
            raise JaxdreamError(_why(errors.read(), timeout=timeout, **context))

        def broadcast(numbers: tuple[int, ...]) -> tuple[int, ...]:
            assert child.stdin is not None
            with suppress(BrokenPipeError):  # where the child has ended, its answer says so
                print(json.dumps(numbers), file=child.stdin, flush=True)
            return tuple(answer(lost=True))

        ended = False
        try:
            index, count, *devices = answer(
                coordinator=coordinator, processes=processes, process_id=process_id
            )
            _see_only(devices)
            yield Process(index, count, broadcast)
            ended = True
        finally:
            if not ended:
                child.kill()
            # Without a broadcast this ends the rendezvous; after one it ends with the slowest.
            child.communicate()


def check(
    coordinator: str | None, processes: int | None, process_id: int | None, timeout: int = 300
) -> None:
    """Make sure that the arguments of ``rendezvous`` go together.

    Raises:
        JaxdreamError: they do not.
    """
    given = {"coordinator": coordinator, "processes": processes, "process_id": process_id}
    missing = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise JaxdreamError(
            "--coordinator HOST:PORT, --processes N and --process-id I go together: "
            f"{' and '.join(missing)} missing"
        )
    if timeout < 1:
        raise JaxdreamError(f"--wait is at least 1 second, not {timeout}")
    if coordinator is None or processes is None or process_id is None:
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise JaxdreamError(
            f"--coordinator is an address and a port, such as 10.0.0.1:1234, not {coordinator}"
        )
    if processes < 1:
        raise JaxdreamError(f"--processes is at least 1, not {processes}")
    if not 0 <= process_id < processes:
        raise JaxdreamError(f"--process-id is from 0 to {processes - 1}, not {process_id}")


def _why(
    errors: str,
    *,
    timeout: int,
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    lost: bool = False,
) -> str:
    """Why the processes did not join, from JAX's error text."""
    if lost:
        return "another process was lost before the work began: start all processes again"
    if "should be defined" in errors or "must be defined" in errors:
        return (
            "the other processes cannot be found, since this is no TPU pod and no step of Slurm or "
            "Open MPI: give --coordinator HOST:PORT, --processes N and --process-id I"
        )
    if "Failed to add port" in errors:
        return f"the port of {coordinator or 'the coordinator'} is in use: choose another one"
    if "DEADLINE_EXCEEDED" in errors or "UNAVAILABLE" in errors:
        if process_id == 0:
            return f"not all {processes} processes joined {coordinator} within {timeout} seconds"
        where = f" at {coordinator}" if coordinator else ""
        return (
            f"no coordinator{where} within {timeout} seconds, or other processes are missing: "
            "start process 0 there, and as many as --processes says"
        )
    wrong = [line for line in errors.splitlines() if "absl::Status:" in line] or errors.splitlines()
    return (
        f"the processes could not join: {wrong[-1].split('absl::Status: ')[-1] if wrong else '?'}"
    )


def _see_only(devices: Sequence[int]) -> None:
    """Use only these of the machine's GPUs; all if none are named."""
    import jax

    if devices:
        for platform in ("cuda", "rocm"):
            jax.config.update(f"jax_{platform}_visible_devices", ",".join(map(str, devices)))


def _join(
    coordinator: str | None, processes: int | None, process_id: int | None, timeout: int
) -> None:
    """In the child: join the others; exchange numbers, when the parent has some; leave."""
    import jax
    from jax._src.distributed import global_state  # the store of keys has no public name

    # The parent uses the accelerators.
    jax.config.update("jax_platforms", "cpu")
    jax.distributed.initialize(
        coordinator,
        processes,
        process_id,
        initialization_timeout=timeout,
        heartbeat_timeout_seconds=_HEARTBEAT,
        shutdown_timeout_seconds=_SHUTDOWN,
    )
    visible = jax.config.read("jax_cuda_visible_devices")
    devices = [] if visible == "all" else [int(device) for device in visible.split(",")]
    found = [jax.process_index(), jax.process_count(), *devices]
    store = global_state.client
    assert store is not None
    # Process 0 holds the store, and must not leave while the others need it.
    store.wait_at_barrier("joined", 1000 * timeout)
    print(json.dumps(found), flush=True)
    if not (numbers := sys.stdin.readline()):
        # The parent is done, or has ended; the others need nothing of it.
        os._exit(0)
    if jax.process_index() == 0:
        store.key_value_set("numbers", numbers)
    print(store.blocking_key_value_get("numbers", 1000 * timeout).strip(), flush=True)
    store.wait_at_barrier("exchanged", 1000 * timeout)
    jax.distributed.shutdown()


if __name__ == "__main__":
    _join(*json.loads(sys.argv[1]))
