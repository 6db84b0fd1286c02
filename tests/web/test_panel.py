"""Where results are shown: lines, texts to copy, and the end of an order."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from page_context import page_context
from page_extras import gr

from jaxdream.errors import JaxdreamError
from jaxdream.web.jobs import Progress, Waiting
from jaxdream.web.panel import Panel, fenced, status, time_text
from jaxdream.web.visitors import Result

RESULT = Result(Path("dream.png"), "made in 3 s", "jaxdream dream a.png", "import jaxdream")


@pytest.fixture
def panel(tmp_path):
    with gr.Blocks():
        made = Panel(page_context(tmp_path), "dream")
        made.begin = [gr.Button("Dream")]
    return made


@pytest.fixture
def film_panel(tmp_path):
    with gr.Blocks():
        return Panel(page_context(tmp_path), "zoom", films=True)


def shown(panel, moments, before="before.png"):
    """The updates for these moments of a job."""
    panel._context.queue.watch = lambda _: iter(moments)
    return list(panel._watch(None, SimpleNamespace(before=before)))


def test_a_line_is_text_whatever_is_in_it():
    assert status("<b>a</b> & b") == '<p role="status">&lt;b&gt;a&lt;/b&gt; &amp; b</p>'
    assert status("no picture", failed=True) == '<p role="alert" class="failed">No picture</p>'
    assert status("a.png is none") == '<p role="status">a.png is none</p>', "a file's name stays"
    assert status("step 3", 0.25) == '<p>Step 3</p><progress value="0.2500" max="1">25%</progress>'


def test_a_text_to_copy_is_shown_letter_by_letter():
    assert fenced("a `b`\n") == "```text\na `b`\n```"
    assert fenced("````") == "`````text\n````\n`````"


def test_times_are_seconds_or_minutes():
    assert [time_text(seconds) for seconds in (4.4, 89.0, 90.0, 600.0)] == [
        "4 seconds", "89 seconds", "2 minutes", "10 minutes",
    ]  # fmt: skip


def test_who_waits_is_told_how_many_are_before(panel):
    lines = [update[panel.status] for update in shown(panel, [Waiting(2, 30.0), Waiting(1, None)])]
    assert lines[:2] == [
        status("Waiting: 2 dreams are before yours, about 30 seconds"),
        status("Waiting: 1 dream is before yours"),
    ]
    assert lines[2] == status("stopped before it began")


def test_pictures_on_the_way_are_sent_now_and_then_and_each_once(panel, monkeypatch):
    clock = iter([100.0, 100.0, 100.1, 101.0, 101.0])
    times = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr("jaxdream.web.panel.time", times)
    moments = [Progress("step", 0.1 * i, shown=picture) for i, picture in enumerate("abb")]
    updates = shown(panel, moments)[:-1]
    assert [panel.live in update for update in updates] == [True, False, True]
    assert [update[panel.status] for update in updates][1] == status("step", 0.1)


def test_the_end_shows_the_result_beside_what_it_began_from(panel):
    end = shown(panel, [Progress("done", 1.0, shown="dream.jpg", result=RESULT)])[-1]
    assert end[panel.status] == status("done: made in 3 s")
    assert end[panel.after]["value"] == ("before.png", "dream.jpg")
    assert (end[panel.after]["visible"], end[panel.live]["visible"]) == (True, False)
    assert end[panel.download]["value"] == "dream.png"
    assert end[panel.mask]["visible"] is False
    assert end[panel.command] == fenced("jaxdream dream a.png")
    assert end[panel.begin[0]]["interactive"] is True
    assert end[panel.stop]["interactive"] is False


def test_from_noise_there_is_nothing_to_compare(panel):
    progress = Progress("done", 1.0, shown="dream.jpg", result=RESULT)
    end = shown(panel, [progress], before=None)[-1]
    assert (end[panel.live]["value"], end[panel.live]["visible"]) == ("dream.jpg", True)
    assert end[panel.after]["visible"] is False


def test_the_end_of_a_film_shows_the_film(film_panel):
    end = shown(film_panel, [Progress("done", 1.0, shown="frame.jpg", result=RESULT)])[-1]
    assert (end[film_panel.after]["value"], end[film_panel.after]["visible"]) == ("dream.png", True)


def test_what_was_stopped_keeps_the_last_picture_and_gives_no_file(panel):
    end = shown(panel, [Progress("stopped", 0.4, shown="half.jpg")])[-1]
    assert end[panel.live] == "half.jpg"
    assert panel.download not in end


def test_what_is_wrong_is_a_line_and_the_buttons_come_back(panel):
    def refuse(_):
        raise JaxdreamError("give a picture first")

    busy, end = panel.follow(gr.Request(session_hash="one"), refuse)
    assert busy[panel.begin[0]]["interactive"] is False
    assert end[panel.status] == status("give a picture first", failed=True)
    assert end[panel.begin[0]]["interactive"] is True
