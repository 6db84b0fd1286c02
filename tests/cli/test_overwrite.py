"""A file that is there already is replaced if jaxdream wrote it, or with ``--overwrite``."""

import shutil

import pytest
from helpers import ROOT

QUICK = ["--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--steps", "1", "--octaves", "1"]
BUNDLED = ROOT / "weights" / "googlenet_mini.safetensors"
COMMANDS = {
    "dream": (["dream", "photo.png", "-o", "out.png", *QUICK], "out.png"),
    "dream, beside its input": (["dream", "photo.png", *QUICK], "photo_dream.png"),
    "an animation": (
        ["dream", "photo.png", "-o", "dreams/", "--gif", "out.gif", *QUICK], "out.gif",
    ),
    "replay": (["replay", "dreamed.png", "photo.png", "-o", "out.png"], "out.png"),
    "zoom": (["zoom", "photo.png", "-o", "out.gif", "--frames", "1", *QUICK], "out.gif"),
    "visualize": (
        ["visualize", "--layer", "conv1/7x7_s2", "--model", "googlenet_mini", "--size", "32",
         "--steps", "1", "--no-transforms", "-o", "out.png"], "out.png",
    ),
    "filters": (["filters", "--model", "googlenet_mini", "-o", "out.png"], "out.png"),
    "weights convert": (
        ["weights", "convert", BUNDLED, "out.safetensors"], "out.safetensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS)
def test_only_files_of_ours_are_replaced_unasked(cli, photo, tmp_path, case):
    arguments, name = COMMANDS[case]
    if case == "replay":
        cli("dream", photo, "-o", "dreamed.png", *QUICK)
    target = tmp_path / name
    target.write_bytes(b"the user's own")
    (line,) = cli(*arguments, code=2).notes
    assert line == (
        f"jaxdream: {name} is there already, and not known to be made by jaxdream: choose another "
        "name, or give --overwrite"
    )
    assert target.read_bytes() == b"the user's own"
    cli(*arguments, "--overwrite")
    first = target.read_bytes()
    assert first != b"the user's own"
    cli(*arguments)  # now it is ours
    assert len(target.read_bytes()) == pytest.approx(len(first), rel=0.1)


def test_a_format_that_keeps_no_recipe_is_never_known(cli, photo, tmp_path):
    cli("dream", photo, "-o", "out.bmp", *QUICK)
    cli("dream", photo, "-o", "out.bmp", *QUICK, code=2)
    shutil.copy(tmp_path / "out.bmp", tmp_path / "before.bmp")
    cli("dream", photo, "-o", "out.bmp", *QUICK, "--overwrite")
    assert (tmp_path / "out.bmp").read_bytes() == (tmp_path / "before.bmp").read_bytes()


def test_what_a_killed_run_left_is_removed(cli, photo, tmp_path):
    (tmp_path / ".out.png.0123abcd").write_bytes(b"half")
    (tmp_path / ".out.gif.0123abcd").mkdir()
    (tmp_path / ".out.gif.0123abcd" / "out_00001.png").write_bytes(b"half")
    (tmp_path / ".other.png.0123abcd").write_bytes(b"of another run")
    cli("dream", photo, "-o", "out.png", "--gif", "out.gif", *QUICK)
    hidden = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert hidden == {".other.png.0123abcd"}
