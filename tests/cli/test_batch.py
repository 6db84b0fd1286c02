"""``jaxdream batch`` with the bundled network."""

import os

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd
from jaxdream.folder.journal import open_journal
from jaxdream.images.picture_files import read_picture
from jaxdream.recipe import read_recipe

QUICK = ["--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--steps", "1", "--octaves", "1"]


@pytest.fixture
def folder(tmp_path):
    """Pictures of one size, in a folder and one below it."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (30, 40), np.uint8))
    noise.convert("RGBA").save(tmp_path / "in" / "a.png")
    noise.rotate(180).convert("RGB").save(tmp_path / "in" / "sub" / "b.gif")
    noise.rotate(180).save(tmp_path / "in" / "c.jpg")
    return tmp_path / "in"


def dreams(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(p.relative_to(folder)): p for p in found if p.name[0] != "." and p.suffix != ".jsonl"
    }


def test_a_folder_and_what_changed_in_it(cli, folder, tmp_path):
    done = cli("batch", "in", "-o", "out", *QUICK, "--seed", "7")
    assert done.stderr == ""
    assert "out: 3 dreamed, 0 done before, 0 failed of 3 pictures in" in done.stdout
    assert "pictures/s, device busy" in done.stdout
    out = dreams(tmp_path / "out")
    assert set(out) == {"a.png", "sub/b.png", "c.jpg"}
    assert read_picture(out["a.png"]).alpha is not None

    (folder / "bad.png").write_text("no picture")
    out["c.jpg"].unlink()
    done = cli("batch", "in/**", "-o", "out", *QUICK, "--seed", "7", code=3)
    (note,) = done.notes
    assert "in/bad.png is not a picture of PNG" in note
    assert "out: 1 dreamed, 2 done before, 1 failed of 4 pictures in" in done.stdout


@pytest.mark.usefixtures("folder")
def test_nothing_to_do_is_said_shortly(cli):
    cli("batch", "in", "-o", "out", *QUICK)
    done = cli("batch", "in", "-o", "out", *QUICK)
    assert done == ("out: 0 dreamed, 3 done before, 0 failed of 3 pictures\n", "")


def test_each_has_its_own_seed_and_is_replayed(cli, folder, tmp_path):
    cli("batch", "in", "-o", "out", *QUICK, "--seed", "7")
    dreamed = tmp_path / "out" / "sub" / "b.png"
    recipe = read_recipe(dreamed)
    assert recipe.source.seed == jd.picture_seed(7, "sub/b.gif")
    cli("replay", dreamed, folder / "sub" / "b.gif", "-o", "again.png")
    difference = jd.read_image(dreamed) - jd.read_image(tmp_path / "again.png")
    assert np.abs(difference).max() <= 1
    assert read_recipe(tmp_path / "again.png") == recipe


@pytest.mark.usefixtures("folder")
def test_lists_formats_and_objectives(cli, tmp_path):
    (tmp_path / "list.txt").write_text("in/a.png\nin/sub/b.gif\n")
    options = ["--objective", "conv1/7x7_s2:3", "--size", "32x20", "--format", "jpg"]
    short = [*QUICK[:2], *QUICK[4:]]
    done = cli("batch", "--list", "list.txt", "-o", "out", *short, *options)
    assert done.stderr == "jaxdream: 1 lost their transparency, which JPEG does not have\n"
    out = dreams(tmp_path / "out")
    assert set(out) == {"in/a.jpg", "in/sub/b.jpg"}
    assert {jd.read_image(path).shape for path in out.values()} == {(20, 32, 3)}
    assert read_recipe(out["in/a.jpg"]).objective == "conv1/7x7_s2:3"


def test_odd_files_do_not_stop_the_others(cli, folder, tmp_path):
    os.mkfifo(folder / "pipe.png")
    (folder / "empty.png").touch()
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(400 << 30)
    (tmp_path / "list.txt").write_bytes(b"in/a.png\nnul\0.png\nx\x1b.png\n")
    done = cli("batch", "in", "--list", "list.txt", "-o", "out", *QUICK, code=3)
    assert len(done.notes) == 5
    for note in (
        "in/pipe.png is a pipe, not a regular file", "in/empty.png is not a picture",
        "in/sparse.png is too large", "x?.png: no such file", "cannot read nul?.png",
    ):  # fmt: skip
        assert note in done.stderr
    assert set(dreams(tmp_path / "out")) == {"a.png", "in/a.png", "sub/b.png", "c.jpg"}


def test_ctrl_c_keeps_finished_pictures_and_goes_on(cli, folder, tmp_path, press_ctrl_c):
    command = ["batch", "in", "-o", "out", *QUICK, "--batch", "1"]
    for number in range(5):
        (folder / f"{number}.png").write_bytes((folder / "a.png").read_bytes())
    press_ctrl_c(at=6)
    done = cli(*command, code=130)
    assert done.stderr == (
        "jaxdream: interrupted: finished pictures are kept, and the same command goes on from "
        "there\n"
    )
    kept = dreams(tmp_path / "out")
    assert 1 <= len(kept) < 8
    assert not list((tmp_path / "out").glob(".*.png.*"))
    done = cli(*command)
    assert f"{8 - len(kept)} dreamed, {len(kept)} done before, 0 failed" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_full_disk_stops_it_with_exit_code_3(cli, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxdream.files.writing.os.replace", full)
    done = cli("batch", "in", "-o", "out", *QUICK, code=3)
    assert "No space left on device: stopped; finished pictures are kept" in done.stderr
    assert dreams(tmp_path / "out") == {}


@pytest.mark.usefixtures("folder")
def test_another_run_in_the_folder_is_refused(cli, tmp_path):
    (tmp_path / "out").mkdir()
    with open_journal(tmp_path / "out"):
        done = cli("batch", "in", "-o", "out", *QUICK, code=2)
    assert "another run of jaxdream is writing into out" in done.stderr
    assert dreams(tmp_path / "out") == {}


@pytest.mark.usefixtures("folder")
def test_files_that_jaxdream_did_not_make_are_kept(cli, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_text("mine")
    done = cli("batch", "in", "-o", "out", *QUICK, code=3)
    assert "out/a.png exists and is not known to be a dream of in/a.png" in done.stderr
    assert (tmp_path / "out" / "a.png").read_text() == "mine"
    cli("batch", "in", "-o", "out", *QUICK, "--overwrite")
    assert jd.read_image(tmp_path / "out" / "a.png").shape == (30, 40, 3)


REFUSED = {
    "": "no pictures in nothing (of .apng, ",
    "none": "none: no such file or folder",
    "folder": "no pictures in folder",
    "'*.xyz'": "*.xyz: no file matches",
    "--list none.txt": "none.txt: no such file",
    "--list pipe.png": "pipe.png is a pipe, not a regular file",
    "in/a.png other/a.png": "in/a.png and other/a.png are both named a.png",
    "other/a.gif other/a.png": "a.gif and a.png would both be written to a.png",
    "in --format bmp": "argument --format: invalid choice: 'bmp'",
    "in --size wide --model googlenet_mini": "'wide' is not a size",
    "--cluster in": "--cluster takes auto, local or HOST:PORT of a Ray cluster, not 'in'",
    "in --shards tar": "--shards needs --cluster",
    "in --shards zip": "argument --shards: invalid choice: 'zip'",
    "in -o ''": "--output is empty: name a file",
    "in -o in --overwrite": "in/a.png is one of the pictures to dream",
    "in -o text": "text is a file: name a folder to write into",
    "in -o other --guide other/a.png --overwrite --model googlenet_mini --layer conv1/7x7_s2":
        "other/a.png is the mask or a file of the objective, and a dream would take its place",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    output = "" if "-o " in arguments else "-o out"
    assert REFUSED[arguments] in refused(f"batch {arguments} {output}")
