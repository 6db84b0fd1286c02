"""``--from noise``: dreams and zooms that begin without a picture."""

import numpy as np
import pytest

from jaxdream import read_image, read_recipe
from jaxdream.images.noise import noise_picture

QUICK = [
    "--model", "googlenet_mini", "--steps", "1", "--octaves", "1", "--jitter", "4",
    "--layer", "conv1/7x7_s2", "--from", "noise", "--size", "48x40", "--seed", "5",
]  # fmt: skip


def test_a_dream_begins_from_noise_and_is_made_again(cli, tmp_path):
    assert cli("dream", *QUICK).stdout == "wrote noise_dream.png\n"
    dreamed = read_image(tmp_path / "noise_dream.png")
    assert dreamed.shape == (40, 48, 3)
    assert np.abs(dreamed - noise_picture(5, "48x40").pixels).mean() > 0.5
    assert read_recipe(tmp_path / "noise_dream.png").input_name == "noise"
    cli("replay", "noise_dream.png")
    np.testing.assert_array_equal(read_image(tmp_path / "noise_dream_replay.png"), dreamed)
    done = cli("replay", "noise_dream.png", "noise_dream.png", code=2)
    assert "noise_dream.png began from noise: leave out noise_dream.png" in done.stderr


def test_a_zoom_begins_from_noise(cli, tmp_path):
    cli("zoom", *QUICK, "--frames", "2", "-o", "frames")
    assert {path.name for path in (tmp_path / "frames").glob("*.png")} == {"0001.png", "0002.png"}


def test_the_noise_is_that_of_its_seed():
    first, again, other = (noise_picture(seed, (9, 7)) for seed in (1, 1, 2))
    assert first.sha256 == again.sha256 != other.sha256
    assert first.pixels[0, 0].tolist() == [137.0, 111.0, 112.0]  # whatever NumPy's version


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("dream", "name a picture to dream, or give --from noise"),
        ("dream photo.png --from noise", "leave one out"),
        ("zoom -o zoom", "name a picture to dream, or give --from noise"),
        ("dream --from nowhere", "invalid choice: 'nowhere'"),
        ("dream --from noise --size 0", "'0' is not a size"),
        (
            "dream --from noise --model googlenet_mini --mask alpha -o out.png",
            "noise has no transparency",
        ),
    ],
)
def test_what_cannot_begin_is_one_line(refused, command, line):
    assert line in refused(command)


def test_a_panorama_from_noise_has_the_shape_of_one(cli, tmp_path):
    small = ["--steps", "1", "--octaves", "1", "--model", "googlenet_mini"]
    small += ["--layer", "conv1/7x7_s2"]
    cli("dream", "--from", "noise", "--sphere", *small, "-o", "a.png")
    assert read_image(tmp_path / "a.png").shape == (512, 1024, 3)
    cli("replay", "a.png", "-o", "again.png")
    again = read_image(tmp_path / "again.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), again)


def test_what_is_no_panorama_is_one_line(cli, photo):
    (line,) = cli("dream", photo, "--tile", "sphere", "--model", "googlenet_mini", code=2).notes
    assert line.endswith("and this one is 72x60 pixels: give a size such as 120x60")
