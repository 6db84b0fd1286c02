"""Runs command lines in forks of this process, which has imported jaxdream and its libraries once.

Run by the interpreter whose jaxdream is attacked. Reads orders as lines of JSON, and answers so.
"""

import contextlib
import importlib.metadata
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import flax  # noqa: F401 (imported for the forks)
import huggingface_hub  # noqa: F401
import jax  # noqa: F401
import optax  # noqa: F401

_MOST_MEMORY = 16 << 30  # bytes of addresses: the machine must not fall with the case


def main() -> None:
    """Run orders until there are no more."""
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="jaxdream")
    command = entry.load()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(command, json.loads(line))), flush=True)


def run(command: Callable[[], None], order: dict[str, Any]) -> dict[str, Any]:
    """Run a command line; its exit code (None if it had to be killed), seconds and bytes."""
    begun = time.monotonic()
    process = os.fork()
    if not process:
        _run_in_fork(command, order)
    ended, status, usage = 0, 0, None
    while not ended and time.monotonic() - begun < order["seconds"]:
        time.sleep(0.005)
        ended, status, usage = os.wait4(process, os.WNOHANG)
    if not ended:
        os.kill(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
    assert usage is not None
    return {
        "code": os.waitstatus_to_exitcode(status) if ended else None,
        "seconds": time.monotonic() - begun,
        "memory": 1024 * usage.ru_maxrss,
    }


def _run_in_fork(command: Callable[[], None], order: dict[str, Any]) -> NoReturn:
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    for number, name in enumerate((os.devnull, order["stdout"], order["stderr"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
    sys.stdin = open(0)  # noqa: SIM115 (open until the end)
    sys.stdout = open(1, "w", encoding="utf-8", errors="strict")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    sys.argv = ["jaxdream", *order["arguments"]]
    code = 0
    try:
        command()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
