"""Several visitors of the page at once: who waits, who sees what, and what is left of a visit."""

import pytest
from web.serving import slowness, wait_for
from web.visiting import expect

pytestmark = pytest.mark.browser
SOON = 15  # seconds


@pytest.fixture
def two(visit_to, server, cat):
    """Two visitors with the same picture."""
    visits = visit_to(server), visit_to(server)
    for visit in visits:
        visit.give(cat)
        visit.fill(size=160, octaves=2, steps=3)
    return visits


def kept(visit):
    """The pictures in the tab of all that a visitor has made."""
    visit.open("My pictures")
    visit.sees("mine_note", "Click one")
    return visit.find("mine").locator("img").evaluate_all("images => images.map(i => i.src)")


def test_the_second_waits_for_the_first_and_keeps_to_himself(two):
    first, second = two
    first.begin_long()
    second.press()
    second.line("Waiting: 1 dream is before yours")
    second.stop()
    second.press()
    second.line("Waiting: 1 dream is before yours")
    assert "unfinished" in first.stop()
    assert "160x120" in second.finish()
    (of_first,), (of_second,) = kept(first), kept(second)
    assert of_first != of_second


def test_who_leaves_makes_room(two):
    first, second = two
    first.begin_long()
    second.press()
    second.line("Waiting: 1 dream is before yours")
    first.close()
    second.line("octave", SOON * slowness())
    assert "160x120" in second.finish()


def test_what_was_made_is_found_and_dreamed_further(visit, cat, tmp_path):
    visit.open("My pictures")
    visit.sees("mine_note", "Nothing is made yet")
    visit.open("Dream")
    visit.give(cat)
    visit.fill(steps=4, seed=7)
    visit.dream()
    visit.fill(steps=9, seed=1)
    (made,) = kept(visit)
    visit.find("mine").get_by_label("Thumbnail 1 of 1").click()
    visit.sees("mine_note", "cat_dream.png")
    assert visit.download(tmp_path, "mine_file").read_bytes() == visit.page.request.get(made).body()
    visit.find("mine_load").click()
    visit.sees("mine_note", "loaded")
    visit.open("Dream")
    expect(visit.field("steps")).to_have_value("4")
    expect(visit.field("seed")).to_have_value("7")
    visit.open("My pictures")
    visit.find("mine_further").click()
    visit.sees("mine_note", "in the tab Dream")
    visit.open("Dream")
    visit.sees("picture_note", "cat_dream.png: 160x120")
    visit.dream()
    assert visit.download(tmp_path).name == "cat_dream_dream.png"
    assert len(kept(visit)) == 2


def test_what_was_made_is_deleted_with_the_visit(visit_to, server, cat):
    before = server.results()
    visit = visit_to(server)
    visit.give(cat)
    visit.fill(size=160, octaves=2, steps=3)
    visit.dream()
    (made,) = server.results() - before
    assert list(made.rglob("cat_dream.png"))
    visit.close()
    wait_for(lambda: not made.exists())
