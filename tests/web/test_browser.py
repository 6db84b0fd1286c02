"""The page in a real browser: a picture is given, dreamed, stopped, dreamed again and kept."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image
from web.serving import slowness
from web.visiting import expect, pixels

pytestmark = pytest.mark.browser


def move_the_line(visit):
    """Draw the line between before and after to the left: more is seen of the dream."""
    slider = visit.find("dream_after")
    expect(slider.locator("img")).to_have_count(2)
    before, after = slider.locator("img").all()
    assert before.get_attribute("src") != after.get_attribute("src")
    clipped = after.get_attribute("style")
    line = slider.get_by_test_id("slider").locator(".icon-wrap").bounding_box()
    visit.page.mouse.move(line["x"] + line["width"] / 2, line["y"] + line["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(line["x"] - 100, line["y"], steps=5)
    visit.page.mouse.up()
    expect(after).not_to_have_attribute("style", clipped)


def test_a_picture_is_dreamed_before_the_visitors_eyes(visit, cat, tmp_path, replay):
    visit.give(cat)
    layer = visit.chosen("fur")
    expect(visit.field("look")).to_have_value(re.compile("^fur"))
    visit.fill(octaves=2, steps=10)
    visit.watch()
    assert f"{layer}, 160x120, seed 0" in visit.dream()
    first, *_, last = visit.shown()
    assert first != last
    move_the_line(visit)
    path = visit.download(tmp_path)
    assert path.name == "cat_dream.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    dreamed = pixels(path)
    assert dreamed.shape == (120, 160, 3)
    assert (dreamed != pixels(cat)).mean() > 0.5
    assert np.array_equal(replay(path, cat), dreamed)


def test_a_stopped_dream_is_kept(visit, cat, tmp_path):
    visit.give(cat)
    visit.begin_long(size=400)
    begun = time.monotonic()
    visit.find("dream_stop").click()
    visit.line("stopped", 3 * slowness())
    print(f"stopped after {time.monotonic() - begun:.1f} seconds")
    assert "unfinished" in visit.finish("stopped")
    kept = pixels(visit.download(tmp_path))
    assert kept.shape == (300, 400, 3)
    visit.fill(size=160, octaves=2, steps=3)
    assert "160x120, seed 0" in visit.dream()
    assert pixels(visit.download(tmp_path)).shape == (120, 160, 3)


def test_small_first_then_whole_then_another_seed(visit, cat, tmp_path):
    visit.give(cat)
    visit.fill(size=400, octaves=1, steps=2, seed=7)
    assert "320x240, seed 7" in visit.dream("small")
    assert "400x300, seed 7" in visit.dream()
    first = pixels(visit.download(tmp_path))
    status = visit.dream("another")
    seed = visit.field("seed").input_value()
    assert seed != "7"
    assert f"400x300, seed {seed}" in status
    assert (pixels(visit.download(tmp_path)) != first).any()


def test_a_dream_loads_its_settings_and_finds_its_picture(visit, cat, tmp_path):
    visit.give(cat)
    visit.fill(layer="3b + 4c:12", steps=4, seed=7)
    visit.dream()
    dreamed = visit.download(tmp_path)
    visit.fill(layer="3a", steps=9, octaves=3, seed=1, size=200)
    assert "its settings are loaded" in visit.give(dreamed)
    for name, value in {"steps": "4", "octaves": "2", "seed": "7", "size": "160x120"}.items():
        expect(visit.field(name)).to_have_value(value)
    visit.find("original").click()
    visit.sees("picture_note", "cat.png: 160x120")
    visit.dream()
    assert np.array_equal(pixels(visit.download(tmp_path)), pixels(dreamed))


def test_only_what_is_painted_is_dreamed(visit, cat, tmp_path, replay):
    visit.give(cat)
    visit.paint()
    visit.dream()
    dreamed, mask = visit.download(tmp_path), visit.download(tmp_path, "dream_mask_download")
    painted = pixels(mask)[..., 0]
    assert painted.shape == (120, 160)
    assert 0.02 < (painted > 0).mean() < 0.5
    assert painted[60, 80] == 255
    changed = (pixels(dreamed) != pixels(cat)).any(axis=-1)
    assert not changed[painted == 0].any()
    assert changed[painted == 255].mean() > 0.9
    assert np.array_equal(replay(dreamed, cat, "--mask", mask), pixels(dreamed))
    again = tmp_path / "again"
    visit.dream()
    assert np.array_equal(pixels(visit.download(again)), pixels(dreamed))


def png(size):
    """A PNG of one colour."""
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    return file.getvalue()


def test_what_is_no_picture_is_refused_in_one_line(visit, cat, tmp_path):
    for name, content in {
        "text.png": b"this is no picture",
        "half.png": cat.read_bytes()[:10_000],
        "huge.png": png((9000, 8000)),
    }.items():
        bad = tmp_path / name
        bad.write_bytes(content)
        line = visit.give(bad).strip()
        assert line.count(name) == 1
        assert "\n" not in line
        assert "/" not in line
        visit.press()
        assert visit.line(name).strip() == line
    visit.give(cat)
    assert "160x120" in visit.dream()


def test_after_an_error_the_page_dreams_again(visit, cat):
    visit.press()
    visit.line("give a picture first")
    visit.give(cat)
    visit.fill(layer="nonsense")
    visit.press()
    assert "nearest" in visit.line("nonsense")
    visit.fill(layer="inception_4c/output")
    assert "160x120" in visit.dream()
