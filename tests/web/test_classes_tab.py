"""The tab of classes and channels: what its fields mean, and what a search fills."""

import pytest
from page_context import page_context
from page_extras import gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import SourceSettings, VisualizeSettings
from jaxdream.web.classes_tab import ClassesTab

# Gradio leaves the event loop of a page open that is not served.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")


@pytest.fixture
def tab(tmp_path):
    with gr.Blocks(analytics_enabled=False):
        return ClassesTab(page_context(tmp_path, total_steps=500))


def values(tab, **changes):
    """What the browser sends of a new page, with other values by the components' ids."""
    known = {component.elem_id: component.value for component in tab.inputs}
    assert changes.keys() <= known.keys()
    return tuple((known | changes).values())


def test_a_new_page_asks_for_what_the_settings_say(tab):
    asked = tab.order(values(tab, class_choice="954"), of_class=True)
    assert asked.class_text == "954"
    assert asked.settings == VisualizeSettings()
    assert asked.source == SourceSettings(size="224")
    assert asked.count == 1


def test_every_field_is_read(tab):
    changes = {
        "class_steps": 40, "class_size": "64x48", "class_seed": 7, "class_count": 2.0,
        "class_learning_rate": 0.05, "class_total_variation": 0, "class_anchor": 2,
        "class_diversity": 1, "class_transforms": False, "channel_layer": "4c",
        "channel_numbers": "3",
    }  # fmt: skip
    asked = tab.order(values(tab, **changes), of_class=False)
    assert asked.settings == VisualizeSettings(
        steps=40, learning_rate=0.05, total_variation=0.0, anchor=2.0, diversity=1.0,
        transforms=False,
    )  # fmt: skip
    assert asked.source == SourceSettings(size="64x48", seed=7)
    assert (asked.class_text, asked.layer, asked.channels) == (None, "4c", "3")
    assert asked.count == 2


def test_what_was_typed_is_the_class_where_none_is_chosen(tab):
    assert tab.order(values(tab, class_search="bananna"), of_class=True).class_text == "bananna"
    both = values(tab, class_search="dog", class_choice="251")
    assert tab.order(both, of_class=True).class_text == "251"


@pytest.mark.parametrize("count", [0, 5, 1.5, None, "2", [2], float("nan")])
def test_another_number_of_pictures_is_refused(tab, count):
    with pytest.raises(JaxdreamError, match="a whole number from 1 to 4, not"):
        tab.order(values(tab, class_count=count), of_class=True)


def test_a_search_chooses_the_first_class(tab):
    updates = tab._search("crane")
    assert updates[tab.choice]["value"] == "134"
    assert [value for _, value in updates[tab.choice]["choices"]] == ["134", "517"]
    assert "2 classes are found" in updates[tab.note]
    none = tab._search("bananna")
    assert (none[tab.choice]["choices"], none[tab.choice]["value"]) == ([], None)
    assert "the nearest are banana" in none[tab.note]


def test_the_network_fills_the_layers_and_some_classes(tab):
    updates = tab.load()
    assert set(updates) == set(tab.loaded)
    layers = updates[tab.layer]
    assert layers["value"] == "second"
    assert layers["choices"][0] == ("second (5)", "second")  # which looks good
    assert ("first (4)", "first") in layers["choices"]
    assert updates[tab.choice]["value"] is None
    assert len(updates[tab.choice]["choices"]) > 10


def test_the_slider_of_steps_ends_where_the_page_does(tab):
    (steps,) = tab.main.components
    assert steps.maximum == 500
    assert steps.value == VisualizeSettings().steps
