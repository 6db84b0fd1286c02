"""The load of other programs."""

import subprocess
import sys
import time

import psutil
import pytest

from benchmark import background
from benchmark.background import BackgroundLoad, RerunIfDisturbed, interleave
from benchmark.results import Measured


@pytest.fixture
def clock(monkeypatch):
    """A machine of two processors, whose times a test sets."""

    class Fake:
        total = idle = own = 0.0

        def advance(self, *, seconds, own=0.0, others=0.0):
            self.total += 2 * seconds
            self.idle += 2 * seconds - own - others
            self.own += own

    fake = Fake()
    now = lambda _: background._CpuSeconds(fake.total, fake.idle, fake.own)  # noqa: E731
    monkeypatch.setattr(background._CpuSeconds, "now", classmethod(now))
    return fake


def test_the_load_of_others_is_not_our_own(clock):
    load = BackgroundLoad()
    clock.advance(seconds=10, own=12)
    assert load.share() == 0
    clock.advance(seconds=10, own=2, others=10)
    assert load.share() == pytest.approx(0.25)


def test_our_own_time_is_that_of_this_process_and_its_children():
    def used(work) -> float:
        before = background._own_seconds()
        work()
        return background._own_seconds() - before

    assert used(lambda: _burn(0.3)) == pytest.approx(0.3, abs=0.1)
    assert used(lambda: time.sleep(0.3)) < 0.1
    command = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"]
    assert used(lambda: subprocess.run(command, check=True)) > 0.45
    command[-1] = "while True: pass"
    with subprocess.Popen(command) as child:
        try:
            assert used(lambda: _wait_for(child.pid, 0.3)) > 0.25  # counted while it runs
        finally:
            child.kill()


def _burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def _wait_for(pid: int, seconds: float) -> None:
    """Until a process has used so much processor time."""
    end = sum(psutil.Process(pid).cpu_times()[:2]) + seconds
    while sum(psutil.Process(pid).cpu_times()[:2]) < end:
        time.sleep(0.02)


def test_the_times_of_the_system_are_those_of_all_its_processors():
    start, started = background._CpuSeconds.now(), time.perf_counter()
    time.sleep(0.5)
    end, seconds = background._CpuSeconds.now(), time.perf_counter() - started
    assert end.total - start.total == pytest.approx(seconds * psutil.cpu_count(), rel=0.2)
    assert 0 <= end.idle - start.idle <= end.total - start.total


def test_a_disturbed_measurement_is_repeated_until_the_time_for_that_is_used_up(monkeypatch):
    shares = iter([0.5, 0.02, 0.5])
    monkeypatch.setattr(BackgroundLoad, "share", lambda _: next(shares))
    rerun = RerunIfDisturbed(0.4)
    values = iter("abc")
    assert rerun(lambda: next(values)) == "b"
    assert rerun(lambda: next(values)) == "c"
    assert rerun.share == pytest.approx(0.26)


def test_clocks_are_read_in_turn():
    read = []

    def clock(name):
        return lambda: read.append(name) or len(read)

    measured = interleave({"a": clock("a"), "b": clock("b")}, 2, RerunIfDisturbed(0))
    assert read == ["a", "b", "a", "b"]
    assert measured == {"a": Measured((1, 3)), "b": Measured((2, 4))}


def test_a_busy_machine_is_a_warning(monkeypatch):
    monkeypatch.setattr(BackgroundLoad, "share", lambda _: 0.2)
    assert "other programs use 20% of the processors. WARNING" in background.load_now(0)
    monkeypatch.setattr(BackgroundLoad, "share", lambda _: 0.05)
    line = background.load_now(0)
    assert line.startswith("load average")
    assert "WARNING" not in line
