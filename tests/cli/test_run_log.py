"""``--log``: the steps of commands, added to a file."""

import json

from helpers import one_line

MINI = ("--model", "googlenet_mini", "--log", "run.jsonl", "--steps", "2")


def test_dream_and_visualize_add_their_steps_to_one_file(cli, photo, tmp_path):
    cli("dream", photo, "--octaves", "1", "-o", "out.png", *MINI)
    cli("visualize", "--layer", "3a", "--channel", "1", "--size", "32", *MINI)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("ascii").splitlines()]
    begun = [line["run"] for line in lines if "run" in line]
    assert [run["model"] for run in begun] == ["googlenet_mini"] * 2
    assert begun[0]["steps"] == 2
    steps = [(line["picture"], line["step"]) for line in lines if "step" in line]
    assert steps[:2] == [("out.png", 1), ("out.png", 2)]
    assert [step for _, step in steps] == [1, 2, 1, 2]
    assert lines[2]["energy"]["inception_4c/output"] > 0


def test_a_photograph_is_no_log(cli, photo, tmp_path):
    before = (tmp_path / photo).read_bytes()
    assert "no log of an earlier run" in one_line(cli("dream", photo, "--log", photo, code=2))
    assert (tmp_path / photo).read_bytes() == before
