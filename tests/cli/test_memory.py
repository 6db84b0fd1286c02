"""``--plan`` and ``--memory`` of ``jaxdream dream``, as a process."""

import re

import numpy as np
import pytest
from helpers import one_line

import jaxdream as jd
from jaxdream.recipe import read_recipe

QUICK = ["--steps", "2", "--octaves", "2", "--size", "120", "--layer", "conv2/3x3"]


def test_a_plan_is_printed_and_nothing_dreamed(run, photo, tmp_path):
    done = run("dream", photo, *QUICK, "--plan")
    first, *octaves = done.stdout.splitlines()
    assert re.match(r".*photo.*: 120x\d+, about \d+ s, .* of memory in all", first)
    assert len(octaves) == 2
    for line in octaves:
        assert re.match(r"  \d+x\d+: a program for \d+x\d+, \d+ MB, about \d+ s", line)
    assert not (tmp_path / "photo_dream.png").exists()


def test_memory_that_is_not_enough_is_said(run, photo):
    done = run("dream", photo, *QUICK, "--memory", "50MB", code=2)
    assert re.search(r"takes at least .* of memory beside what is in use", done.stderr)
    done = run("dream", photo, *QUICK, "--memory", "plenty", code=2)
    assert "such as 2GB or 500MB, not plenty" in done.stderr


def test_several_pictures_share_programs_and_are_replayed_with_them(run, photo, tmp_path):
    second = tmp_path / "second.png"
    jd.write_image(second, jd.read_image(photo)[:-9, :-5])
    run("dream", photo, second, *QUICK[:4], "--layer", "conv2/3x3", "-o", "out")
    recipes = [read_recipe(tmp_path / "out" / f"{name}_dream.png") for name in ("photo", "second")]
    assert recipes[0].canvases == recipes[1].canvases != ""
    run("replay", "out/second_dream.png", second, "-o", "again.png")
    again, first = (jd.read_image(tmp_path / p) for p in ("again.png", "out/second_dream.png"))
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--steps", "0"), "steps must be at least 1"),
        (("--jitter=-1",), "jitter must be 0 or more"),
    ],
)
def test_a_plan_refuses_what_a_dream_does(run, photo, option, says):
    for more in ((), ("--plan",)):
        done = run("dream", photo, "--model", "googlenet_mini", *option, *more, code=2)
        assert says in one_line(done)
