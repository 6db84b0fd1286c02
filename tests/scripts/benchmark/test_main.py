"""``scripts/bench.py`` as it is run."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from helpers import ROOT

from benchmark import main
from benchmark.results import Machine, Results

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="no PyTorch: pip install '.[bench]'"
)


@needs_torch
def test_the_benchmark_as_it_is_run(tmp_path):
    outputs = ["--json", tmp_path / "out.json", "--markdown", tmp_path / "out.md"]
    done = bench("--quick", "--only", "googlenet", *outputs)
    assert done.returncode == 0, done.stderr
    assert "load average" in done.stderr
    assert (tmp_path / "out.md").read_text() == done.stdout.removesuffix("\n")
    for title in (
        "### One step",
        "### A whole run",
        "### Large pictures",
        "### Several pictures",
        "### Start-up",
    ):
        assert title in done.stdout
    values = json.loads((tmp_path / "out.json").read_text())
    assert values["steps"][0]["size"] == [96, 128]
    assert [large["size"] for large in values["large"]] == [[96, 96], [192, 192]]
    (runs,) = values["runs"]
    assert len(runs["runs"]) == 4
    for several in runs["runs"].values():
        assert 0 < several[0]["first_step"] < several[0]["seconds"]
        assert several[0]["peak_bytes"] > 2**26


@needs_torch
def test_a_bad_weight_file_is_one_line(tmp_path):
    done = bench("--quick", "--googlenet", tmp_path / "none.caffemodel")
    assert done.returncode == 1
    assert "none.caffemodel" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_videos_are_measured_without_pytorch(tmp_path):
    done = bench("--quick", "--only", "video", "--markdown", tmp_path / "out.md")
    assert done.returncode == 0, done.stderr
    assert "a still photograph, carried | 0.0 |" in (tmp_path / "out.md").read_text()


def bench(*arguments):
    command = [sys.executable, ROOT / "scripts" / "bench.py", *arguments]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=environment,
    )


@pytest.fixture
def interrupted(monkeypatch):
    """A comparison whose second part is interrupted."""
    results = Results(Machine("abacus", 2, 2**34, "Linux", "cpu", None, {}), "2015-06-17", {})
    done = []

    def second(rerun):
        rerun(lambda: None)
        raise KeyboardInterrupt

    parts = {"first": lambda _: done.append(1), "second": second, "third": lambda _: done.append(3)}
    monkeypatch.setattr("benchmark.against.compared_parts", lambda _: (results, parts))
    monkeypatch.setattr("benchmark.background.load_now", lambda: "")
    return results, done


def test_an_interrupted_benchmark_prints_what_it_has(interrupted, capsys):
    results, done = interrupted
    with pytest.raises(SystemExit) as ended:
        main.main(["--against", "old"])
    assert ended.value.code == main.INTERRUPTED
    assert done == [1]
    assert set(results.background) == {"first", "second"}
    assert "2015-06-17; abacus" in capsys.readouterr().out


def test_against_nothing_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.background.load_now", lambda: "")
    with pytest.raises(SystemExit, match=r"bench: --against .*none: no checkout of jaxdream"):
        main.main(["--against", str(tmp_path / "none")])
