"""Runs that are killed or interrupted at any moment, and what is left to go on with."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from attack.case import Place
from attack.folders import DREAM_BATCH, DREAM_ZOOM
from attack.program import Program

_COMMANDS = {
    "batch": (DREAM_BATCH, "out"),
    "zoom": ([*DREAM_ZOOM, "--frames", "3"], "frames"),
}
_SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
# The interpreter's own start is not ours: before it has run a line of ours, it decides.
_OURS_AFTER = 0.15  # seconds


def kill(program: Program, place: Place, templates: Path) -> Iterator[str]:
    """Kill a run, let it go on, and compare it with one that was left alone."""
    random = place.random
    name = random.choice(tuple(_COMMANDS))
    arguments, results = _COMMANDS[name]
    for path in (templates / name).iterdir():
        if path.name not in (results, "cache"):
            _copy(path, place.work / path.name)
    number = random.choice(_SIGNALS)
    delay = random.choice((random.uniform(_OURS_AFTER, 1), random.uniform(0.5, 6)))
    # Where this runs in the background, Ctrl-C is ignored, and programs inherit that.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = _start(program, arguments, place)
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(delay)
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        yield f"{number.name} after {delay:.2f} s did not end it"
        return
    what = f"{number.name} after {delay:.2f} s of {name}"
    expected = (0, -signal.SIGKILL) if number == signal.SIGKILL else (0, 130)
    if process.returncode not in expected:
        yield f"{what}: exit code {process.returncode}: {errors[-500:]!r}"
    if b"Traceback" in errors:
        yield f"{what}: a traceback: {errors[-500:]!r}"
    process = _start(program, arguments, place)
    _, errors = process.communicate(timeout=120)
    if process.returncode != 0:
        yield f"{what}: it does not go on: {errors[-500:]!r}"
        return
    for path in sorted((templates / name / results).glob("*.png")):
        found = place.work / results / path.name
        if not found.exists() or found.read_bytes() != path.read_bytes():
            yield f"{what}: {path.name} differs from that of a run that was left alone"
    for path in place.work.rglob(".*.*"):
        if path.is_file() and path.name not in (".jaxdream.lock", ".zoom.lock"):
            yield f"{what}: {path.name} is left behind"


def run_to_end(program: Program, arguments: list[str], folder: Path) -> None:
    """Run a command that must succeed."""
    subprocess.run(
        [program.python, "-m", "jaxdream", *arguments],
        cwd=folder, env=program.environment, capture_output=True, check=True,
    )  # fmt: skip


def _start(program: Program, arguments: list[str], place: Place) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program.python, "-m", "jaxdream", *arguments],
        cwd=place.work, env=program.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir()
        for path in source.iterdir():
            _copy(path, target / path.name)
    else:
        target.write_bytes(source.read_bytes())
