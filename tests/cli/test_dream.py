"""``jaxdream dream`` with objectives, guides, optimisers and previews, as a process."""

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.recipe import read_recipe

QUICK = ["--steps", "2", "--octaves", "2", "--jitter", "4", "--size", "48"]
LAYER = "inception_3a/output"


@pytest.fixture
def guide(tmp_path):
    (tmp_path / "guides").mkdir()
    path = tmp_path / "guides" / "blobs.png"
    Image.effect_noise((64, 56), 80).convert("RGB").save(path)
    return path


def test_guides_and_their_weights_and_a_replay(run, photo, guide, tmp_path):
    second = tmp_path / "second.png"
    jd.write_image(second, jd.read_image(guide)[::-1])
    options = ["--guide", guide, "--guide", second, "--guide-weight", "2", "--guide-weight", "0.5"]
    done = run("dream", photo, *QUICK, "--layer", LAYER, *options, "--guide-size", "60")
    assert "is used at 60x52 pixels" in done.stderr
    dreamed = tmp_path / "photo_dream.png"
    recipe = read_recipe(dreamed)
    text = f'2.0*guide("blobs.png", {LAYER}) + 0.5*guide("second.png", {LAYER})'
    assert recipe.objective == text
    assert set(recipe.files) == {"blobs.png", "second.png"}

    run("dream", photo, *QUICK, "--layer", LAYER, "-o", "plain.png")
    plain, guided = (jd.read_image(tmp_path / name) for name in ("plain.png", "photo_dream.png"))
    assert np.abs(plain - guided).mean() > 0.5

    asked = run("replay", dreamed, photo, "-o", "again.png", "--size-of-none", code=2)
    assert "unrecognized" in asked.stderr
    missing = run("replay", dreamed, photo, "-o", "again.png", code=2)
    assert "dreamed with blobs.png" in missing.stderr.splitlines()[-1]
    run("replay", dreamed, photo, "-o", "again.png", "--guide", guide)
    np.testing.assert_array_equal(jd.read_image(tmp_path / "again.png"), guided)


def test_an_objective_and_an_optimizer_and_a_replay(run, photo, tmp_path):
    text = f"{LAYER}:3 - 0.1*l1({LAYER})"
    options = ["--objective", text, "--optimizer", "adam", "--smooth", "0.7", "--laplacian", "2"]
    run("dream", photo, *QUICK, *options)
    recipe = read_recipe(tmp_path / "photo_dream.png")
    assert (recipe.objective, recipe.optimizer, recipe.smooth) == (text, "adam", 0.7)
    run("replay", "photo_dream.png", photo)
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "photo_dream_replay.png"),
        jd.read_image(tmp_path / "photo_dream.png"),
    )


def test_previews_of_every_step_and_of_every_octave(run, photo, tmp_path):
    run("dream", photo, *QUICK, "--layer", LAYER, "--preview", "seen", "--gif", "seen.gif")
    frames = sorted((tmp_path / "seen").iterdir())
    assert [path.name for path in frames] == [f"photo_dream_{i:05}.png" for i in range(1, 5)]
    assert {jd.read_image(path).shape for path in frames} == {(40, 48, 3)}
    # The last state is the dream.
    last, dreamed = jd.read_image(frames[-1]), jd.read_image(tmp_path / "photo_dream.png")
    assert np.abs(last - dreamed).max() <= 1
    with Image.open(tmp_path / "seen.gif") as animation:
        assert animation.n_frames == 4
        assert animation.size == (48, 40)
    said = one_line(run("dream", photo, *QUICK, "--layer", LAYER, "--preview", "seen", code=2))
    assert "preview into another folder" in said

    octaves = ["--preview", "octaves", "--preview-every", "octave", "--no-clip"]
    run("dream", photo, *QUICK, "--layer", LAYER, *octaves)
    assert len(list((tmp_path / "octaves").iterdir())) == 2


BAD = {
    "objective and layer": (
        ["--objective", "a", "--layer", "b"],
        "--objective cannot be combined with --layer",
    ),
    "objective": (["--objective", "2*"], "expected a layer name at the end"),
    "channel": (["--objective", f"{LAYER}:9999"], "has channels 0 to"),
    "guide": (["--guide", "none.png"], "none.png"),
    "guide weight": (
        ["--guide", "photo.png", *2 * ["--guide-weight", "1"]],
        "--guide is given 1 times and --guide-weight 2 times",
    ),
    "weight alone": (["--guide-weight", "1"], "--guide-weight needs a --guide FILE"),
    "guide size": (["--guide-size", "0"], "a size is a whole number of pixels"),
    "guide too small": (["--guide", "photo.png", "--guide-size", "4"], "needs at least 15x15"),
    "optimizer": (["--optimizer", "adm"], "no optimizer 'adm': the nearest are adam"),
    "smooth": (["--smooth", "-1"], "0 to 100 pixels"),
    "gif name": (["--gif", "seen.xyz"], "seen.xyz"),
    "gif folder": (["--gif", "no/where.gif"], "no/where.gif"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_one_line_and_write_nothing(run, photo, tmp_path, case):
    arguments, says = BAD[case]
    done = run("dream", photo, *arguments, code=2)
    lines = [
        line
        for line in done.stderr.splitlines()
        if "using the bundled network" not in line and "is used at" not in line
    ]
    assert len(lines) == 1, done.stderr
    assert says in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
