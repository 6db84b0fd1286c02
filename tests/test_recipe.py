import json
from dataclasses import replace

import numpy as np
import optax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from jaxdream import JaxdreamError, write_image
from jaxdream.recipe import Provenance, Recipe, read_recipe
from jaxdream.settings import DreamSettings, SourceSettings

RECIPE = Recipe(
    settings=DreamSettings(smooth=0.5, laplacian=4),
    source=SourceSettings(seed=7),
    size=(575, 1024),
    objective='0.5*guide("flöw.jpg", inception_3b/output)',
    files={"flöw.jpg": "ef"},
    shapes="384x512 512x640",
    input_name="sky – éß.jpg",
    input_sha256="cd",
    provenance=Provenance(
        jaxdream="0.1.0", model="googlenet", weights_sha256="ab", precision="float32",
        jax="0.10.2", platform="cpu",
    ),
)  # fmt: skip
# What version 0.1.0 wrote.
SCHEMA_3 = (
    '{"canvases":"","clip":true,"files":{},"guide_size":1024,"input_name":"chelsea.png",'
    '"input_sha256":"596aa1","jax":"0.10.2","jaxdream":"0.1.0","jitter":32,"laplacian":0,'
    '"model":"googlenet_mini","objective":"inception_4c/output:12","octave_scale":1.4,"octaves":4,'
    '"optimizer":"classic","platform":"cpu","precision":"float32","recipe":3,"seed":5,'
    '"size":[300,451],"smooth":0.0,"step_size":1.5,"steps":10,"weights_sha256":"e9e3b0"}'
)
IMAGE = np.zeros((4, 4, 3), np.float32)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif"])
def test_comes_back_from_the_picture(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_image(path, IMAGE, recipe=RECIPE.to_json())
    assert read_recipe(path) == RECIPE


@given(st.floats(1.01, 100), st.floats(-1e6, 1e6))
def test_numbers_come_back_exactly(scale, step):
    settings = RECIPE.settings.replace(octave_scale=scale, step_size=step)
    recipe = replace(RECIPE, settings=settings)
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
        (changed(recipe=True), "version True"),
        (changed(recipe="a\nb" * 100), "version"),
        (changed(files={"a": 1}), r"files\[.*\]: expected str, got int"),
        (changed(files=["a"]), "files: expected object, got array"),
        (changed(steps=None), "object missing required field steps"),
        (changed(colour="red"), "object contains unknown field colour"),
        (changed(steps="10"), "steps: expected int, got str"),
        (changed(clip=1), "clip: expected bool, got int"),
        (changed(size=[1, 2, 3]), "size: expected array of length 2, got 3"),
        (changed(jitter=True), "jitter: expected int, got bool"),
        (changed(jitter=2**40), "jitter: expected int <= "),
        (changed(steps=-1), "steps: expected int >= 1"),
        (changed(steps=2**30), "steps: expected int <= 1000000"),
        (changed(octaves=2**30, octave_scale=1.0000001), "expected int <= 100"),
        (changed(objective="x" * 20_000), "objective: expected str of length <= 10000"),
        (changed(size=[0, 5]), r"size\[0\]: expected int >= 1"),
        (changed(seed=2**32), "seed: expected int <= 4294967295"),
        (changed(seed=-1), "seed: expected int >= 0"),
        (changed(step_size=float("nan")), "not a recipe"),
        (changed(octave_scale=float("inf")), "not a recipe"),
        (changed(octave_scale=10**400), "octave_scale"),
        (changed(**{"new\nline" * 1000: 1}), "unknown field new"),
    ],
)
def test_what_is_no_recipe(text, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        Recipe.from_json(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 350


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(ANYTHING | st.dictionaries(st.sampled_from(list(RECIPE.values())), ANYTHING, min_size=1))
def test_any_other_json_is_an_error_or_still_a_recipe(values):
    text = json.dumps(json.loads(RECIPE.to_json()) | values if isinstance(values, dict) else values)
    try:
        recipe = Recipe.from_json(text)
    except JaxdreamError:
        return
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_text_in_it_can_do_nothing_to_a_terminal():
    recipe = Recipe.from_json(changed(input_name="a\x1b[2J\nb\u009bé.jpg"))
    assert recipe.input_name == "a?[2J?b?é.jpg"


def test_a_recipe_of_an_earlier_schema_is_read():
    recipe = Recipe.from_json(SCHEMA_3)
    assert recipe.settings == DreamSettings()
    assert recipe.source == SourceSettings(seed=5)
    assert (recipe.size, recipe.shapes) == ((300, 451), "")
    assert recipe.objective == "inception_4c/output:12"
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_an_optimizer_that_is_an_object_has_no_recipe():
    recipe = replace(RECIPE, settings=DreamSettings(optimizer=optax.adam(1.0)))
    with pytest.raises(JaxdreamError, match="give one by name"):
        recipe.to_json()


def test_is_one_compact_line_of_ascii():
    text = RECIPE.to_json()
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert json.loads(text)["recipe"] == 5


def test_a_picture_without_one(tmp_path):
    write_image(tmp_path / "x.png", IMAGE)
    with pytest.raises(JaxdreamError, match=r"x\.png has no jaxdream recipe"):
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


def test_a_format_that_keeps_none(tmp_path):
    write_image(tmp_path / "x.bmp", IMAGE, recipe=RECIPE.to_json())
    with pytest.raises(JaxdreamError, match=r"x\.bmp has no jaxdream recipe"):
        read_recipe(tmp_path / "x.bmp")


def test_a_text_chunk_that_unpacks_to_more_than_memory_is_one_line(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("jaxdream", "{" + " " * 5_000_000, zip=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png", pnginfo=chunks)
    assert (tmp_path / "x.png").stat().st_size < 10_000
    with pytest.raises(JaxdreamError, match=r"x\.png .*too large"):
        read_recipe(tmp_path / "x.png")
