"""The command line of ``scripts/bench.py``."""

from pathlib import Path

import pytest

from benchmark.options import DREAM, NETWORKS, PARTS, SIZES, parse


def test_by_default_everything_is_measured_with_random_weights():
    options = parse([])
    assert options.weights == dict.fromkeys(NETWORKS)
    assert options.parts == PARTS
    assert options.sizes == SIZES
    assert options.dream == DREAM


def test_quick_is_small_in_everything():
    options = parse(["--quick", "--rounds", "9", "--runs", "3"])
    assert options.sizes == ((96, 128),)
    assert (options.rounds, options.runs, options.rerun_seconds) == (2, 1, 5)
    assert options.dream == DREAM | {"steps": 2, "octaves": 1, "jitter": 8}
    assert set(options.layers) == set(NETWORKS)


def test_only_chooses_networks_and_parts():
    options = parse(["--only", "startup", "googlenet", "steps", "--googlenet", "file"])
    assert options.weights == {"googlenet": Path("file")}
    assert options.parts == ("steps", "startup")


def test_a_comparison_is_of_googlenet_at_the_two_larger_sizes():
    options = parse(["--against", "old", "--only", "runs"])
    assert options.weights == {"googlenet": None}
    assert options.parts == ("runs",)
    assert options.compared_sizes == ((384, 512), (575, 1024))


def test_a_part_that_is_not_compared_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(["--against", "old", "--only", "large"])
    assert "--only large: --against compares steps, runs" in capsys.readouterr().err
