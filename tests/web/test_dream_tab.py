"""The tab of dreams: what its fields ask for, and what looks, recipes and clicks put into them."""

import pytest
from page_context import page_context, upload
from page_extras import gr

from jaxdream.errors import JaxdreamError
from jaxdream.looks import use_look
from jaxdream.recipe import Recipe, provenance
from jaxdream.settings import DreamSettings, SourceSettings
from jaxdream.settings.looks import LOOKS
from jaxdream.web.dream_tab import DreamTab, example_pictures


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path)


@pytest.fixture
def tab(context):
    with gr.Blocks():
        return DreamTab(context)


def sent(tab, **given):
    """What the browser sends, where these fields are filled in."""
    return tuple(given.get(each.elem_id, each.value) for each in tab.inputs)


def test_a_new_page_asks_for_the_defaults_at_768_pixels(tab):
    order = tab.order(sent(tab))
    assert order.settings == DreamSettings()
    assert order.source == SourceSettings(size="768")
    assert (order.picture, order.guide, order.painting, order.objective) == (None, None, None, "")
    assert tab.order(sent(tab), size="320").source.size == "320", "of the button Small first"


def test_each_field_is_read_as_its_setting(tab, context):
    given = upload(context)
    order = tab.order(sent(
        tab, picture={"path": given.path, "orig_name": given.name}, layer="first", octaves=2,
        steps=7, step_size=0.5, strength=0.8, jitter=3, size="300x200", seed=11, guide_size=200,
        begin="noise", mask_invert=True, mask_feather=3,
    ))  # fmt: skip
    assert order.picture == given
    assert order.objective == "first"
    own = DreamSettings(octaves=2, steps=7, step_size=0.5, strength=0.8, jitter=3)
    assert order.settings == own
    # Nothing is painted, so the mask's settings mean nothing.
    expected = SourceSettings(size="300x200", seed=11, guide_size=200, begin="noise")
    assert order.source == expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"picture": {"path": "/etc/passwd"}}, "this is no uploaded file"),
        ({"steps": 0}, r"steps is a whole number from 1 to 1,000,000, not 0"),
        ({"seed": -1}, "seed is a whole number"),
    ],
)
def test_what_cannot_be_is_refused(tab, given, says):
    with pytest.raises(JaxdreamError, match=says):
        tab.order(sent(tab, **given))


def test_the_layers_that_look_good_come_first(tab):
    updates = tab.load()[tab.look.layer]
    assert updates["choices"][0] == ("second (looks good)", "second")
    assert ("first", "first") in updates["choices"]
    assert updates["value"] == "second"


def filled(tab, updates):
    """What the browser would send after these updates."""
    shown = [updates.get(each, each.value) for each in tab.inputs]
    # A slider is given its range as well.
    return tab.order(tuple(x["value"] if isinstance(x, dict) else x for x in shown))


def test_a_recipe_fills_the_fields_so_that_they_ask_for_it_again(tab, context):
    settings = DreamSettings(octaves=3, steps=2, jitter=5, smooth=0.5, strength=0.7)
    source = SourceSettings(seed=9, begin="noise", guide_size=99)
    recipe = Recipe(
        settings=settings, source=source, size=(24, 32), objective="first + second:1", files={},
        input_name="", input_sha256="", provenance=provenance(context.model()),
    )  # fmt: skip
    order = filled(tab, tab.loaded(recipe))
    assert (order.settings, order.objective) == (settings, "first + second:1")
    assert order.source == source.replace(size="32x24")


@pytest.mark.parametrize("name", list(LOOKS))
def test_a_look_fills_the_fields_with_its_settings(tab, context, name):
    settings, objective = use_look(context.model(), name)
    order = filled(tab, tab._use_look(name))
    assert (order.settings, order.objective) == (settings, objective)
    index = list(LOOKS).index(name)
    assert tab._click_look(clicked(tab, index))[tab.look_name] == name


def test_a_look_that_the_page_has_not_given_changes_nothing(tab):
    assert tab._use_look("no such look") == {}


def test_another_seed_is_drawn_shown_and_dreamed(tab, monkeypatch):
    monkeypatch.setattr("random.randrange", lambda most: most - 1)
    dreamed = []
    monkeypatch.setattr(tab, "_follow", lambda _, values: dreamed.append(tab.order(values)) or [])
    (shown,) = tab._dream_anew(gr.Request(), *sent(tab, steps=3))
    assert shown == {tab.source.components[1]: 999_999}
    assert (dreamed[0].source.seed, dreamed[0].settings.steps) == (999_999, 3)


def clicked(tab, index):
    """A click on a picture of a gallery."""
    return gr.SelectData(tab.gallery, {"index": index, "value": None})


def test_clicks_take_what_was_clicked(tab):
    assert tab._click_layer(clicked(tab, 0)) == {tab.look.layer: "second"}
    assert tab._click_example(clicked(tab, 1)) == str(example_pictures()[1])
