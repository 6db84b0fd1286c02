"""The page in windows of several kinds: it fits, can be read, and is used by the keyboard alone."""

import pytest
from web.reading import faint_texts, nameless_controls, sticking_out
from web.visiting import expect

pytestmark = pytest.mark.browser
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True,
    "device_scale_factor": 2,
}  # fmt: skip


def faults(visit):
    """What cannot be read, has no name, or sticks out of the window."""
    visit.page.mouse.move(0, 0)  # what is pointed at may be faint
    visit.page.mouse.wheel(0, -10_000)
    return [*faint_texts(visit.page), *nameless_controls(visit.page), *sticking_out(visit.page)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_a_window_shows_all_that_can_be_read(visit_to, server, cat, kind, scheme, screenshots):
    window = PHONE if kind == "phone" else DESKTOP
    visit = visit_to(server, color_scheme=scheme, **window)
    found = faults(visit)
    visit.press()
    visit.line("give a picture first")
    found += faults(visit)
    visit.give(cat)
    visit.fill(size=160, octaves=2, steps=3)
    visit.find("dream").scroll_into_view_if_needed()
    expect(visit.find("dream")).to_be_in_viewport()
    visit.dream()
    visit.page.screenshot(path=screenshots / f"page_{kind}_{scheme}.png", full_page=True)
    visit.unfold("As a command, as Python")
    visit.unfold("Advanced")
    for tab in visit.tabs():
        visit.open(tab)
        found += faults(visit)
    visit.open("Dream")
    visit.unfold("Where to dream")
    found += faults(visit)
    assert sorted(set(found)) == []


def test_the_keyboard_alone_makes_a_dream(visit, cat):
    keyboard = visit.page.keyboard
    visit.page.on("filechooser", lambda chooser: chooser.set_files(cat))
    visit.tab_to("picture")
    keyboard.press("Enter")
    visit.sees("picture_note", "cat.png: 160x120")
    layer = visit.field("layer").input_value()
    visit.tab_to("looks")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(visit.field("layer")).not_to_have_value(layer)
    visit.fill(size=400, octaves=1, steps=50)
    visit.page.evaluate("document.activeElement.blur()")
    visit.tab_to("dream")
    keyboard.press("Enter")
    visit.line("step")
    visit.tab_to("dream_stop")
    keyboard.press("Enter")
    assert "unfinished" in visit.finish("stopped")


def test_the_browser_asks_nobody_but_the_server(visit):
    visit.find("examples").get_by_label("Thumbnail 1 of 3").click()
    visit.sees("picture_note", "example")
    visit.chosen("temples")
    for tab in visit.tabs():
        visit.open(tab)
    visit.open("Dream")
    visit.fill(size=160, octaves=1, steps=1)
    visit.dream()
    assert len(visit.asked) > 20
    assert visit.strangers == []
