"""Tables, JSON and ratios of measurements that are easy to divide."""

import json
import re

import pytest

from benchmark.report import table, to_markdown
from benchmark.results import (
    FIRST,
    IN_TURN,
    SECOND,
    TOGETHER,
    Compared,
    Comparison,
    Host,
    LayerTimes,
    Machine,
    Measured,
    Results,
    Run,
    Runs,
    Steps,
    Variants,
)


@pytest.fixture
def results():
    """Measurements that are easy to divide."""
    versions = {"jax": "0.1", "torch": "0.2"}
    machine = Machine("abacus", 2, 2**34, "Linux", "cpu: cpu", "cpu", versions)
    ours, default = Measured((0.1, 0.2, 0.3)), Measured((0.2, 0.4, 0.4))
    slower = Measured((1.0, 1.0, 1.0))
    seconds = {"jaxdream": ours, "PyTorch default": default, "PyTorch channels_last": slower}
    results = Results(machine, "2015-06-17", {"googlenet": "random"}, 10**9, {"PyTorch": default})
    results.steps.append(
        Steps("googlenet", "4c", (384, 512), 2 * 10**9, seconds, dict.fromkeys(seconds, 1.5))
    )
    times = LayerTimes("conv1", 10**9, seconds, seconds)
    results.layers.append(("googlenet", (384, 512), [times, times]))
    runs = {
        FIRST: [Run(30.0, 5.0, 2**30)],
        SECOND: [Run(10.0, 2.0, 2**29)],
        "PyTorch default": [Run(40.0, None, 2**28)],
        "PyTorch channels_last": [Run(20.0, 3.0, 2**28)],
    }
    results.runs.append(Runs("googlenet", "4c", (575, 1024), runs))
    results.startup["jaxdream --help"] = [Run(0.04, None, 0), Run(0.08, None, 0)]
    results.variants.append(
        Variants("googlenet", (224, 224), 8, {TOGETHER: ours, IN_TURN: default})
    )
    results.host.append(Host("googlenet", Measured((0.0004, 0.0008, 0.0009))))
    results.background = {"steps": 0.02, "runs": 0.5}
    return results


def test_ratios_are_to_the_best_layout_round_by_round(results):
    assert results.steps[0].ratio.values == pytest.approx((0.5, 0.5, 0.75))
    assert results.runs[0].ratio(FIRST).median == 1.5
    assert results.rate == 10**9 / 0.4


def test_tables(results):
    text = to_markdown(results)
    assert "| googlenet, 224x224, 8 variants | 200 (150-250) | 400 (300-400) | 0.50 |" in text
    assert "| googlenet | 0.80 (0.60-0.85) |" in text
    assert "2015-06-17; abacus, 2 cores, 16 GiB; Linux\n" in text
    assert "| googlenet 4c, 384x512 | 200 (150-250) | 400 (300-400) |" in text
    # 2 GFLOP in 0.2 s, of 2.5 GFLOP/s; the median of three ratios; compilation.
    assert "| 0.50 | 2.0 | 10 (400%) | 5 (200%) | 1.5 |" in text
    assert "| googlenet 4c, 575x1024, jaxdream, second run | 10.0 | 0.50 | 2.0 | 512 |" in text
    assert "| googlenet 4c, 575x1024, PyTorch default | 40.0 | 2.00 | not shown | 256 |" in text
    assert "| `jaxdream --help` | 0.06 (0.05-0.07) |" in text
    assert "| sum | 4.00 | 400.0 | 400.0 | 800.0 | 800.0 | -800.0 | 5 | 2 |" in text
    assert "other programs used 2% of the processors: steps\n" in text
    assert "50% of the processors: runs (WARNING: not idle)" in text
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_json_holds_every_measurement_and_the_ratios(results):
    values = json.loads(results.to_json())
    assert values["steps"][0]["seconds"]["jaxdream"]["values"] == [0.1, 0.2, 0.3]
    assert values["steps"][0]["ratio"] == 0.5
    assert values["runs"][0]["ratio"] == {FIRST: 1.5, SECOND: 0.5}


@pytest.fixture
def comparison():
    machine = Machine("abacus", 2, 2**34, "Linux", "cpu: cpu", None, {"jax": "0.1"})
    rows = [
        Compared("a step", "ms", Measured((100.0, 200.0, 100.0)), Measured((110.0, 180.0, 105.0))),
        Compared("a dream: peak memory", "MiB", Measured((512.0,)), Measured((640.0,))),
    ]
    compared = Comparison("/old/jaxdream", "/new/jaxdream", "googlenet", rows)
    return Results(machine, "2015-06-17", {"googlenet": "a file"}, comparison=compared)


def test_a_comparison_shows_the_ratio_of_the_new_to_the_old_round_by_round(comparison):
    text = to_markdown(comparison)
    assert "- JAX on cpu: cpu; jax 0.1\n" in text
    assert "- old: /old/jaxdream\n- new: /new/jaxdream" in text
    assert "| googlenet, a step | ms | 100.0 (100.0-150.0) | 110.0 (107.5-145.0) | 1.050 |" in text
    assert "| googlenet, a dream: peak memory | MiB | 512 | 640 | 1.250 |" in text
    rows = json.loads(comparison.to_json())["comparison"]["rows"]
    assert [row["ratio"] for row in rows] == pytest.approx([1.05, 1.25])


def test_a_row_of_another_length_than_the_header_is_refused():
    with pytest.raises(ValueError, match="a row of 1 under 2 columns"):
        table(["a", "b"], [["c"]])
