"""``jaxdream replay``: recipes in pictures, on their own picture and on others."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd
from jaxdream.images.picture_files import read_recipe_text
from jaxdream.recipe import read_recipe

LAYER = "conv2/3x3"
MINI = ["--model", "googlenet_mini", "--steps", "2", "--octaves", "2", "--jitter", "4"]


@pytest.fixture
def dreamed(cli, photo, tmp_path):
    """A dream of the photo."""
    cli("dream", photo, *MINI, "--layer", LAYER, "--seed", "7", "-o", "dreamed.png")
    return tmp_path / "dreamed.png"


def same(one, other):
    np.testing.assert_array_equal(jd.read_image(one), jd.read_image(other))


def test_makes_the_same_picture_with_the_same_recipe(cli, photo, dreamed, tmp_path):
    done = cli("replay", dreamed, photo)
    assert done == (f"wrote {tmp_path / 'dreamed_replay.png'}\n", "")
    same(tmp_path / "dreamed_replay.png", dreamed)
    assert read_recipe(tmp_path / "dreamed_replay.png") == read_recipe(dreamed)


def test_another_picture_only_if_asked_for(cli, photo, dreamed, tmp_path):
    other = tmp_path / "other.png"
    jd.write_image(other, jd.read_image(photo)[::-1, :40])
    done = cli("replay", dreamed, other, code=2)
    assert done.stderr == (
        f"jaxdream: {other} is not the picture that {dreamed} was dreamed from (photo.png): give "
        "that one, or --other-picture to dream this one with the same settings\n"
    )
    cli("replay", dreamed, other, "--other-picture", "-o", "out.png")
    cli("dream", other, *MINI, "--layer", LAYER, "--seed", "7", "-o", "same.png")
    out, expected = jd.read_image(tmp_path / "out.png"), jd.read_image(tmp_path / "same.png")
    assert out.shape == (60, 40, 3)
    assert np.abs(out - expected).max() <= 1
    assert read_recipe(tmp_path / "out.png").input_name == "other.png"


def test_at_another_size(cli, photo, dreamed, tmp_path):
    cli("replay", dreamed, photo, "--size", "48", "-o", "small.png")
    assert jd.read_image(tmp_path / "small.png").shape == (40, 48, 3)
    assert read_recipe(tmp_path / "small.png").size == (40, 48)
    # A dream at another size than the picture's is replayed at that.
    cli("replay", "small.png", photo, "-o", "again.png")
    same(tmp_path / "again.png", tmp_path / "small.png")


def test_an_objective_an_optimizer_and_a_guide(cli, photo, tmp_path):
    (tmp_path / "guides").mkdir()
    guide = tmp_path / "guides" / "blobs.png"
    Image.effect_noise((40, 36), 80).convert("RGB").save(guide)
    text = f'guide("{guide}", {LAYER}) - 0.1*l1({LAYER})'
    options = ["--objective", text, "--optimizer", "adam", "--smooth", "0.7", "--laplacian", "2"]
    cli("dream", photo, *MINI, *options)
    recipe = read_recipe(tmp_path / "photo_dream.png")
    assert recipe.objective == f'guide("blobs.png", {LAYER}) - 0.1*l1({LAYER})'
    assert (recipe.settings.optimizer, recipe.settings.smooth) == ("adam", 0.7)

    missing = cli("replay", "photo_dream.png", photo, code=2).stderr
    assert "blobs.png (sha256 " in missing
    assert "was not found: give it by --guide FILE" in missing
    guide.rename(tmp_path / "renamed.png")
    cli("replay", "photo_dream.png", photo, "--guide", "renamed.png")
    same(tmp_path / "photo_dream_replay.png", tmp_path / "photo_dream.png")


def test_other_networks_of_the_objective(cli, photo, tmp_path):
    text = f"{LAYER} + of_network(googlenet_mini, conv1/7x7_s2)"
    cli("dream", photo, *MINI, "--objective", text)
    recipe = read_recipe(tmp_path / "photo_dream.png")
    assert recipe.files == {"googlenet_mini": jd.load_model("googlenet_mini").weights_sha256}
    cli("replay", "photo_dream.png", photo)
    same(tmp_path / "photo_dream_replay.png", tmp_path / "photo_dream.png")
    for wrong in ({"googlenet_mini": "ab" * 32}, {}):
        rewrite(
            tmp_path / "photo_dream.png", lambda values, wrong=wrong: values.update(files=wrong)
        )
        (note,) = cli("replay", "photo_dream.png", photo, code=2).notes
        assert "was dreamed with other weights of googlenet_mini (sha256 " in note
        assert "give them by `jaxdream weights use FILE`" in note


def test_several_pictures_are_replayed_one_by_one(cli, photo, tmp_path):
    second = tmp_path / "second.png"
    jd.write_image(second, jd.read_image(photo)[:-9, :-5])
    cli("dream", photo, second, *MINI, "--layer", LAYER, "-o", "out")
    recipes = [read_recipe(tmp_path / "out" / f"{name}_dream.png") for name in ("photo", "second")]
    assert recipes[0].shapes == recipes[1].shapes != ""
    cli("replay", "out/second_dream.png", second, "-o", "again.png")
    again = jd.read_image(tmp_path / "again.png")
    assert np.abs(again - jd.read_image(tmp_path / "out" / "second_dream.png")).max() <= 1


def rewrite(path, change):
    """Replace the recipe in a picture."""
    values = json.loads(read_recipe_text(path))
    change(values)
    jd.write_image(path, jd.read_image(path), recipe=json.dumps(values))


def test_a_recipe_of_schema_3_is_read(cli, photo, tmp_path):
    # What jaxdream 0.1.0 wrote, in its own words.
    recipe = {
        "canvases": "", "clip": True, "files": {}, "input_name": "photo.png",
        "input_sha256": "", "jax": "0.10.2", "jaxdream": "0.1.0", "jitter": 4, "laplacian": 0,
        "model": "googlenet_mini", "objective": LAYER, "octave_scale": 1.4, "octaves": 2,
        "optimizer": "classic", "platform": "cpu", "precision": "float32", "recipe": 3, "seed": 7,
        "size": [60, 72], "smooth": 0.0, "step_size": 1.5, "steps": 2, "weights_sha256": "",
        "guide_size": 1024,
    }  # fmt: skip
    cli("dream", photo, *MINI, "--layer", LAYER, "--seed", "7")
    written = json.loads(read_recipe_text(tmp_path / "photo_dream.png"))
    recipe |= {name: written[name] for name in ("input_sha256", "weights_sha256", "jax")}
    old = tmp_path / "old.png"
    jd.write_image(old, jd.read_image(photo), recipe=json.dumps(recipe))
    assert cli("replay", old, photo, "-o", "again.png").stderr == ""
    same(tmp_path / "again.png", tmp_path / "photo_dream.png")


def test_another_version_of_jax_is_told(cli, photo, dreamed):
    rewrite(dreamed, lambda values: values.update(jax="0.0.1"))
    (note,) = cli("replay", dreamed, photo).notes
    assert "dreamed with jax 0.0.1 on cpu, this is jax " in note


def test_other_weights_are_refused(cli, photo, dreamed):
    rewrite(dreamed, lambda values: values.update(weights_sha256="ab" * 32))
    (note,) = cli("replay", dreamed, photo, code=2).notes
    assert "was dreamed with other weights of googlenet_mini (sha256 abababababab, these " in note


HOSTILE = {
    "another schema": {"recipe": 9},
    "no such model": {"model": "\x1b[31m"},
    "no text": {"objective": 3},
    "a file that is not listed": {"objective": 'guide("x.png")'},
    "a file outside": {"objective": 'guide("x.png")', "files": {"../../etc/passwd": "ab" * 32}},
    "a name too long": {"files": {"x" * 5000: "ab" * 32}},
    "an empty name": {"files": {"": "ab" * 32}},
    "steps": {"steps": 1 << 40},
    "octaves": {"octaves": 1 << 30, "octave_scale": 1.0000001},
    "size": {"size": [1, 178_000_000_000]},
    "size that is too large": {"size": [999_999, 999_999]},
    "shapes": {"shapes": "99999999x9999999 x"},
    "a true number": {"steps": True},
    "not a number": {"smooth": float("nan")},
    "unknown setting": {"magic": 1},
    "deep": {"files": [[[[{}]]]]},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_recipe_is_one_line(cli, photo, tmp_path, case):
    hostile = tmp_path / "hostile.png"
    recipe = json.loads(_recipe(photo)) | HOSTILE[case]
    jd.write_image(hostile, jd.read_image(photo), recipe=json.dumps(recipe))
    before = {path.name for path in tmp_path.iterdir()}
    done = cli("replay", hostile, photo, code=2)
    (line,) = done.notes
    assert line.isprintable()
    assert {path.name for path in tmp_path.iterdir()} == before


def _recipe(photo):
    """A recipe of the photo, that would be replayed."""
    from jaxdream.images.picture_files import read_picture
    from jaxdream.recipe import Recipe, provenance
    from jaxdream.settings import DreamSettings, SourceSettings

    return Recipe(
        settings=DreamSettings(steps=1, octaves=1), source=SourceSettings(), size=(60, 72),
        objective=LAYER, files={}, input_name="photo.png",
        input_sha256=read_picture(photo).sha256,
        provenance=provenance(jd.load_model("googlenet_mini")),
    ).to_json()  # fmt: skip


REFUSED = {
    "nowhere.png photo.png": "nowhere.png: no such file",
    "photo.png photo.png": "photo.png has no jaxdream recipe: jaxdream did not write it, or the",
    "'' photo.png": "no such file",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    assert REFUSED[arguments] in refused(f"replay {arguments}")


def test_the_output_is_neither_of_the_inputs(cli, photo, dreamed):
    before = dreamed.read_bytes(), photo.read_bytes()
    for output in (dreamed, photo):
        line = cli("replay", dreamed, photo, "-o", output, code=2).stderr
        assert "is the same file as the input" in line
    assert (dreamed.read_bytes(), photo.read_bytes()) == before
