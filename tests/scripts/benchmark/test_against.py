"""A comparison of two installations, by fake ones: programs that say how long they took."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmark import against
from benchmark.against import Installation, Pair, find_installation
from benchmark.background import RerunIfDisturbed
from benchmark.options import parse
from benchmark.results import Comparison

# A package that all of it is: what the probe and the command line use.
FAKE = """
import sys, time
import numpy as np

def load_model(name, *, weights=None):
    assert (name, weights) == ("googlenet_mini", None)
    print("a line that is no answer")
    return name

def dream(key, model, image, *, octaves, steps):
    assert image.shape == (90, 120, 3) or image.shape == (96, 128, 3)
    time.sleep({seconds} * steps)
    return np.zeros(())

def main():
    output = sys.argv[sys.argv.index("-o") + 1]
    with open(output + ".log", "a") as log:
        log.write("{name} " + " ".join(sys.argv[1:]) + "\\n")
    print("step 1/2", flush=True)
    held = b"x" * {megabytes} * 2**20
    time.sleep({seconds} * 10)
"""


def fake_checkout(folder: Path, *, seconds: float, megabytes: int) -> Path:
    package = folder / "jaxdream"
    package.mkdir(parents=True)
    source = FAKE.format(name=folder.name, seconds=seconds, megabytes=megabytes)
    (package / "__init__.py").write_text(source)
    (package / "__main__.py").write_text("from jaxdream import main\nmain()\n")
    return folder


@pytest.fixture
def pair(tmp_path):
    """A new version that takes twice the time of the old one, and more memory."""
    old = fake_checkout(tmp_path / "old", seconds=0.02, megabytes=1)
    new = fake_checkout(tmp_path / "new", seconds=0.04, megabytes=200)
    return Pair(find_installation(old), find_installation(new), "googlenet_mini", None)


OPTIONS = parse(["--against", "old", "--quick"])


@pytest.mark.slow
def test_steps_of_the_new_version_are_compared_with_those_of_the_old(pair):
    comparison = Comparison("old", "new", "googlenet_mini")
    against._steps(OPTIONS, comparison, pair, RerunIfDisturbed(0))
    (row,) = comparison.rows
    assert (row.name, row.unit) == ("a step at 96x128", "ms")
    assert len(row.old.values) == len(row.new.values) == OPTIONS.rounds
    assert min(row.old.values) >= 20
    assert min(row.new.values) >= 40
    assert row.ratio.median > 1.1


def test_whole_dreams_are_compared_by_time_and_peak_memory(pair, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr(against.tempfile, "TemporaryDirectory", lambda: nullcontext(folder))
    comparison = Comparison("old", "new", "googlenet_mini")
    against._runs(OPTIONS, comparison, pair, RerunIfDisturbed(0))
    assert [row.name for row in comparison.rows] == [
        "a dream at 90x120, empty cache: time",
        "a dream at 90x120, empty cache: peak memory",
        "a dream at 90x120, filled cache: time",
        "a dream at 90x120, filled cache: peak memory",
    ]
    time, memory = comparison.rows[:2]
    assert time.ratio.median > 1.1
    assert 150 < memory.new.median - memory.old.median < 250
    commands = (folder / "out.png.log").read_text().splitlines()
    assert [line.split()[0] for line in commands] == ["old", "new", "old", "new"]
    assert "dream" in commands[0]
    assert "--model googlenet_mini --steps 2 --octaves 1" in commands[0]


def test_every_second_round_begins_with_the_new_version(pair):
    order = []
    measured = pair.measure(lambda which: order.append(which) or len(order), 2, RerunIfDisturbed(0))
    assert order == [pair.old, pair.new, pair.new, pair.old]
    assert measured == ([1, 4], [2, 3])


def test_the_cache_is_emptied_before_a_first_run_only(pair, tmp_path, monkeypatch):
    caches = []

    def run_process(_, environment):
        cache = Path(environment["JAXDREAM_CACHE"])
        caches.append((cache.name, cache.exists()))
        cache.mkdir(exist_ok=True)

    monkeypatch.setattr(against, "run_process", run_process)
    for fresh in (True, False, True):
        against._dream(pair, tmp_path / "photo.png", tmp_path, {}, pair.old, fresh=fresh)
    assert caches == [("old", False), ("old", True), ("old", False)]


def test_an_installation_that_does_not_work_is_an_error(pair, tmp_path, capfd):
    (tmp_path / "old" / "jaxdream" / "__init__.py").write_text("raise OSError('broken')")
    with pytest.raises(RuntimeError, match="failed"), against.start_probe(pair, pair.old):
        pass
    assert "broken" in capfd.readouterr().err


def test_the_same_installation_is_not_compared_with_itself(monkeypatch, tmp_path):
    checkout = fake_checkout(tmp_path / "same", seconds=0, megabytes=0)
    this = Installation(Path(sys.executable), checkout)
    monkeypatch.setattr(against, "this_installation", lambda: this)
    with pytest.raises(RuntimeError, match="this is the same installation"):
        against.compared_parts(parse(["--against", str(checkout), "--quick"]))


def test_an_installation_is_a_checkout_a_python_or_an_environment(tmp_path):
    checkout = fake_checkout(tmp_path / "checkout", seconds=0, megabytes=0)
    assert find_installation(checkout) == Installation(Path(sys.executable), checkout)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert find_installation(python) == Installation(python, None)
    assert find_installation(tmp_path / "env") == Installation(python, None)


def test_an_installation_imports_only_its_own_modules(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    python = Installation(Path(sys.executable), None)
    assert "PYTHONPATH" not in python.environment
    assert Installation(python.python, tmp_path).environment["PYTHONPATH"] == str(tmp_path)
    assert python.command("-m", "jaxdream")[:2] == [sys.executable, "-P"]
