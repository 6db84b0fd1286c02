"""Orders for a zoom: the film that is made of it, how it repeats, what is refused."""

import json
import shlex
import sys

import av
import numpy as np
import pytest
from page_context import never, page_context, upload

import jaxdream as jd
from jaxdream.cli.commands import build_parser
from jaxdream.errors import JaxdreamError
from jaxdream.images.animation import write_animation
from jaxdream.settings import (
    FADED,
    PING_PONG,
    DreamSettings,
    SourceSettings,
    ZoomFilmSettings,
    ZoomSettings,
)
from jaxdream.web.dreams import Order
from jaxdream.web.zooms import prepare_zoom

SETTINGS = DreamSettings(octaves=2, steps=2, jitter=4)
STATES = 2 * 2  # of a frame
ZOOM = ZoomSettings(frames=4, zoom=0.1, rotate=3.0)


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path, frames=10)


@pytest.fixture
def visitor(context):
    return context.visitors.of("visitor")


def prepared(context, visitor, zoom=ZOOM, film=None, settings=SETTINGS, size=(24, 32)):
    order = Order(
        picture=upload(context, size=size), objective="second", settings=settings,
        source=SourceSettings(seed=3),
    )  # fmt: skip
    return prepare_zoom(context, visitor, order, zoom, film or ZoomFilmSettings())


def made(context, visitor, stopped=never, **order):
    """Every moment of an order, to its end."""
    return list(prepared(context, visitor, **order).run(stopped))


def pictures(path):
    """The frames of a film."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def after(states):
    """Says that it is stopped when it has been asked so many times."""
    left = iter([False] * (states - 1))
    return lambda: next(left, True)


def test_the_film_is_that_of_the_public_function(context, visitor, tmp_path):
    moments = made(context, visitor, film=ZoomFilmSettings(fps=12.5))
    result = moments[-1].result
    picture = jd.read_image(tmp_path / "sky.png")
    states = jd.iterate_zoom(
        3, context.model(), picture, "second", zoom_settings=ZOOM, settings=SETTINGS
    )
    frames = [np.round(np.asarray(state.image)) for state in states if state.is_finished]
    write_animation(tmp_path / "wanted.mp4", frames, fps=12.5)
    np.testing.assert_array_equal(pictures(result.path), pictures(tmp_path / "wanted.mp4"))
    with av.open(result.path) as container:
        assert container.streams.video[0].average_rate == 12.5
    assert visitor.results == [result]
    assert result.path.name == "sky_zoom.mp4"
    assert result.caption == "second, 32x24, 4 frames, seed 3"
    assert {path.name for path in result.path.parent.iterdir()} == {"sky_zoom.mp4"}


def test_every_step_is_told_and_shown(context, visitor):
    moments = made(context, visitor)
    assert len(moments) == 4 * STATES + 2
    assert moments[0].text == "frame 1 of 4, octave 1 of 2, step 1 of 2"
    assert moments[STATES].text == "frame 2 of 4, octave 1 of 2, step 1 of 2"
    assert [moment.text for moment in moments[-2:]] == ["writing the film", "finished"]
    assert [moment.done for moment in moments] == sorted(moment.done for moment in moments)
    assert moments[-1].done == 1
    assert {moment.shown.shape for moment in moments} == {(24, 32, 3)}
    # A frame in a small octave does not take the place of the last one.
    assert moments[STATES].shown is moments[STATES - 1].shown
    assert (moments[2 * STATES - 1].shown != moments[STATES - 1].shown).any()


@pytest.mark.parametrize(
    ("repeat", "shown", "words"),
    [(PING_PONG, 6, ["--ping-pong"]), (FADED, 3, ["--loop", "1"])],
)
def test_a_film_repeats_as_that_of_the_command(context, visitor, repeat, shown, words):
    result = made(context, visitor, film=ZoomFilmSettings(repeat=repeat))[-1].result
    assert len(pictures(result.path)) == shown
    command = shlex.split(result.command)
    options = build_parser().parse_args(command[1:-2])  # without the tiny network
    assert (options.ping_pong, options.loop) == (
        repeat == PING_PONG,
        1 if repeat == FADED else None,
    )
    assert all(word in command for word in words)
    assert ("frames[-2:0:-1]" if repeat == PING_PONG else "faded_loop(frames, 1)") in result.python


def test_the_film_says_how_it_was_made(context, visitor):
    result = made(context, visitor)[-1].result
    with av.open(result.path) as container:
        record = json.loads(container.metadata["comment"])
    assert record["zoom"] == 2
    assert record["settings"]["steps"] == 2
    assert record["settings"]["rotate"] == 3
    assert "frames" not in record["settings"]  # on which no frame of a linear zoom depends
    assert record["made_with"]["input_name"] == "sky.png"


@pytest.mark.parametrize("repeat", [ZoomFilmSettings().repeat, PING_PONG, FADED])
def test_stopped_it_keeps_a_film_of_the_finished_frames(context, visitor, repeat):
    film = ZoomFilmSettings(repeat=repeat)
    moments = made(context, visitor, stopped=after(2 * STATES + 1), film=film)
    result = moments[-1].result
    assert len(moments) == 2 * STATES + 1 + 2
    assert len(pictures(result.path)) == 2
    assert moments[-1].text == "stopped"
    assert moments[-1].done < 1
    assert result.caption == "second, 32x24, 2 of 4 frames, seed 3"
    assert "--frames 4" in result.command


def test_stopped_at_once_there_is_no_film(context, visitor):
    moments = made(context, visitor, stopped=after(1))
    assert len(moments) == 2
    assert moments[-1].text == "stopped before the first frame was finished"
    assert moments[-1].shown is moments[0].shown
    assert moments[-1].result is None
    assert visitor.results == []
    assert not list(visitor.folder.rglob("*.*"))


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"zoom": ZoomSettings(frames=11)}, "^11 frames are over the 10 allowed here: take fewer"),
        (
            {"zoom": ZoomSettings(frames=2), "film": ZoomFilmSettings(repeat=FADED)},
            "^a faded loop needs at least 3 frames, not 2",
        ),
        ({"settings": SETTINGS.replace(seamless="sphere")}, "^a zoom enlarges a flat picture"),
    ],
)
def test_what_cannot_be_a_zoom_is_refused(context, visitor, order, says):
    with pytest.raises(JaxdreamError, match=says):
        prepared(context, visitor, **order)


def test_without_pyav_it_says_how_to_get_it(context, visitor, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(JaxdreamError, match=r"^sky_zoom\.mp4: MP4 needs PyAV: pip install"):
        prepared(context, visitor)


def test_a_film_that_cannot_be_written_is_called_by_its_name(context, visitor, monkeypatch):
    def failing(path, *_, **__):
        raise JaxdreamError(f"cannot write {path}: no space")

    monkeypatch.setattr("jaxdream.web.zooms.write_animation", failing)
    with pytest.raises(JaxdreamError, match=r"^cannot write sky_zoom\.mp4: no space$"):
        made(context, visitor)
    assert visitor.results == []


def test_its_cost_is_that_of_its_frames(context, visitor):
    one = prepared(context, visitor, zoom=ZOOM.replace(frames=1))
    assert prepared(context, visitor).cost == 4 * one.cost
