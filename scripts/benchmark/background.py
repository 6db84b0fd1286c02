"""How much of the machine other programs use, and repeating the measurements they disturb."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import psutil

from benchmark.results import Measured

T = TypeVar("T")
Clock = Callable[[], float]  # runs something once and returns the seconds it took

BUSY = 0.1  # share of the processors used by other programs that makes a measurement doubtful
_PAUSE = 0.5  # seconds before a disturbed measurement is repeated
_SETTLE = 0.03  # seconds


class _CpuSeconds(NamedTuple):
    """Processor time since the machine started."""

    total: float
    idle: float
    own: float  # of this process and its children

    @classmethod
    def now(cls) -> "_CpuSeconds":
        times = psutil.cpu_times()._asdict()
        # Linux counts the time of virtual machines in "user" already.
        total = sum(value for name, value in times.items() if not name.startswith("guest"))
        idle = times["idle"] + times.get("iowait", 0.0)
        return cls(total, idle, _own_seconds())


def _own_seconds() -> float:
    this = psutil.Process()
    seconds = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            seconds += sum(process.cpu_times()[:4])  # with that of children that have ended
        except psutil.NoSuchProcess:
            continue
    return seconds


class BackgroundLoad:
    """The load by programs other than this one and its children, from now on."""

    def __init__(self) -> None:
        self._start = _CpuSeconds.now()

    def share(self) -> float:
        """Mean share of all processors that the others used, 0..1."""
        total, idle, own = (b - a for a, b in zip(self._start, _CpuSeconds.now(), strict=True))
        return min(1.0, max(0.0, total - idle - own) / total) if total > 0 else 0.0


class RerunIfDisturbed:
    """Repeats measurements that other programs disturbed, until ``seconds`` were lost on it."""

    def __init__(self, seconds: float) -> None:
        self.seconds_left = seconds
        self.shares: list[float] = []  # used by others, for each measurement that was kept

    def __call__(self, measure: Callable[[], T]) -> T:
        while True:
            load, start = BackgroundLoad(), time.perf_counter()
            value = measure()
            share = load.share()
            if share <= BUSY or self.seconds_left <= 0:
                self.shares.append(share)
                return value
            time.sleep(_PAUSE)
            self.seconds_left -= time.perf_counter() - start

    @property
    def share(self) -> float | None:
        """Mean share of the processors used by others; None before the first measurement."""
        return sum(self.shares) / len(self.shares) if self.shares else None


def interleave(
    clocks: Mapping[str, Clock], rounds: int, rerun: RerunIfDisturbed
) -> dict[str, Measured]:
    """Times the clocks in turn, ``rounds`` times: A B C A B C ...

    The other programs on the machine, its clock rate and its heat slow all of them alike, so ratios
    within a round hold where times do not.
    """
    values: dict[str, list[float]] = {name: [] for name in clocks}
    for _ in range(rounds):
        for name, clock in clocks.items():
            # Worker threads of the library that ran before spin for a while, on a core of ours.
            time.sleep(_SETTLE)
            values[name].append(rerun(clock))
    return {name: Measured(tuple(seconds)) for name, seconds in values.items()}


def load_now(seconds: float = 1.0) -> str:
    """A line on the load before a measurement, with a warning where the machine is not idle."""
    load = BackgroundLoad()
    time.sleep(seconds)
    share = load.share()
    average = ", ".join(f"{n:.1f}" for n in psutil.getloadavg())
    line = f"load average {average}; other programs use {share:.0%} of the processors"
    if share > BUSY:
        line += ". WARNING: not idle: times will be too long, and two-threaded programs suffer most"
    return line
