"""jaxdream against another installation of it, measured in turn: old, new, new, old, ...

Only what all versions have in common is used: the command line for whole dreams, and for steps the
few public functions of ``step_probe.py``.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import jaxdream
from benchmark import step_probe
from benchmark.background import RerunIfDisturbed
from benchmark.log import log
from benchmark.machine import describe_machine
from benchmark.options import Options
from benchmark.processes import run_process, write_photo
from benchmark.results import Compared, Comparison, Measured, Results, Run

T = TypeVar("T")

STEPS = 4  # of a dream of one octave, from which the time of a step follows
BUNDLED = "googlenet_mini"
_PROBE = Path(step_probe.__file__)


@dataclass(frozen=True)
class Installation:
    """A Python, and the folder from which it imports jaxdream if that is not its own."""

    python: Path
    folder: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """For its processes: no hub, and only its own modules."""
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        environment.pop("PYTHONPATH", None)
        return (
            environment if self.folder is None else environment | {"PYTHONPATH": str(self.folder)}
        )

    def command(self, *arguments: str | Path) -> list[str]:
        """A command of its Python. (-P: the folder we are in may be another checkout.)"""
        return [str(self.python), "-P", *map(str, arguments)]


def this_installation() -> Installation:
    """The jaxdream that this program imports."""
    return Installation(Path(sys.executable), Path(jaxdream.__file__).parents[1])


def find_installation(path: Path) -> Installation:
    """The jaxdream of a checkout, a Python or a virtual environment.

    Raises:
        OSError: it is none of these.
    """
    path = Path(os.path.abspath(path))  # not resolved: a virtual environment's Python is a link
    if path.is_file():
        return Installation(path, None)
    if (path / "bin" / "python").is_file():
        return Installation(path / "bin" / "python", None)
    if (path / "jaxdream" / "__init__.py").is_file():
        return Installation(Path(sys.executable), path)
    raise FileNotFoundError(f"--against {path}: no checkout of jaxdream, Python or environment")


@dataclass(frozen=True)
class Pair:
    """The two installations that are compared."""

    old: Installation
    new: Installation
    model: str
    weights: Path | None

    def measure(
        self, measure: Callable[[Installation], T], rounds: int, rerun: RerunIfDisturbed
    ) -> tuple[list[T], list[T]]:
        """Measurements of the old one and of the new one; every second round begins with the new.

        So neither always finds the machine as the other leaves it.
        """
        found: dict[str, list[T]] = {"old": [], "new": []}
        for i in range(rounds):
            for name in ("old", "new") if i % 2 == 0 else ("new", "old"):
                found[name].append(rerun(partial(measure, getattr(self, name))))
        return found["old"], found["new"]


def compared_parts(
    options: Options,
) -> tuple[Results, dict[str, Callable[[RerunIfDisturbed], None]]]:
    """Empty results, and the functions that fill them, by name.

    Raises:
        OSError: ``options.against`` is no installation.
        RuntimeError: both are the same, or one of them does not work.
    """
    assert options.against is not None
    weights = options.weights["googlenet"]
    weights = weights and weights.absolute()
    model = BUNDLED if weights is None else "googlenet"
    pair = Pair(find_installation(options.against), this_installation(), model, weights)
    names = []
    for installation in (pair.old, pair.new):
        with start_probe(pair, installation) as probe:
            names.append(probe.description)
    if names[0] == names[1]:
        raise RuntimeError(f"--against {options.against}: this is the same installation")
    source = "of each version" if weights is None else weights.name
    results = Results(describe_machine(), time.strftime("%Y-%m-%d"), {model: source})
    results.comparison = comparison = Comparison(names[0], names[1], model)
    parts = {"steps": _steps, "runs": _runs}
    return results, {
        name: partial(parts[name], options, comparison, pair) for name in options.parts
    }


class Probe:
    """A running ``step_probe.py``."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process
        about = self._answer()
        versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
        self.description = f"{Path(about['location']).parent} ({versions})"

    def seconds(self, picture: Path, steps: int) -> float:
        """How long a dream of one octave takes.

        Raises:
            RuntimeError: the process failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(picture), steps]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} failed: see its message above")
        return json.loads(line)


@contextlib.contextmanager
def start_probe(pair: Pair, installation: Installation) -> Iterator[Probe]:
    """A process that times steps of an installation, until the block ends."""
    weights = [] if pair.weights is None else [pair.weights]
    process = subprocess.Popen(
        installation.command(_PROBE, pair.model, *weights),
        env=installation.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Probe(process)
    finally:
        process.kill()
        process.communicate()


def _steps(options: Options, comparison: Comparison, pair: Pair, rerun: RerunIfDisturbed) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        start_probe(pair, pair.old) as old,
        start_probe(pair, pair.new) as new,
    ):
        for size in options.compared_sizes:
            log(f"steps at {size[0]}x{size[1]}, old and new")
            picture = write_photo(Path(folder), options.photo, size)
            probes = {pair.old: old, pair.new: new}
            for probe in probes.values():
                probe.seconds(picture, STEPS)  # compiles
            seconds = pair.measure(
                lambda which, probes=probes, picture=picture: probes[which].seconds(picture, STEPS),
                options.rounds,
                rerun,
            )
            times = [Measured(tuple(1e3 * value / STEPS for value in each)) for each in seconds]
            comparison.rows.append(Compared(f"a step at {size[0]}x{size[1]}", "ms", *times))


def _runs(options: Options, comparison: Comparison, pair: Pair, rerun: RerunIfDisturbed) -> None:
    log("whole dreams, old and new")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = write_photo(folder, options.photo, options.photo_size)
        cold, warm = (
            pair.measure(
                partial(_dream, pair, photo, folder, options.dream, fresh=fresh),
                options.runs,
                rerun,
            )
            for fresh in (True, False)
        )
    for kind, runs in (("empty cache", cold), ("filled cache", warm)):
        label = f"a dream at {options.photo_size[0]}x{options.photo_size[1]}, {kind}"
        times = [Measured(tuple(run.seconds for run in each)) for each in runs]
        peaks = [Measured(tuple(run.peak_bytes / 2**20 for run in each)) for each in runs]
        comparison.rows.append(Compared(f"{label}: time", "s", *times))
        comparison.rows.append(Compared(f"{label}: peak memory", "MiB", *peaks))


def _dream(
    pair: Pair,
    photo: Path,
    folder: Path,
    dream: Mapping[str, object],
    installation: Installation,
    *,
    fresh: bool,
) -> Run:
    cache = folder / ("new" if installation == pair.new else "old")
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    arguments = ["-m", "jaxdream", "dream", photo, "-o", folder / "out.png", "--model", pair.model]
    if pair.weights is not None:
        arguments += ["--weights", pair.weights]
    for name, value in dream.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    environment = installation.environment | {"JAXDREAM_CACHE": str(cache)}
    return run_process(installation.command(*arguments), environment)
