"""The tab of zooms: its fields are those of the settings, beside the fields of the tab Dream."""

import pytest
from page_context import page_context
from page_extras import gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import FADED, ZoomFilmSettings, ZoomSettings
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.zoom_tab import ZoomTab


def tab(folder, **limits):
    context = page_context(folder, **limits)
    with gr.Blocks():
        dream = DreamTab(context)
        return ZoomTab(context, dream), len(dream.inputs)


def sent(zoom, **given):
    """What the browser sends of the tab's own fields, where these are filled in."""
    return tuple(given.get(each.elem_id, each.value) for each in zoom.inputs)


def test_a_new_page_asks_for_the_defaults_and_fewer_frames(tmp_path):
    zoom, count = tab(tmp_path)
    assert zoom.settings(sent(zoom)[count:]) == (ZoomSettings(frames=40), ZoomFilmSettings())
    few, count = tab(tmp_path, frames=12)
    assert few.settings(sent(few)[count:])[0] == ZoomSettings(frames=12)
    assert few.main.components[0].maximum == 12


def test_each_field_is_read_as_its_setting(tmp_path):
    zoom, count = tab(tmp_path)
    values = sent(
        zoom, zoom_frames=7, zoom_zoom=0.1, zoom_rotate=-2, zoom_shift_0=1.5, zoom_shift_1=-3,
        zoom_easing="in-out", zoom_damping=0.2, zoom_classic_warp=True, zoom_fps=12.5,
        zoom_repeat=FADED,
    )  # fmt: skip
    assert zoom.settings(values[count:]) == (
        ZoomSettings(
            frames=7, zoom=0.1, rotate=-2.0, shift=(1.5, -3), easing="in-out", damping=0.2,
            classic_warp=True,
        ),
        ZoomFilmSettings(fps=12.5, repeat=FADED),
    )  # fmt: skip
    with pytest.raises(JaxdreamError, match=r"fps is a number from 0\.01 to 240, not 300"):
        zoom.settings(sent(zoom, zoom_fps=300)[count:])
