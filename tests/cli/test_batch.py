"""``jaxdream batch`` as a process."""

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.folder.journal import open_journal
from jaxdream.images.picture_files import read_picture
from jaxdream.recipe import read_recipe

QUICK = ["--steps", "1", "--octaves", "1", "--layer", "conv1/7x7_s2"]
QUICK += ["--model", "googlenet_mini"]


@pytest.fixture
def folder(tmp_path):
    """Pictures of one size, in a folder and one below it."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    noise = Image.effect_noise((40, 30), 80)
    noise.convert("RGBA").save(tmp_path / "in" / "a.png")
    noise.rotate(180).convert("RGB").save(tmp_path / "in" / "sub" / "b.gif")
    noise.rotate(180).save(tmp_path / "in" / "c.jpg")
    return tmp_path / "in"


def dreams(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(p.relative_to(folder)): p for p in found if p.name[0] != "." and p.suffix != ".jsonl"
    }


def test_a_folder_then_what_changed_in_it_then_a_replay(run, folder, tmp_path):
    done = run("batch", "in", "-o", "out", *QUICK, "--seed", "7")
    assert done.stderr == ""
    assert "out: 3 dreamed, 0 done before, 0 failed of 3 pictures in" in done.stdout
    assert "pictures/s, device busy" in done.stdout
    out = dreams(tmp_path / "out")
    assert set(out) == {"a.png", "sub/b.png", "c.jpg"}
    assert read_picture(out["a.png"]).alpha is not None

    # Each has its own seed, and is what the other commands make with that.
    recipe = read_recipe(out["sub/b.png"])
    assert recipe.seed == jd.picture_seed(7, "sub/b.gif")
    run("replay", out["sub/b.png"], folder / "sub" / "b.gif", "-o", "again.png")
    np.testing.assert_array_equal(
        jd.read_image(out["sub/b.png"]), jd.read_image(tmp_path / "again.png")
    )
    assert read_recipe(tmp_path / "again.png") == recipe

    (folder / "bad.png").write_text("no picture")
    out["c.jpg"].unlink()
    done = run("batch", "in/**", "-o", "out", *QUICK, "--seed", "7", code=3)
    assert "bad.png is not a picture of PNG" in one_line(done)
    assert "out: 1 dreamed, 2 done before, 1 failed of 4 pictures" in done.stdout


@pytest.mark.usefixtures("folder")
def test_lists_formats_and_objectives(run, tmp_path):
    (tmp_path / "list.txt").write_text("in/a.png\nin/sub/b.gif\n")
    options = ["--objective", "conv1/7x7_s2:3", "--size", "32x20", "--format", "jpg"]
    done = run("batch", "--list", "list.txt", "-o", "out", *QUICK[:4], *QUICK[6:], *options)
    assert "1 lost their transparency" in one_line(done)
    out = dreams(tmp_path / "out")
    assert set(out) == {"in/a.jpg", "in/sub/b.jpg"}
    assert {jd.read_image(path).shape for path in out.values()} == {(20, 32, 3)}
    assert read_recipe(out["in/a.jpg"]).objective == "conv1/7x7_s2:3"


BAD = {
    "nothing": ([], "no pictures in nothing"),
    "no folder": (["none"], "none: no such file or folder"),
    "two of a name": (["in/a.png", "other/a.png"], "are both named a.png"),
    "two for a name": (["in/a.png", "other/a.gif"], "would both be written to a.png"),
    "number": (["in", "--batch", "0"], "give a whole number from 1, not 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_one_line_and_write_nothing(run, folder, tmp_path, case):
    (tmp_path / "other").mkdir()
    for name in ("a.png", "a.gif"):
        Image.open(folder / "a.png").convert("RGB").save(tmp_path / "other" / name)
    arguments, says = BAD[case]
    assert says in one_line(run("batch", *arguments, "-o", "out", *QUICK, code=2))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("folder")
def test_folders_that_cannot_be_used(run, tmp_path):
    same = one_line(run("batch", "in", "-o", "in", *QUICK, "--overwrite", code=2))
    assert "is one of the pictures to dream" in same
    (tmp_path / "out").mkdir()
    with open_journal(tmp_path / "out"):
        busy = one_line(run("batch", "in", "-o", "out", *QUICK, code=2))
    assert "another run of jaxdream is writing into out" in busy
    assert dreams(tmp_path / "out") == {}


def test_interrupted_it_keeps_what_is_done_and_goes_on(run, interrupt, folder, tmp_path):
    for number in range(120):
        (folder / f"{number}.png").write_bytes((folder / "a.png").read_bytes())
    command = ["batch", "in", "-o", "out", *QUICK, "--batch", "1", "--steps", "8"]
    code, _, said = interrupt(*command, after="/123 pictures")
    assert code == 130
    assert "interrupted: what is done is kept, the same command goes on from there" in said
    kept = dreams(tmp_path / "out")
    assert 1 <= len(kept) < 123
    assert not list((tmp_path / "out").glob(".*.png.*"))
    for path in folder.glob("*.png"):
        if path.name not in list(kept)[:1] and path.name not in ("a.png", "118.png", "119.png"):
            path.unlink()
    done = run(*command)
    assert "0 failed" in done.stdout
    assert "0 done before" not in done.stdout
    assert " 0 dreamed" not in done.stdout
