"""The machine a benchmark runs on: its name, and how much of it other programs use meanwhile."""

import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import jax

T = TypeVar("T")

BUSY = 0.1  # share of the machine used by others, from which measurements are in doubt


@dataclass(frozen=True)
class Machine:
    """Names for the top of a table."""

    processor: str
    cores: int  # that this process may use
    memory_bytes: int
    system: str
    device: str  # JAX's: its platform and kind
    torch_device: str
    versions: dict[str, str]


def describe_machine(torch_device: str) -> Machine:
    """This machine, with JAX's and PyTorch's device."""
    device = jax.devices()[0]
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        device=f"{device.platform}: {device.device_kind}",
        torch_device=torch_device,
        versions={name: version(name) for name in ("jaxdream", "jax", "jaxlib", "flax", "torch")},
    )


def cores() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(threads: int | None) -> int:
    """Keep this process and those it starts on so many processors; returns how many there are.

    Must run before JAX is used, whose thread pool has a thread for each.
    """
    if threads is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    return cores()


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        fields = dict(
            line.replace("\t", "").split(":", 1)
            for line in path.read_text().split("\n\n")[0].splitlines()
            if ":" in line
        )
        if {"model name", "cpu family", "model"} <= fields.keys():
            family = f"family {fields['cpu family'].strip()} model {fields['model'].strip()}"
            return f"{fields['model name'].strip()} ({family})"
    return platform.processor() or platform.machine()


class OthersLoad:
    """How much of the machine programs other than this one and its children used since a moment.

    None where the system does not say (it is read from Linux's /proc/stat).
    """

    def __init__(self) -> None:
        self.start = self._now()

    def share(self) -> float | None:
        """Mean share of all processors used by others, 0..1."""
        now = self._now()
        if self.start is None or now is None:
            return None
        busy, total, own = (b - a for a, b in zip(self.start, now, strict=True))
        return max(0.0, busy - own) / total if total else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        path = Path("/proc/stat")
        if not path.exists():
            return None
        ticks = [int(n) for n in path.read_text().splitlines()[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        second = os.sysconf("SC_CLK_TCK")
        own = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            own += usage.ru_utime + usage.ru_stime
        return (sum(ticks) - idle) / second, sum(ticks) / second, own


class Quiet:
    """Measures again what other programs disturbed, as long as there is patience left."""

    def __init__(self, patience: float) -> None:
        self.patience = patience  # seconds that may yet be lost
        self.shares: list[float] = []  # used by others, of each measurement that counts

    def __call__(self, measure: Callable[[], T]) -> T:
        while True:
            others, start = OthersLoad(), time.perf_counter()
            value = measure()
            share = others.share()
            if share is None or share <= BUSY or self.patience <= 0:
                self.shares += [] if share is None else [share]
                return value
            time.sleep(0.5)
            self.patience -= time.perf_counter() - start

    @property
    def share(self) -> float | None:
        """Mean share of the processors used by others."""
        return sum(self.shares) / len(self.shares) if self.shares else None


def load_now(seconds: float = 1.0) -> str:
    """A line on the load before a measurement, with a warning where the machine is not idle."""
    others = OthersLoad()
    time.sleep(seconds)
    share = others.share()
    average = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    line = f"load average {average}"
    if share is None:
        return line
    line += f"; others use {share:.0%} of the processors"
    if share > BUSY:
        line += ". WARNING: not idle: times will be too long, and two-threaded programs suffer most"
    return line
