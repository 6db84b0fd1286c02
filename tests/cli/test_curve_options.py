"""``--curve``, of the commands that make a film."""

import argparse
import hashlib

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd
from jaxdream.cli.commands import build_parser
from jaxdream.cli.curve_options import (
    add_curves,
    check_curves,
    curve_files,
    film_objective,
    named_curves,
)
from jaxdream.curves.names import dream_curve_settings, zoom_curve_settings
from jaxdream.curves.text import parse_curves
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError

UNKNOWN_LENGTH = Timeline(25, None)


def options(*curves, **given):
    values = {"objective": None, "layer": None, "guide": [], "guide_weight": [], "look": None}
    return argparse.Namespace(curves=list(curves), **values | given)


def checked(*curves, timeline=UNKNOWN_LENGTH, **given):
    return check_curves(options(*curves, **given), zoom_curve_settings(), timeline)


@pytest.fixture
def model():
    return jd.load_model("googlenet_mini")


def named(model, *curves):
    return named_curves(checked(*curves), model, 224, print)


@pytest.fixture
def guides(tmp_path, monkeypatch):
    """Pictures of one name in two folders, and a vector."""
    monkeypatch.chdir(tmp_path)
    for number, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((40, 300, 3), 90 + number, np.uint8)).save(f"{folder}/g.png")
    np.save(tmp_path / "v.npy", np.ones(64, np.float32))
    return tmp_path


def test_help_names_what_can_have_a_curve():
    parser = argparse.ArgumentParser()
    add_curves(parser)
    zoom = build_parser().command("zoom")
    for helped, allowed in ((parser, dream_curve_settings()), (zoom, zoom_curve_settings())):
        (text,) = (a.help or "" for a in helped._actions if a.option_strings == ["--curve"])
        named = text.removeprefix("how ").partition(" changes")[0]
        with pytest.raises(JaxdreamError, match="there are") as error:
            parse_curves(["quite_another: 1"], allowed)
        there = str(error.value).partition("there are ")[2]
        assert sorted(named.replace(" or ", ", ").split(", ")) == sorted(there.split(", "))
        example = text.partition('such as "')[2].partition('"')[0]
        assert parse_curves([example], allowed)
        assert parser.parse_args(["--curve", "a", "--curve", "b"]).curves == ["a", "b"]
        assert "50% " not in text.replace("%%", ""), "argparse formats it"


def test_curves_by_name():
    curves = checked("zoom: 0 0.02, 4s 0.05 in-out", "shift-y: 3", "objective: 0 3b, 9 4c")
    assert list(curves) == ["zoom", "shift_y", "objective"]
    assert checked() == {}


def test_of_a_film_whose_length_is_not_known():
    with pytest.raises(JaxdreamError, match="the number of frames is not known, so 50% has no"):
        checked("zoom: 0 0.02, 50% 0.05")
    with pytest.raises(JaxdreamError, match="nothing named 'zoom' can have a curve"):
        check_curves(options("zoom: 0.1"), dream_curve_settings(), UNKNOWN_LENGTH)
    assert checked("zoom: f")["zoom"]  # it leaves its range, but perhaps after the end
    with pytest.raises(JaxdreamError, match="at frame 1 zoom is a number"):
        checked("zoom: f", timeline=Timeline(25, 10))


@pytest.mark.parametrize(
    ("curves", "count", "fps"),
    [
        ([], False, False),
        (["zoom: 0 0.02, 9 0.05 in", "rotate: sin(f) + pi"], False, False),
        (["zoom: 0.02", "rotate: 0 1, 2s 2"], False, True),
        (["rotate: 0 1, 9 1 + min(t, 3)"], False, True),
        (["zoom: 0.02", "rotate: 0 1, 50% 2"], True, False),
        (["objective: 0 conv2/3x3, 100% pool1/3x3_s2"], True, False),
        (["objective: 0 conv2/3x3, 2s pool1/3x3_s2"], False, True),
    ],
)  # fmt: skip
def test_what_curves_depend_on(model, curves, count, fps):
    found = named_curves(checked(*curves, timeline=Timeline(25, 10)), model, 224, print)
    assert (found.depends_on_count, found.depends_on_fps) == (count, fps)
    recorded = found.recorded(12.5)
    assert ("curves" in recorded, "fps" in recorded) == (bool(curves), fps)


def test_a_record_is_the_same_however_curves_were_written(model):
    first = named(model, "shift-x:  0 1 ,  8 2", "zoom: 0 0.02, 8 0.05").recorded(25)
    assert first == named(model, "zoom: 0 0.02,8 0.05", "shift_x: 0 1,8 2").recorded(24)
    assert first == {"curves": ["shift_x: 0 1, 8 2", "zoom: 0 0.02, 8 0.05"]}


def test_files_are_read_and_named_without_their_folders(model, guides):
    text = "objective: 0 guide('a/g.png', conv2/3x3), 9 direction('v.npy', pool1/3x3_s2)"
    curves, said = checked(text), []
    assert curve_files(curves, 4 << 30) == curve_files(curves, None) == ("a/g.png", "v.npy")
    assert curve_files(checked("zoom: 0.1"), None) == ()
    found = named_curves(curves, model, 200, said.append)
    assert said == ["a/g.png is used at 200x27 pixels (--guide-size)"]
    assert found.recorded(25) == {
        "curves": [
            'objective: 0 guide("g.png", conv2/3x3), 9 direction("v.npy", pool1/3x3_s2)',
        ]
    }
    hashes = {name: (guides / path).read_bytes() for name, path in
              {"g.png": "a/g.png", "v.npy": "v.npy"}.items()}  # fmt: skip
    assert found.sha256 == {n: hashlib.sha256(c).hexdigest() for n, c in hashes.items()}
    # Read again for the dream, in the same way.
    assert found.files.picture("a/g.png").shape == (27, 200, 3)
    assert len(said) == 1
    assert film_objective(options(text), found, model, 200, print) == (None, ("", found.sha256))


def test_without_a_curve_of_it_the_objective_is_that_of_the_options(model):
    found = named(model, "zoom: 0.1")
    asked = options(layer="conv2/3x3", seed=0)
    objective, recipe = film_objective(asked, found, model, 224, print)
    assert (repr(objective), recipe) == ("conv2/3x3", ("conv2/3x3", {}))
    assert found.sha256 == {}


@pytest.mark.usefixtures("guides")
def test_two_files_of_one_name_are_refused(model):
    curves = checked("objective: 0 guide('a/g.png', conv2/3x3), 9 guide('b/g.png', conv2/3x3)")
    with pytest.raises(JaxdreamError, match=r"two files are named g\.png: rename one"):
        named_curves(curves, model, 300, print)


def test_a_picture_must_fit_into_the_memory(refused, corpus):
    Image.fromarray(np.zeros((6000, 6000, 3), np.uint8)).save(corpus / "large.png")
    curve = ["--curve", 'objective: guide("large.png", conv2/3x3)', "--memory", "450MB"]
    line = refused(["zoom", "photo.png", "--model", "googlenet_mini", "-o", "out", *curve])
    assert "large.png takes about" in line
    assert "give more --memory, or a smaller picture" in line


REFUSED = {
    "--curve ''": "a curve is NAME: TIME VALUE, TIME VALUE",
    "--curve 'zom: 0.1'": "nothing named 'zom' can have a curve: did you mean zoom?",
    "--curve 'steps: 3'": "nothing named 'steps' can have a curve: did you mean step_size?",
    "--curve 'shift: 3'": "did you mean shift_",
    "--curve 'zoom: 0 0.1, 4s 2'": "zoom is a number from -0.99 to 0.99, not 2",
    "--curve 'damping: f'": "at frame 2 damping is a number from 0 to 1, not 2",
    "--curve 'zoom: 4s 0.1, 2s 0.2'": "2s does not come after 4s: give times that rise",
    "--curve 'zoom: 0 0, 50% 0, 9 0' --frames 50": "9 (frame 9) does not come after 50%",
    "--curve 'zoom: 0.1' --curve 'zoom: 0.2'": "there are two curves of zoom: give one",
    "--curve 'zoom: 0 0.1, 9 0.2 in-uot'": "no easing 'in-uot': did you mean in-out?",
    "--curve 'rotate: 1/(f - 3)'": "at frame 3 '1/(f - 3)' divides by 0",
    "--curve 'objective: 0 3b, 9 4c' --layer 3b": "it takes the place of --layer: give one of",
    "--curve 'objective: 3b' --objective 4c": "it takes the place of --objective: give one of",
    "--curve 'objective: 3b' --guide guide.png --layer ''":
        "it takes the place of --layer and --guide: give one of the two",
    "--curve 'objective: 0 3b, 9 9z'": "9z",
    "--curve 'objective: 0 conv2/3x3, 9 3b +'": "expected a layer name at the end",
    "--curve 'objective: 0 3b, 9 $'": "objective '$': cannot read '$'",
    "--curve 'objective: 0 3b, 9 guide(\"no.png\")'": "no.png: no such file",
    "--curve 'objective: 0 3b, 9 direction(\"no.npy\")'": "no.npy: no such file",
    "--curve 'objective: 0 3b, 9 guide(\"pipe.png\")'": "pipe.png is a pipe",
    "--curve 'objective: guide(\"text.jpg\")'": "text.jpg",
    "--curve 'objective: guide(\"move.gif\")' -o move.gif":
        "move.gif is the same file as a file of a curve move.gif",
    "--curve 'objective: guide(\"in/a.png\")' -o move.gif --overwrite --guide-weight 2":
        "--guide-weight needs a --guide FILE",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_curves_are_one_line_and_write_nothing(refused, arguments):
    line = refused(f"zoom photo.png -o out --model googlenet_mini --frames 5 {arguments}")
    assert REFUSED[arguments] in line
