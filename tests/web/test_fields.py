"""The form's fields: they say what the settings say, and read what they show."""

import pytest
from drawn_settings import settings_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_extras import gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import (
    ClipSettings,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomFilmSettings,
    ZoomSettings,
    default,
    describe,
)
from jaxdream.web.fields import SLIDERS, Fields, read_each

CLASSES = (
    ClipSettings, DreamSettings, SourceSettings, VideoSettings, VisualizeSettings,
    ZoomFilmSettings, ZoomSettings,
)  # fmt: skip


def all_fields(cls):
    """The fields of all settings that a page can show."""
    with gr.Blocks():
        return Fields(cls, [name for name, known in describe(cls).items() if known.option])


def sent(shown):
    """What the browser sends of what a component shows."""
    return shown["value"] if isinstance(shown, dict) else shown


@pytest.mark.parametrize("cls", CLASSES)
def test_each_field_says_what_the_setting_says(cls):
    fields = all_fields(cls)
    assert sum(describe(cls)[name].count for name in fields.names) == len(fields.components)
    for component in fields.components:
        assert component.label
        assert component.info.endswith(".")
        assert component.elem_id


@pytest.mark.parametrize("cls", CLASSES)
def test_what_a_new_page_sends_are_the_defaults(cls):
    fields = all_fields(cls)
    found = fields.read([component.value for component in fields.components])
    assert found == {name: default(cls, name) for name in fields.names}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
@pytest.mark.parametrize("cls", CLASSES)
def test_what_is_shown_is_what_is_read(cls, data):
    # An empty field means the default.
    values = {k: v for k, v in data.draw(settings_of(cls)).items() if v != ""}
    try:
        wanted = cls(**values)
    except JaxdreamError:  # settings that do not go together
        return
    fields = all_fields(cls)
    found = fields.read([sent(part) for part in fields.show(wanted)])
    assert wanted.replace(**found) == wanted


@pytest.mark.parametrize("value", ["many", [3], {"a": 1}])
def test_what_is_no_number_is_refused_with_the_range(value):
    with gr.Blocks():
        fields = Fields(DreamSettings, ("steps",))
    with pytest.raises(JaxdreamError, match="steps is a whole number from 1 to 1,000,000, not"):
        fields.read([value])


def test_a_whole_number_may_come_with_a_fraction_of_zero():
    with gr.Blocks():
        fields = Fields(DreamSettings, ("steps", "step_size"))
    assert fields.read([7.0, 2]) == {"steps": 7, "step_size": 2.0}
    with pytest.raises(JaxdreamError, match="steps is a whole number"):
        DreamSettings().replace(**fields.read([7.5, 2]))


def test_a_number_that_may_be_missing_has_a_field_that_can_be_empty():
    with gr.Blocks():
        fields = Fields(ClipSettings, ("end", "max_frames"))
    assert [type(component) for component in fields.components] == [gr.Textbox] * 2
    assert fields.components[0].placeholder == "its end"
    assert fields.read(["", ""]) == {"end": None, "max_frames": None}
    assert fields.read(["2.5", "12"]) == {"end": 2.5, "max_frames": 12}


def test_several_fields_are_read_one_after_the_other():
    with gr.Blocks():
        several = [
            Fields(ZoomSettings, ("frames", "shift")), Fields(ZoomFilmSettings, ("fps", "repeat"))
        ]  # fmt: skip
    zoom, film = read_each(several, [7, 1, 2, 12.5, "faded loop"])
    assert zoom == {"frames": 7, "shift": (1, 2)}
    assert film == {"fps": 12.5, "repeat": "faded loop"}


def test_a_slider_grows_for_a_value_beyond_it():
    with gr.Blocks():
        fields = Fields(DreamSettings, ("steps",))
    (shown,) = fields.show(DreamSettings(steps=400))
    assert shown["value"] == shown["maximum"] == 400


@pytest.mark.parametrize("name", SLIDERS)
def test_every_slider_is_within_the_range_of_a_setting(name):
    known = [describe(cls)[name] for cls in CLASSES if name in describe(cls)]
    assert known
    for one in known:
        assert one.minimum <= SLIDERS[name].minimum < SLIDERS[name].maximum <= one.maximum
