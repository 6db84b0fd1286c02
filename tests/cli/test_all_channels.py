"""``jaxdream visualize --channels all``."""

import pytest
from helpers import one_line

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
