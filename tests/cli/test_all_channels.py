"""``jaxdream visualize --channels all``."""

import pytest
from helpers import one_line

import jaxdream as jd

TINY = ("--model", "googlenet_mini", "--size", "32", "--steps", "1")


def test_a_folder_of_a_layer_is_made_once(cli, tmp_path):
    command = ("visualize", "--layer", "conv1/7x7_s2", "--channels", "all", "-o", "out", *TINY)
    done = cli(*command)
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert "conv1_7x7_s2_0.png" in names
    assert "conv1_7x7_s2_sheet_1.png" in names
    assert f"{len(names) - 1} channels of conv1/7x7_s2" in done.stdout
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert cli(*command).stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("-o", "out"), "needs a layer"),
        (("--layer", "3a"), "needs a folder"),
        (("--layer", "3a", "-o", "out", "--grid"), "--grid does not go with --channels all"),
        (("--layer", "3a", "-o", "out", "--count", "2"), "--count does not go with"),
    ],
)
def test_what_does_not_go_with_all_is_said(cli, options, line):
    assert line in one_line(cli("visualize", "--channels", "all", *options, code=2))


def test_on_a_cluster_it_is_the_same_with_an_address(cli, tmp_path, monkeypatch):
    given = []

    def draw(*arguments, address, device, compute, **options):
        given.append((address, device, compute.precision))
        return jd.visualize_units(*arguments, **options)

    monkeypatch.setattr("jaxdream.cli.cluster.check_cluster", lambda _: None)  # without Ray
    monkeypatch.setattr("jaxdream.cluster.unit_runs.visualize_units", draw)
    command = ("visualize", "--layer", "conv1/7x7_s2", "--channels", "all", "-o", "out", *TINY)
    done = cli(*command, "--cluster", "head:6379", "--device", "cpu", "--precision", "bfloat16")
    assert given == [("head:6379", "cpu", "bfloat16")]
    assert "channels of conv1/7x7_s2" in done.stdout
    assert (tmp_path / "out" / "conv1_7x7_s2_0.png").is_file()
    line = one_line(cli(*command, "-o", "s3://bucket/out", "--cluster", code=2))
    assert "s3://bucket/out is a URL" in line
    few = ("visualize", "--layer", "3a", "--channel", "1", "--cluster")
    assert "--cluster is for --channels all" in one_line(cli(*few, code=2))
    assert len(given) == 1
