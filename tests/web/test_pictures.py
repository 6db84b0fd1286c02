"""The page's pictures: one of every look, the examples, and what the README says of them."""

import re

import pytest
from helpers import ROOT
from PIL import Image

from jaxdream.settings.looks import LOOKS

FOLDER = ROOT / "jaxdream" / "web" / "pictures"
LOOK_PICTURES = sorted(FOLDER.glob("look_*"))
EXAMPLES = sorted(FOLDER.glob("example_*"))


def test_every_look_has_a_picture_and_every_picture_a_look():
    assert {path.name for path in LOOK_PICTURES} == {f"look_{name}.jpg" for name in LOOKS}


def test_there_are_examples():
    names = {path.name for path in EXAMPLES}
    assert names == {"example_chelsea.jpg", "example_coffee.jpg", "example_rocket.jpg"}


@pytest.mark.parametrize("path", [*LOOK_PICTURES, *EXAMPLES], ids=lambda path: path.name)
def test_a_picture_is_an_rgb_jpeg_of_the_right_size(path):
    with Image.open(path) as image:
        image.load()
        assert (image.format, image.mode) == ("JPEG", "RGB")
        if path in LOOK_PICTURES:
            assert image.size == (256, 256)
            assert 10_000 < path.stat().st_size < 30_000
        else:
            assert max(image.size) == 640
            assert 20_000 < path.stat().st_size < 120_000


def test_no_two_looks_have_the_same_picture():
    assert len({path.read_bytes() for path in LOOK_PICTURES}) == len(LOOKS)


def test_all_are_small_enough_for_the_package():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000


def test_the_readme_lists_every_file_and_no_other():
    listed = re.findall(r"^\| `(\S+)` \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".md")
