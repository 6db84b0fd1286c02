"""A process as a user has it, on a terminal: its time, its first step and its peak memory."""

import ast
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from benchmark.results import Run

_FIRST_STEP = re.compile(rb"step \d+/")

# The peak memory that the system reports for a process is at least that of the process that started
# it. So a small one starts it, and reports the start, the end, the exit status and the peak.
_LAUNCHER = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
report = (start, time.perf_counter(), os.waitstatus_to_exitcode(status), usage.ru_maxrss)
os.write(int(sys.argv[1]), repr(report).encode())
"""


def run_process(command: Sequence[str | Path], environment: Mapping[str, str]) -> Run:
    """Run a command on a terminal of its own and wait for it.

    Raises:
        RuntimeError: it failed; with what it printed.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _LAUNCHER, str(writer), *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        pass_fds=[writer],
    )
    os.close(terminal)
    os.close(writer)
    printed, shown = b"", None
    while chunk := _read(controller):
        printed += chunk
        if shown is None and _FIRST_STEP.search(printed):
            shown = time.perf_counter()
    os.close(controller)
    process.wait()
    with os.fdopen(reader, "rb") as file:
        text = file.read().decode()
    start, end, code, peak = ast.literal_eval(text) if text else (0.0, 0.0, process.returncode, 0)
    if code or not text:
        raise RuntimeError(f"{command} failed ({code}):\n{printed.decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Run(end - start, None if shown is None else shown - start, peak * unit)


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 1 << 16)
    except OSError:  # on Linux: the other end is closed
        return b""


def write_photo(folder: Path, photo: Path, size: tuple[int, int]) -> Path:
    """A copy of a photograph at this height and width, as a PNG.

    Raises:
        OSError: the photograph cannot be read.
    """
    path = folder / "photo.png"
    with Image.open(photo) as image:
        image.convert("RGB").resize((size[1], size[0]), Image.Resampling.LANCZOS).save(path)
    return path
