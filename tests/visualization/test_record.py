"""The text in a picture from noise."""

import json

import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.recipe import Recipe
from jaxdream.settings import VisualizeSettings
from jaxdream.visualization.record import visualize_record


def test_it_says_all_that_the_pictures_depend_on(tiny):
    settings = VisualizeSettings(steps=3, diversity=0.5)
    text = visualize_record(
        tiny, settings, pictures=["ant 1", "ant 2"], size=(32, 48), seed=7, files={"a.png": "ab"}
    )
    assert text.isascii()
    assert "\n" not in text
    values = json.loads(text)
    chosen = settings.complete(photograph=False).values()
    assert {name: values[name] for name in chosen} == chosen
    assert chosen["anchor"] == 1.0
    assert values["files"] == {"a.png": "ab"}
    assert values["pictures"] == ["ant 1", "ant 2"]
    assert (values["size"], values["seed"], values["input_sha256"]) == ([32, 48], 7, None)
    assert (values["model"], values["weights_sha256"]) == ("tiny", tiny.weights_sha256)


def test_it_is_no_recipe_of_a_dream(tiny):
    text = visualize_record(tiny, VisualizeSettings(), pictures=["ant"], size=(8, 8), seed=0)
    with pytest.raises(JaxdreamError, match="made by `jaxdream visualize`"):
        Recipe.from_json(text)
