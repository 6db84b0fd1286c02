"""``--model MODULE:FUNCTION``: networks of the user's own code."""

import shutil
import sys

import numpy as np
import pytest
from helpers import ROOT

import jaxdream as jd
from jaxdream.cli.own_network import load_own
from jaxdream.recipe import read_recipe

CODE = """
from pathlib import Path
import jaxdream as jd
from jaxdream.models.weights.registry import CAFFE
from own_networks import SIDE, own_net, tiny_function, token_network, token_params
from tiny_network import tiny_network

Path("imported").touch()

def net():
    function, weights = tiny_function(tiny_network())
    return jd.wrap(function, variables=weights, pixels=CAFFE, default_layer="relu")

def digits():
    return own_net()

def vit():
    return jd.wrap(token_network, variables=token_params(), size=SIDE)

def known():
    return tiny_network()

def fails():
    raise KeyError("the file of weights")

def leaves():
    raise SystemExit(3)

def nothing():
    return None

not_a_function = 3
instance = own_net()
"""


@pytest.fixture(autouse=True)
def code(tmp_path, monkeypatch):
    """The user's module in the folder in which commands run; gone again after the test."""
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("def net(:\n")
    (tmp_path / "needy.py").write_text("\nimport not_installed_anywhere\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("mine", "broken", "needy"):
        sys.modules.pop(name, None)


DREAM = ["--steps", "2", "--octaves", "2", "--jitter", "4", "--model", "mine:net"]


def test_dream_and_replay(cli, photo, tmp_path):
    cli("dream", photo, *DREAM, "-o", "dreamed.png")
    dreamed = tmp_path / "dreamed.png"
    recipe = read_recipe(dreamed)
    assert recipe.provenance.model == "mine:net"
    assert recipe.objective == "relu"
    done = cli("replay", dreamed, photo, "--model", "mine:net")
    assert done.stderr == ""
    again = jd.read_image(tmp_path / "dreamed_replay.png")
    np.testing.assert_array_equal(again, jd.read_image(dreamed))
    line = cli("replay", dreamed, photo, "--model", "mine:digits", "--overwrite", code=2).stderr
    assert "other weights of mine:net" in line
    assert line.endswith("give them by its function\n")


def test_a_picture_does_not_choose_which_code_is_run(cli, photo, tmp_path):
    cli("dream", photo, *DREAM, "-o", "dreamed.png")
    (tmp_path / "imported").unlink()
    del sys.modules["mine"]
    line = cli("replay", "dreamed.png", photo, code=2).stderr
    assert line == (
        "jaxdream: dreamed.png was dreamed with a network of one's own (mine:net): a picture "
        "cannot make jaxdream run code, so give the network by --model MODULE:FUNCTION\n"
    )
    assert "mine" not in sys.modules
    assert not (tmp_path / "imported").exists()


def test_layers(cli):
    lines = cli("layers", "--model", "mine:net").stdout.splitlines()
    assert lines[0] == "mine:net: ** is the default"
    assert [line.split() for line in lines[2:]] == [
        ["data", "3", "224x224x3"],
        ["first", "4", "224x224x4"],
        ["**", "relu", "4", "224x224x4"],
        ["pool", "4", "112x112x4"],
        ["second", "5", "112x112x5"],
    ]


def test_visualize_classes_without_names(cli, tmp_path):
    cli("visualize", "--model", "mine:digits", "--class", "0", "3", "--size", "24", "--steps", "2",
        "--no-transforms")  # fmt: skip
    assert jd.read_image(tmp_path / "3.png").shape == (24, 24, 3)
    for text, message in {
        "4": "the classifier has classes 0 to 3, not 4",
        "banana": "this network has 4 classes of its own, which have no names here",
    }.items():
        assert message in cli("visualize", "--model", "mine:digits", "--class", text, code=2).stderr
    assert "4 classes of its own" in cli("classes", "--model", "mine:digits", code=2).stderr


def test_a_network_of_one_size(cli, photo, tmp_path):
    options = ["--layer", "mixed", "--steps", "2", "--no-transforms"]
    cli("visualize", "--model", "mine:vit", *options, "--neuron", "2@7", "-o", "neuron.png")
    assert jd.read_image(tmp_path / "neuron.png").shape == (12, 12, 3)
    line = cli("dream", photo, "--model", "mine:vit", "--steps", "2", code=2).stderr
    assert "72x60 pixels and the network takes 12x12 only: resize it (--size 12x12)" in line
    cli("dream", photo, "--model", "mine:vit", "--size", "12x12", "--steps", "2", "-o", "out.png")
    assert jd.read_image(tmp_path / "out.png").shape == (12, 12, 3)


def test_a_folder_and_another_precision(cli, photo, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(photo, tmp_path / "in" / "a.png")
    cli("batch", "in", "-o", "out", *DREAM, "--precision", "bfloat16")
    assert read_recipe(tmp_path / "out" / "a.png").provenance.precision == "bfloat16"


@pytest.mark.parametrize("text", ["mine:known", "mine:instance", "mine:digits"])
def test_every_network_has_the_name_that_was_given(text):
    assert load_own(text).name == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine:", "give MODULE:FUNCTION, as in package.module:function"),
        ("a b:net", "give MODULE:FUNCTION"),
        ("none_such:net", "there is no module none_such, neither installed nor in the current"),
        ("mine.sub:net", "there is no module mine.sub"),
        ("mine:nets", "mine has no function nets: did you mean net?"),
        ("mine.net", "--model 'mine.net': give MODULE:FUNCTION, as in package.module:function"),
        ("a.safetensors", "--model 'a.safetensors': give MODULE:FUNCTION, as in package.module:"
         "function, or a weight file by --weights"),
        ("mine:not_a_function", "mine has no function not_a_function"),
        ("mine:fails", "fails: KeyError: 'the file of weights' (mine.py, line 24)"),
        ("mine:leaves", "fails: SystemExit: 3 (mine.py, line 27)"),
        ("mine:nothing", "of type NoneType cannot be wrapped"),
        ("broken:net", "fails: SyntaxError: "),
        ("needy:net", "fails: ModuleNotFoundError: No module named 'not_installed_anywhere' "
         "(needy.py, line 2)"),
    ],
)  # fmt: skip
def test_errors_are_one_line(cli, text, message):
    done = cli("layers", "--model", text, code=2)
    assert done.stdout == ""
    (line,) = done.notes
    assert message in line


def test_weights_are_those_of_its_function(cli):
    weights = ROOT / "weights" / "googlenet_mini.safetensors"
    line = cli("layers", "--model", "mine:net", "--weights", weights, code=2).stderr
    assert "--weights is for jaxdream's networks: leave it out with mine:net" in line
