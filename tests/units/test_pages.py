"""The pages about units: links, what others named, and what there is none of."""

import numpy as np
import pytest

import jaxdream as jd
from jaxdream.images.picture_files import mark
from jaxdream.units.folder import About
from jaxdream.units.pages import write_pages

LAYERS = ["second", "relu"]
CHOSEN = {"second": [0, 4], "relu": [1]}
NAMES = {0: "<b>&.png", 1: "b.png"}
ABOUT = About("", LAYERS, "my <net>", "", (16, 20), pictures=3, read=3, failed=1)


@pytest.fixture(scope="module")
def examples(tiny):
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3))
    return jd.find_examples(tiny, pictures, LAYERS, size="16", batch=2, top=3)


@pytest.fixture
def pages(examples, tmp_path):
    """The text of every page, by its name."""
    (tmp_path / "units").mkdir()
    (tmp_path / "visualizations").mkdir()
    picture = np.zeros((4, 4, 3), np.float32)
    jd.write_image(tmp_path / "visualizations" / "second_4.png", picture, recipe=mark("visualize"))
    *_, last = write_pages(examples, NAMES, ABOUT, CHOSEN, tmp_path)
    assert (last.text, last.done) == ("3/3 pages", 1.0)
    return {path.name: path.read_text() for path in tmp_path.rglob("*.html")}


def test_each_unit_links_to_those_beside_it(pages):
    assert set(pages) == {"index.html", "second_0.html", "second_4.html", "relu_1.html"}
    first, middle, last = (pages[f"{n}.html"] for n in ("second_0", "second_4", "relu_1"))
    assert '<a href="second_4.html">next</a>' in first
    assert "previous" not in first
    assert '<a href="second_0.html">previous</a> <a href="relu_1.html">next</a>' in middle
    assert '<a href="second_4.html">previous</a>' in last
    assert ">next<" not in last
    for name in ("second_0", "second_4", "relu_1"):
        assert f'href="units/{name}.html"' in pages["index.html"]


def test_a_visualisation_is_shown_where_there_is_one(pages):
    assert 'src="../visualizations/second_4.png"' in pages["second_4.html"]
    assert "No visualisation was made of it." in pages["second_0.html"]


def test_what_others_named_is_text(pages):
    assert "&lt;b&gt;&amp;.png" in pages["second_0.html"]
    assert "Units of my &lt;net&gt;" in pages["index.html"]
    assert not any("<b>" in text or "<net>" in text for text in pages.values())


def test_the_index_tells_of_pictures_layers_and_channels(pages):
    index = pages["index.html"]
    assert "2 pictures, shown at 20x16 pixels; 1 more could not be used" in index
    assert '<nav><a href="#layer0">second</a> <a href="#layer1">relu</a></nav>' in index
    assert "<p>2 of 5 channels</p>" in index
    assert "<p>1 of 4 channels</p>" in index


def test_only_pictures_that_there_were_are_examples(examples, pages):
    """Three examples of each unit were asked for, of two pictures."""
    page, one = pages["relu_1.html"], examples["relu"]
    assert page.count('<td class="name">') == 2
    top, left, bottom, right = one.boxes[1, 0].tolist()
    value, name = one.statistics.top_values[1, 0], NAMES[int(one.statistics.top_pictures[1, 0])]
    name = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert (
        f"<tr><td>{value:.5g}</td><td>{top} to {bottom - 1}</td><td>{left} to {right - 1}</td>"
        f'<td class="name">{name}</td></tr>'
    ) in page
    assert f"<th>exactly 0</th><td>{one.statistics.zero_share[1]:.2%}</td>" in page


def test_of_many_pages_each_hundredth_is_told(examples, tmp_path):
    (tmp_path / "units").mkdir()
    steps = list(write_pages(examples, NAMES, ABOUT, {"second": [0] * 250}, tmp_path))
    assert [step.text for step in steps] == ["100/250 pages", "200/250 pages", "250/250 pages"]
