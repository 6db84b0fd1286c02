"""Several machines: each process takes its share of the work, on its own devices.

The processes meet by JAX's distributed runtime, to learn who they are and that all are there, may
agree on a few numbers, and then compute apart, without a word between them. So what happens to one,
the coordinator included, does not touch the others: as long as processes are connected, JAX ends
all of them when one is lost. Each sends a child to the meeting, since JAX also ends a process that
does not find its coordinator; so it is the child that ends, and the parent can tell why in a line.
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

_HEARTBEAT = 30  # seconds without a sign of life after which a process is taken for lost
_PARTING = 10  # seconds that the processes wait for each other at the end of a meeting


@dataclass(frozen=True)
class Process:
    """Which of several processes this is, that do the same work together."""

    index: int = 0
    count: int = 1
    # Gives every process the numbers that process 0 calls it with; for all to call, once.
    agree: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda numbers: numbers


def share(items: Sequence[Item], index: int, count: int) -> list[Item]:
    """What process ``index`` of ``count`` does of a list that is the same for all of them.

    Every ``count``-th item, so that large and small ones are spread evenly however they are sorted.

    Raises:
        JaxdreamError: there is no such process.
    """
    if not 0 <= index < count:
        raise JaxdreamError(f"of {count} processes one has a number from 0 to {count - 1}")
    return list(items[index::count])


@contextmanager
def meeting(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: int = 300,
) -> Iterator[Process]:
    """Waits until all processes are there, and tells which one this is.

    To be entered before JAX computes anything, since it also settles which of the machine's GPUs
    are this process's. Inside, once all have agreed, or if none is to agree on anything, a process
    that is lost is no matter to the others.

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
    # As this process finds its modules, so must the child.
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

        def agree(numbers: tuple[int, ...]) -> tuple[int, ...]:
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
            yield Process(index, count, agree)
            ended = True
        finally:
            if not ended:
                child.kill()
            # If nothing was agreed on, this ends the meeting; else it ends with the slowest.
            child.communicate()


def check(
    coordinator: str | None, processes: int | None, process_id: int | None, timeout: int = 300
) -> None:
    """Make sure that the arguments of ``meeting`` go together.

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
        raise JaxdreamError(f"processes wait at least 1 second for each other, not {timeout}")
    if coordinator is None or processes is None or process_id is None:
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise JaxdreamError(
            f"a coordinator is an address and a port, such as 10.0.0.1:1234, not {coordinator}"
        )
    if processes < 1:
        raise JaxdreamError(f"there is at least 1 process, not {processes}")
    if not 0 <= process_id < processes:
        raise JaxdreamError(
            f"of {processes} processes one has a number from 0 to {processes - 1}, not {process_id}"
        )


def _why(
    said: str,
    *,
    timeout: int,
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    lost: bool = False,
) -> str:
    """Why the processes did not meet, or agree, by what JAX said."""
    if lost:
        return "another process was lost before the work began: start all of them again"
    if "should be defined" in said or "must be defined" in said:
        return (
            "this is no TPU pod, nor a step of Slurm or Open MPI, so the processes cannot be "
            "found: give --coordinator HOST:PORT, --processes N and --process-id I"
        )
    if "Failed to add port" in said:
        return f"the port of {coordinator or 'the coordinator'} is taken here: choose another one"
    if "DEADLINE_EXCEEDED" in said or "UNAVAILABLE" in said:
        if process_id == 0:
            return f"not all {processes} processes came to {coordinator} within {timeout} seconds"
        where = f" at {coordinator}" if coordinator else ""
        return (
            f"no coordinator{where} within {timeout} seconds, or other processes are missing: "
            "start process 0 there, and as many as --processes says"
        )
    wrong = [line for line in said.splitlines() if "absl::Status:" in line] or said.splitlines()
    return f"the processes did not meet: {wrong[-1].split('absl::Status: ')[-1] if wrong else '?'}"


def _see_only(devices: Sequence[int]) -> None:
    """Of the machine's GPUs, only these; all if none are named."""
    import jax

    if devices:
        for platform in ("cuda", "rocm"):
            jax.config.update(f"jax_{platform}_visible_devices", ",".join(map(str, devices)))


def _meet(
    coordinator: str | None, processes: int | None, process_id: int | None, timeout: int
) -> None:
    """In the child: meet the others; agree, when the parent has numbers; part."""
    import jax
    from jax._src.distributed import global_state  # the store of keys has no public name

    # Accelerators are the parent's.
    jax.config.update("jax_platforms", "cpu")
    jax.distributed.initialize(
        coordinator,
        processes,
        process_id,
        initialization_timeout=timeout,
        heartbeat_timeout_seconds=_HEARTBEAT,
        shutdown_timeout_seconds=_PARTING,
    )
    visible = jax.config.read("jax_cuda_visible_devices")
    devices = [] if visible == "all" else [int(device) for device in visible.split(",")]
    found = [jax.process_index(), jax.process_count(), *devices]
    store = global_state.client
    assert store is not None
    # Process 0 has the store, and may go once it is not needed any more.
    store.wait_at_barrier("met", 1000 * timeout)
    print(json.dumps(found), flush=True)
    if not (numbers := sys.stdin.readline()):
        # The parent is done, or is no more; the others need nothing of it.
        os._exit(0)
    if jax.process_index() == 0:
        store.key_value_set("numbers", numbers)
    print(store.blocking_key_value_get("numbers", 1000 * timeout).strip(), flush=True)
    store.wait_at_barrier("agreed", 1000 * timeout)
    jax.distributed.shutdown()


if __name__ == "__main__":
    _meet(*json.loads(sys.argv[1]))
