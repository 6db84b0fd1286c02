import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxdream import JaxdreamError, write_image
from jaxdream.recipe import Recipe, read_recipe

RECIPE = Recipe(
    jaxdream="0.1.0",
    model="googlenet",
    weights_sha256="ab",
    input_name="sky – éß.jpg",
    input_sha256="cd",
    size=(575, 1024),
    seed=7,
    objective="inception_4c/output",
    steps=10,
    octaves=4,
    octave_scale=1.4,
    step_size=1.5,
    jitter=32,
    clip=True,
    jax="0.10.2",
    platform="cpu",
)
IMAGE = np.zeros((4, 4, 3), np.float32)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif"])
def test_comes_back_from_the_picture(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_image(path, IMAGE, recipe=RECIPE.to_json())
    assert read_recipe(path) == RECIPE


@given(st.floats(1.01, 100), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_exactly(scale, step):
    recipe = Recipe(**{**vars(RECIPE), "octave_scale": scale, "step_size": step})
    assert Recipe.from_json(recipe.to_json()) == recipe


def changed(**changes):
    values = json.loads(RECIPE.to_json()) | changes
    return json.dumps({k: v for k, v in values.items() if v is not None})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "not a recipe"),
        ("{", "not a recipe"),
        ("[" * 100_000, "not a recipe"),
        (changed(recipe=99), "version 99"),
        (changed(steps=None), "missing or unknown settings: steps"),
        (changed(colour="red"), "missing or unknown settings: colour"),
        (changed(steps="10"), "a steps that is no steps"),
        (changed(clip=1), "a clip that is no clip"),
        (changed(size=[1, 2, 3]), "a size that is no size"),
        (changed(jitter=True), "a jitter that is no jitter"),
    ],
)
def test_what_is_no_recipe(text, says):
    with pytest.raises(JaxdreamError, match=says):
        Recipe.from_json(text)


def test_a_picture_without_one(tmp_path):
    write_image(tmp_path / "x.png", IMAGE)
    with pytest.raises(JaxdreamError, match=r"x\.png carries no jaxdream recipe"):
        read_recipe(tmp_path / "x.png")
    write_image(tmp_path / "x.png", IMAGE, recipe=changed(steps=None))
    with pytest.raises(JaxdreamError, match=r"x\.png cannot be replayed: .*steps"):
        read_recipe(tmp_path / "x.png")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=50))
def test_any_other_comment_is_no_recipe(tmp_path, text):
    write_image(tmp_path / "x.gif", IMAGE, recipe="{" + text.encode("ascii", "ignore").decode())
    with pytest.raises(JaxdreamError):
        read_recipe(tmp_path / "x.gif")
