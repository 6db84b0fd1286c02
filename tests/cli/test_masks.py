"""``--mask`` and ``--tile``: where a picture is dreamed, and the errors about it."""

import numpy as np
import pytest
from PIL import Image

from jaxdream import read_image, read_recipe, write_image

MINI = ["--model", "googlenet_mini", "--steps", "1", "--octaves", "1", "--jitter", "4"]
QUICK = [*MINI, "--layer", "conv1/7x7_s2"]


@pytest.fixture
def mask(tmp_path):
    """A mask of ``photo``: white on the left, black on the right."""
    (tmp_path / "masks").mkdir()
    levels = np.zeros((60, 72, 3), np.float32)
    levels[:, :30] = 255
    write_image(tmp_path / "masks" / "left.png", levels)
    return tmp_path / "masks" / "left.png"


def changed(before, after):
    """Which columns of a picture changed."""
    return np.flatnonzero((read_image(before) != read_image(after)).any(axis=(0, 2)))


def test_dreams_within_a_mask_and_again_from_the_recipe(cli, photo, mask, tmp_path):
    cli("dream", photo, *QUICK, "--mask", mask, "-o", "out.png")
    assert changed(photo, tmp_path / "out.png").max() == 29
    recipe = read_recipe(tmp_path / "out.png")
    assert recipe.source.mask == "left.png"
    assert list(recipe.files) == ["left.png"]
    line = cli("replay", "out.png", photo, code=2).stderr
    assert "dreamed with left.png" in line
    assert "--mask FILE" in line
    cli("replay", "out.png", photo, "--mask", mask)
    again = read_image(tmp_path / "out_replay.png")
    np.testing.assert_array_equal(again, read_image(tmp_path / "out.png"))
    cli("dream", photo, *QUICK, "--mask", mask, "--mask-invert", "-o", "right.png")
    assert changed(photo, tmp_path / "right.png").min() == 30


def test_the_transparency_of_a_picture_is_its_mask(cli, photo, tmp_path):
    alpha = np.zeros((60, 72), np.uint8)
    alpha[:, 50:] = 255
    write_image(tmp_path / "cut.png", read_image(photo), alpha=alpha)
    cli("dream", "cut.png", *QUICK, "--mask", "alpha", "-o", "out.png")
    assert changed(photo, tmp_path / "out.png").min() == 50
    cli("replay", "out.png", "cut.png")
    again = read_image(tmp_path / "out_replay.png")
    np.testing.assert_array_equal(again, read_image(tmp_path / "out.png"))


def test_a_folder_is_dreamed_within_a_mask(cli, photo, mask, tmp_path):
    (tmp_path / "in").mkdir()
    for name, picture in {"a.png": read_image(photo), "b.png": read_image(photo)[::2]}.items():
        write_image(tmp_path / "in" / name, picture)
    done = cli("batch", "in", "-o", "out", *QUICK, "--mask", mask)
    assert f"the mask {mask} is 72x60 pixels: it is resized for" in done.stderr
    for name in ("a.png", "b.png"):
        assert 25 < changed(tmp_path / "in" / name, tmp_path / "out" / name).max() < 31
    assert (
        "0 dreamed, 2 done before" in cli("batch", "in", "-o", "out", *QUICK, "--mask", mask).stdout
    )


def test_a_zoom_is_dreamed_within_a_mask(cli, photo, mask, tmp_path):
    cli("zoom", photo, "-o", "frames", *QUICK, "--mask", mask, "--frames", "2")
    assert changed(photo, tmp_path / "frames" / "0001.png").max() == 29


def test_a_picture_is_made_to_tile(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--tile", "both", "--make-tile", "-o", "out.png")
    assert read_recipe(tmp_path / "out.png").settings.seamless == "both"
    cli("replay", "out.png", photo)
    out = read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(read_image(tmp_path / "out_replay.png"), out)
    for axis in (0, 1):
        inside = np.abs(np.diff(out, axis=axis)).mean(axis=(1 - axis, 2)).max()
        assert np.abs(out.take(0, axis) - out.take(-1, axis)).mean() < 1.5 * inside


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--mask none.png", "none.png: no such file"),
        ("--mask text.jpg", "text.jpg"),
        ("--mask alpha", "photo.png has no transparency that could be its mask"),
        ("--mask black.png", "the mask black.png is black everywhere: nothing would be dreamed"),
        ("--mask-invert", "need a mask: give one by --mask FILE"),
        ("--mask-feather 3", "need a mask: give one by --mask FILE"),
        ("--mask guide.png --tile x", "a mask cannot be combined with --tile"),
        ("--make-tile", "--make-tile needs --tile"),
        ("--tile z", "choose from 'x', 'y', 'both'"),
        ("--mask large.png --memory 450MB", "large.png"),
        ("--guide large.png --memory 450MB", "large.png"),
        ("--strength 2", "a number from 0 to 1"),
        ("--smallest 0", "a whole number from 1"),
    ],
)
def test_what_does_not_go_is_one_line(refused, corpus, options, line):
    write_image(corpus / "black.png", np.zeros((48, 64, 3)))
    if "large" in options:
        Image.new("RGB", (6000, 6000)).save(corpus / "large.png")
    assert line in refused(f"dream photo.png -o out.png --model googlenet_mini {options}")


def test_a_dream_does_not_take_the_place_of_its_mask(refused, corpus):
    write_image(corpus / "white.png", np.full((48, 64, 3), 255.0))
    assert "the mask" in refused("dream photo.png -o white.png --mask white.png --overwrite")


def test_a_recipe_of_a_picture_needs_the_picture(cli, photo):
    cli("dream", photo, *QUICK, "-o", "out.png")
    line = cli("replay", "out.png", code=2).stderr
    assert "out.png was dreamed from a picture (photo.png): name it as well" in line


def test_a_replay_does_not_take_the_place_of_its_mask(cli, photo, mask, tmp_path):
    beside = tmp_path / "left.png"
    beside.write_bytes(mask.read_bytes())
    cli("dream", photo, *QUICK, "--mask", "left.png", "-o", "out.png")
    done = cli("replay", "out.png", photo, "-o", "left.png", "--overwrite", code=2)
    assert "left.png is the same file as a file of the recipe" in done.stderr
    assert beside.read_bytes() == mask.read_bytes()


def test_a_mask_of_a_folder_must_fit_into_the_memory(cli, photo, tmp_path):
    Image.new("RGB", (6000, 6000)).save(tmp_path / "large.png")
    command = ["batch", photo, "-o", "out", *QUICK, "--mask", "large.png", "--memory", "450MB"]
    assert "large.png" in cli(*command, code=2).stderr
    assert not (tmp_path / "out").exists()
