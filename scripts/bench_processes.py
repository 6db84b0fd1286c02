"""Whole runs as a user has them: processes, from start to the written picture."""

import ast
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bench_graph
from bench_graph import Subject
from bench_machine import Quiet
from bench_results import FIRST, LAYOUTS, SECOND, Run

from jaxdream.models.weights.check import write_weights

TORCH_PROGRAM = Path(__file__).with_name("bench_torch.py")
_FIRST_STEP = re.compile(rb"step \d+/")


# The peak memory that the system tells of a process is at least that of the one that started it: so
# a small one starts it, and tells the start, the end, the exit status and the peak.
_LAUNCHER = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
told = (start, time.perf_counter(), os.waitstatus_to_exitcode(status), usage.ru_maxrss)
os.write(int(sys.argv[1]), repr(told).encode())
"""


def run_process(command: Sequence[str | Path], environment: Mapping[str, str]) -> Run:
    """Run a command on a terminal of its own and wait for it.

    Raises:
        RuntimeError: it failed; with what it printed.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    telling, told = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _LAUNCHER, str(told), *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        pass_fds=[told],
    )
    os.close(terminal)
    os.close(told)
    printed, shown = b"", None
    while chunk := _read(controller):
        printed += chunk
        if shown is None and _FIRST_STEP.search(printed):
            shown = time.perf_counter()
    os.close(controller)
    process.wait()
    with os.fdopen(telling, "rb") as file:
        text = file.read().decode()
    start, end, code, peak = ast.literal_eval(text) if text else (0.0, 0.0, process.returncode, 0)
    if code or not text:
        raise RuntimeError(f"{command} failed ({code}):\n{printed.decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Run(end - start, None if shown is None else shown - start, peak * unit)


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 1 << 16)
    except OSError:  # Linux's way of saying that the other end is closed
        return b""


def measure_runs(
    subject: Subject,
    photo: Path,
    *,
    rounds: int,
    threads: int,
    device: str,
    dream: Mapping[str, Any],
    quiet: Quiet,
) -> dict[str, list[Run]]:
    """Rounds of: jaxdream's first run ever, its second run, PyTorch in both layouts.

    Both read the same weights from a safetensors file and the same picture, and write a PNG.
    Every round's first run has an empty cache.
    """
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        write_weights(weights, subject.weights, model=subject.name)
        settings = {
            "layers": bench_graph.description(subject.graph, subject.layer),
            "pixels": vars(subject.pixels),
            "weights": str(weights),
            "threads": threads,
            "device": device,
            "dream": dict(dream),
        }
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        ours = _jaxdream_command(subject, photo, folder / "ours.png", weights, dream)

        def jaxdream(*, fresh: bool) -> Run:
            cache = folder / "cache"
            if fresh:
                shutil.rmtree(cache, ignore_errors=True)
            return run_process(ours, environment | {"JAXDREAM_CACHE": str(cache)})

        commands = {FIRST: partial(jaxdream, fresh=True), SECOND: partial(jaxdream, fresh=False)}
        for layout in LAYOUTS:
            path = folder / f"{layout}.json"
            path.write_text(json.dumps(settings | {"layout": layout}))
            theirs = [sys.executable, TORCH_PROGRAM, path, photo, folder / "theirs.png"]
            commands[f"PyTorch {layout}"] = partial(run_process, theirs, environment)
        for _ in range(rounds):
            for kind, command in commands.items():
                runs.setdefault(kind, []).append(quiet(command))
    return runs


def measure_large(
    subject: Subject, photo: Path, size: tuple[int, int], *, memory: str, quiet: Quiet
) -> tuple[Run, Run]:
    """A dream of one octave of this height and width, of 1 step and of 4; both find it compiled."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        write_weights(weights, subject.weights, model=subject.name)
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "JAXDREAM_CACHE": str(folder / "cache")}

        def run(steps: int) -> Run:
            dream = {"octaves": 1, "steps": steps, "memory": memory, "size": f"{size[1]}x{size[0]}"}
            output = folder / "large.png"
            command = _jaxdream_command(subject, photo, output, weights, dream)
            return run_process(command, environment)

        run(1)
        return quiet(partial(run, 1)), quiet(partial(run, 4))


def _jaxdream_command(
    subject: Subject, photo: Path, output: Path, weights: Path, dream: Mapping[str, Any]
) -> list[str | Path]:
    command = [sys.executable, "-m", "jaxdream", "dream", photo, "-o", output]
    command += ["--model", subject.name, "--weights", weights, "--layer", subject.layer]
    for name, value in dream.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def measure_startup(rounds: int, quiet: Quiet) -> dict[str, list[Run]]:
    """``jaxdream --help``, and for scale Python doing nothing, importing JAX, importing torch."""
    commands = {
        "jaxdream --help": ["-m", "jaxdream", "--help"],
        "python -c pass": ["-c", "pass"],
        "import jax": ["-c", "import jax"],
        "import torch": ["-c", "import torch"],
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            command = partial(run_process, [sys.executable, *arguments], os.environ)
            runs[name].append(quiet(command))
    return runs
