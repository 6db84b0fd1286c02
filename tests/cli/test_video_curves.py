"""``jaxdream video --curve``."""

import json

import numpy as np
import pytest
from cli.video_runs import BARE, QUICK, dreamed, names, pictures
from video.films import film, moving


def test_curves_are_checked_to_the_end_before_anything_is_dreamed(cli, walk, tmp_path):
    curve = ["--curve", "strength: 2 - f"]
    (line,) = cli("video", walk, "-o", "out", *QUICK, *curve, code=2).notes
    assert "at frame" in line
    assert names(tmp_path) == set()


CURVES = ["step_size: 0 0.5, 100% 2 in-out", "strength: 1 - 0.3*sin(t)"]
FADE = "objective: 0 conv2/3x3, 4 pool1/3x3_s2 in-out"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["settings", "objective"])
def test_curves_are_those_of_python_also_when_it_goes_on(cli, tmp_path, press_ctrl_c, case):
    path = film(tmp_path / "a.mp4", moving(5))
    curves = CURVES if case == "settings" else [FADE]
    options = [each for curve in curves for each in ("--curve", curve)]
    options += ["--layer", "conv2/3x3"] if case == "settings" else []
    command = ["video", path, "-o", "out", *BARE, "--seed", "7", *options]
    press_ctrl_c(at=2)
    cli(*command, code=130)
    cli(*command)
    objective = "conv2/3x3" if case == "settings" else None
    expected = dreamed(path, curves=curves, objective=objective, frame_count=5)
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), expected)
    settings = json.loads((tmp_path / "out" / "video.json").read_text())["settings"]
    assert len(settings["curves"]) == len(curves)
    assert (settings["objective"] == "") == (case == "objective")
