"""Which pictures are meant, and what their dreams are named."""

import io
import sys
from pathlib import Path

import pytest

from jaxdream import JaxdreamError
from jaxdream.folder.inputs import Input, find_inputs, output_names

FILES = ["in/b.jpg", "in/a.PNG", "in/sub/deep/c.webp", "in/sub/d.gif", "in/notes.txt", "in/.e.png",
         "in/.hidden/f.png", "other/b.jpg", "g.tif"]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


def names(*inputs, **options):
    found = find_inputs(inputs, **options)
    assert all(one.path.exists() for one in found)
    return [one.relative_path for one in found]


def test_folders_files_and_patterns():
    everything = ["a.PNG", "b.jpg", "sub/d.gif", "sub/deep/c.webp"]
    assert names("in") == names("in/") == names(Path("in").absolute()) == everything
    assert names("in/sub", "g.tif") == ["d.gif", "deep/c.webp", "g.tif"]
    assert names("in/notes.txt", "in/.e.png") == [".e.png", "notes.txt"]  # as it was asked for
    assert names("in/*") == names("in/**") == names("in/**/*", "in") == everything
    assert names("in/*/*.gif") == ["sub/d.gif"]
    assert names("*.tif") == ["g.tif"]
    assert names("i*/**/*.[jw]*") == ["in/b.jpg", "in/sub/deep/c.webp"]
    assert names("in", leave_out="in/sub") == names("in/**", leave_out="in/sub") == everything[:2]
    Path("in/x[1].png").touch()
    assert names("in/x[1].png") == ["x[1].png"]


def test_lists(monkeypatch):
    Path("list").write_bytes(b"in/sub/d.gif\n\n./g.tif\r\n")
    Path("more").write_text(f"{Path('other/b.jpg').absolute()}\n../{Path.cwd().name}/in/a.PNG")
    assert names("@list") == names(lists=["list"]) == ["g.tif", "in/sub/d.gif"]
    assert names("@list", lists=["more"]) == ["a.PNG", "b.jpg", "g.tif", "in/sub/d.gif"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/b.jpg\n")))
    assert names(lists=["-"]) == ["in/b.jpg"]
    # One line of many that names nothing is that picture's error, when it is read.
    Path("list").write_text("none.png")
    assert find_inputs(["@list"]) == [Input(Path("none.png"), "none.png")]


BAD = {
    "file": (["none.jpg"], "none.jpg: no such file or folder"),
    "list": (["@none"], "none: no such file"),
    "pattern": (["in/*.xyz"], r"in/\*.xyz: no file matches"),
    "nothing": ([], "no pictures in nothing"),
    "no picture": (["in/.hidden/../notes.*"], "no pictures in"),
    "same name": (["in/b.jpg", "other"], "in/b.jpg and other/b.jpg are both named b.jpg"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case):
    inputs, says = BAD[case]
    with pytest.raises(JaxdreamError, match=says):
        find_inputs(inputs)


def inputs(*names):
    return [Input(Path(name), name) for name in names]


def test_dreams_have_their_pictures_names_where_a_format_can_hold_them():
    given = inputs(
        "a.jpg", "s/b.PNG", "c.gif", "d.bmp", "e.jfif", "f", "g.xyz", "h.tiff", "i.v2.webp"
    )
    assert output_names(given, "out") == [
        "a.jpg", "s/b.PNG", "c.png", "d.png", "e.jpg", "f.png", "g.png", "h.tiff", "i.v2.webp",
    ]  # fmt: skip
    assert output_names(inputs("a.jpeg", "i.v2.webp"), "out", ".jpg") == ["a.jpeg", "i.v2.jpg"]
    assert output_names(inputs("a.b/c"), "out", ".png") == ["a.b/c.png"]
    with pytest.raises(JaxdreamError, match=r"a\.gif and a\.png would both be written to a\.png"):
        output_names(inputs("a.gif", "a.png"), "out")
    with pytest.raises(JaxdreamError, match=r"pictures are written as .*, not '.xyz'"):
        output_names(inputs("a.gif"), "out", ".xyz")


def test_no_dream_leaves_the_folder():
    with pytest.raises(JaxdreamError, match=r"out/\.\./x\.png leads out of the folder out"):
        output_names(inputs("../x.png"), "out")
    Path("deep/er").mkdir(parents=True)
    Path("top.png").touch()
    with pytest.raises(JaxdreamError, match="leads out of the folder"):
        output_names(find_inputs(["deep/*/../../top.png"]), "out")


def test_a_name_that_no_file_can_have_is_that_pictures_error():
    assert output_names(inputs("nul\0.png", "a.png"), "out") == ["nul\0.png", "a.png"]


def test_no_dream_takes_the_place_of_a_picture():
    with pytest.raises(JaxdreamError, match=r"in/a\.PNG is one of the pictures to dream"):
        output_names(find_inputs(["in"]), "in")
    with pytest.raises(JaxdreamError, match="is one of the pictures to dream"):
        output_names(find_inputs(["in/b.jpg", "g.tif"]), Path("in").absolute(), ".jpg")
    assert output_names(find_inputs(["in/b.jpg"]), "other", ".png") == ["b.png"]
