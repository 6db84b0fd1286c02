"""The command line as a user has it: in processes of its own, with the bundled network."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.images.picture_files import read_picture
from jaxdream.recipe import read_recipe

QUICK = ["--steps", "2", "--octaves", "2", "--jitter", "4", "--layer", "inception_3a/output"]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_dreams_a_picture_and_replays_it(run, photo, tmp_path):
    done = run("dream", photo, *QUICK, "--seed", "7")
    assert done.stdout == f"wrote {tmp_path / 'photo_dream.png'}\n"
    assert "googlenet_mini" in one_line(done)
    dreamed = tmp_path / "photo_dream.png"
    before, after = jd.read_image(photo), jd.read_image(dreamed)
    assert before.shape == after.shape
    assert np.abs(before - after).mean() > 1
    recipe = read_recipe(dreamed)
    assert (recipe.seed, recipe.steps, recipe.objective) == (7, 2, "inception_3a/output")
    assert recipe.model == "googlenet_mini"

    run("replay", dreamed, photo, "-o", "again.png")
    np.testing.assert_array_equal(jd.read_image(tmp_path / "again.png"), after)
    assert read_recipe(tmp_path / "again.png") == recipe


def test_is_the_same_dream_from_python(run, photo, tmp_path):
    run("dream", photo, *QUICK, "--seed", "3", "-o", "out.png")
    import jax

    model = jd.load_model("googlenet_mini")
    out = jd.dream(
        jax.random.key(3),
        model,
        jd.read_image(photo),
        objective=jd.objectives.layer("inception_3a/output"),
        steps=2,
        octaves=2,
        jitter=4,
    )
    jd.write_image(tmp_path / "python.png", out)
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "python.png"), jd.read_image(tmp_path / "out.png")
    )


def test_several_pictures_into_a_folder_at_a_size(run, photo, tmp_path):
    alpha = np.full((60, 72), 100, np.uint8)
    jd.write_image(tmp_path / "other.webp", jd.read_image(photo), alpha=alpha)
    done = run("dream", photo, "other.webp", "-o", "out", *QUICK, "--size", "36x30")
    assert files(tmp_path / "out") == {"photo_dream.png", "other_dream.png"}
    assert done.stdout.count("wrote") == 2
    other = read_picture(tmp_path / "out" / "other_dream.png")
    assert other.alpha is not None
    assert set(other.alpha.ravel()) == {100}
    assert jd.read_image(tmp_path / "out" / "photo_dream.png").shape == (30, 36, 3)


def test_jpeg_keeps_its_recipe_too(run, photo, tmp_path):
    run("dream", photo, *QUICK, "-o", "out.jpg", "--no-clip")
    assert not read_recipe(tmp_path / "out.jpg").clip


def test_fewer_octaves_are_said(run, photo):
    done = run("dream", photo, *QUICK, "--octaves", "12")
    assert "of 12 octaves: smaller ones would be under the" in done.stderr


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder of everything that is not a picture to dream, and one that is."""
    folder = tmp_path_factory.mktemp("corpus")
    Image.effect_noise((64, 48), 60).convert("RGB").save(folder / "photo.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:1500])
    (folder / "folder").mkdir()
    Image.new("RGB", (5, 5)).save(folder / "small.png")
    # A whole picture by its header, of 900 million pixels.
    header = struct.pack(">4sIIBBBBB", b"IHDR", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    (folder / "bad.safetensors").write_bytes(b"nonsense")
    return folder


BAD_INPUTS = {
    "empty": ("empty.png", "empty.png"),
    "not a picture": ("text.jpg", "text.jpg"),
    "truncated": ("cut.png", "cut.png"),
    "directory": ("folder", "folder"),
    "missing": ("nowhere.png", "nowhere.png"),
    "bomb": ("bomb.png", "bomb.png"),
    "too small": ("small.png", "at least 15x15"),
    "second of two": ("photo.png cut.png -o out", "cut.png"),
    "layer": ("photo.png --layer inception_4c/ouput", "inception_4c/output"),
    "model": ("photo.png --model googlnet", "googlenet"),
    "no such weights": ("photo.png --weights none.onnx", "none.onnx"),
    "bad weights": ("photo.png --weights bad.safetensors", "bad.safetensors"),
    "not here": ("photo.png --model inception_v3_2015", "--weights"),
    "offline": ("photo.png --model inception_v3", "HF_ENDPOINT"),
    "steps": ("photo.png --steps 0", "steps must be at least 1"),
    "steps no number": ("photo.png --steps ten", "invalid int value: 'ten'"),
    "octaves": ("photo.png --octaves 0", "octaves must be at least 1"),
    "scale": ("photo.png --octave-scale 1", "octave scale must be over 1"),
    "step size": ("photo.png --step-size nan", "step size must be a finite number"),
    "jitter": ("photo.png --jitter -3", "jitter must be 0 or more"),
    "seed": ("photo.png --seed -1", "a seed is a whole number from 0"),
    "size": ("photo.png --size wide", "wide"),
    "device": ("photo.png --device tpu", "no tpu here"),
    "suffix": ("photo.png -o out.xyz", "out.xyz"),
    "no parent": ("photo.png -o no/where/out.png", "no/where"),
    "onto itself": ("photo.png -o photo.png", "is the input"),
    "folder is a file": ("photo.png small.png -o photo.png", "photo.png"),
    "same name twice": ("photo.png folder/../photo.png -o out", "two pictures would be written"),
    "no input": ("", "the following arguments are required: IN"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_one_line_and_writes_nothing(run_in, corpus, case):
    arguments, says = BAD_INPUTS[case]
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    done = run_in(corpus, "dream", *arguments.split())
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "using the bundled network" not in line]
    assert len(lines) == 1, done.stderr
    assert says in lines[0]
    assert {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()} == before


def test_ctrl_c_keeps_the_picture_as_far_as_it_got(interrupt, photo, tmp_path):
    arguments = ["dream", photo, "-o", "out.png", "--steps", "100000", "--octaves", "2"]
    code, progress, said = interrupt(*arguments, after="octave 1/2 step")
    assert "loss" in progress
    assert code == 130, progress + said
    assert "interrupted at octave 1 of 2, step" in said
    assert "Traceback" not in said
    out = jd.read_image(tmp_path / "out.png")
    assert out.shape == jd.read_image(photo).shape
    assert np.abs(out - jd.read_image(photo)).mean() > 1


def test_replay_of_what_is_no_dream(run, photo):
    assert "carries no jaxdream recipe" in one_line(run("replay", photo, photo, code=2))


def test_help_and_version_come_without_jax(environment):
    code = (
        "import sys, jaxdream.cli.main\n"
        "try: jaxdream.cli.main.main(['--help'])\n"
        "except SystemExit as e: assert e.code == 0\n"
        "assert not {'jax', 'flax', 'numpy', 'PIL'} & set(sys.modules), 'slow start'"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
