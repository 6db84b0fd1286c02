"""``jaxdream examples`` and ``jaxdream atlas``, as a user calls them."""

import sys

import numpy as np
import pytest
from helpers import ROOT

import jaxdream as jd

CODE = f"""
import sys
sys.path.append({str(ROOT / "tests")!r})
from tiny_network import tiny_network as net
"""
EXAMPLES = ["examples", "in", "--model", "mine:net", "--size", "16", "--batch", "2", "-o", "out"]
ATLAS = [
    "atlas", "in", "--model", "mine:net", "--size", "16", "--batch", "2", "--grid", "3",
    "--cell-size", "12", "--cell-minimum", "2", "--steps", "2", "--projection", "pca", "-o", "out",
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path):
    """Pictures in the folder in which commands run, and the user's module."""
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "in").mkdir()
    random = np.random.default_rng(0)
    for i in range(7):
        jd.write_image(tmp_path / "in" / f"{i}.png", random.uniform(0, 255, (20, 20, 3)))
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("mine", None)


def test_as_a_process_on_a_folder_with_a_broken_picture(run, folder):
    (folder / "in" / "bad.jpg").write_bytes(b"no picture")
    done = run(*EXAMPLES, "--layer", "second", "relu", "--channels", "0-1", code=3)
    assert done.stdout == "out/index.html: second, relu on 7 of 8 pictures, 1 failed\n"
    assert done.stderr == (
        "jaxdream: in/bad.jpg is not a picture of PNG, JPEG, WEBP, TIFF, BMP, GIF\n"
    )
    assert sorted(path.name for path in (folder / "out" / "units").glob("*.png")) == [
        "relu_0.png", "relu_1.png", "second_0.png", "second_1.png",
    ]  # fmt: skip
    again = run(*EXAMPLES, "--layer", "second", "relu", "--channels", "0-1", code=3)
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(interrupt, run, folder, contents):
    for i in range(7, 400):  # so many that a run takes seconds
        (folder / "in" / f"{i}.png").hardlink_to(folder / "in" / f"{i % 7}.png")
    code, _, said = interrupt(*EXAMPLES, "--layer", "second", after="/400 pictures")
    assert code == 130
    assert "the same command goes on from there" in said
    assert (folder / "out" / "unfinished.npz").exists()
    run(*EXAMPLES, "--layer", "second")
    kept = contents(folder / "out")
    run(*EXAMPLES, "--layer", "second", "--overwrite")
    assert contents(folder / "out") == kept


def test_an_atlas(cli, folder):
    done = cli(*ATLAS, "--layer", "second")
    assert done.stdout == "out/index.html: second on 7 of 7 pictures\n"
    (line,) = done.notes
    assert "activations laid out by their two principal components" in line
    assert jd.read_image(folder / "out" / "atlas.png").shape == (36, 36, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--layer", "secnd"], "the nearest is second"),
        (["--channels", "9"], "channels 0 to 4"),
        (["--channels", "x"], "give numbers"),
        (["--visualize", "--visualizations", "in"], "exclude each other"),
        (["--size", "1"], "at least 2x2"),
    ],
)
def test_bad_options(cli, folder, more, message):
    done = cli(*EXAMPLES, *more, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()


def test_an_output_that_is_a_file(cli, folder):
    (folder / "out").write_text("mine")
    for command in (EXAMPLES, ATLAS):
        assert "is a file" in cli(*command, code=2).stderr
