"""``jaxdream atlas``, as a user calls it."""

import importlib.util
import json
import re

import pytest

import jaxdream as jd

ATLAS = [
    "atlas", "in", "--model", "mine:net", "--size", "16", "--batch", "2", "--grid", "3",
    "--cell-size", "12", "--cell-minimum", "2", "--steps", "2", "--projection", "pca", "-o", "out",
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(pictures_and_network):
    return pictures_and_network


def test_an_atlas(cli, folder):
    done = cli(*ATLAS, "--layer", "second")
    assert done.stdout == "out/index.html: second on 7 of 7 pictures\n"
    (line,) = done.notes
    assert "activations laid out by their two principal components" in line
    assert jd.read_image(folder / "out" / "atlas.png").shape == (36, 36, 3)


def test_a_picture_that_cannot_be_read_is_told(cli, folder):
    (folder / "in" / "bad.jpg").write_bytes(b"no picture")
    done = cli(*ATLAS, "--layer", "second", code=3)
    assert done.stdout == "out/index.html: second on 7 of 8 pictures, 1 failed\n"
    assert done.notes[0].startswith("jaxdream: in/bad.jpg is not a picture of ")


def test_without_a_layer_it_is_that_of_the_networks_best_known(cli, folder):
    cli(*ATLAS)
    page = (folder / "out" / "index.html").read_text()
    (data,) = re.findall(r'id="data">(.*?)</script>', page)
    assert json.loads(data)["grid"] == 3
    assert "second" in page


def test_ctrl_c_keeps_what_is_done(cli, folder, press_ctrl_c):
    shown = press_ctrl_c(at=2)
    assert "the same command goes on from there" in cli(*ATLAS, code=130).stderr
    assert "pictures" in shown[-1]
    cli(*ATLAS)
    assert (folder / "out" / "atlas.png").exists()


def test_without_umap_it_is_told_before_anything_is_read(cli, folder, monkeypatch):
    find = importlib.util.find_spec

    def without_umap(name, *rest):
        return None if name == "umap" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_umap)
    (line,) = cli(*ATLAS, "--projection", "umap", code=2).notes
    assert "pip install 'jaxdream[atlas]', or take pca" in line
    assert not (folder / "out").exists()


def test_an_output_that_is_a_file(cli, folder):
    (folder / "out").write_text("mine")
    assert "is a file" in cli(*ATLAS, code=2).stderr
