"""``jaxdream visualize`` and ``jaxdream filters``, with the bundled network."""

import json
import shutil
from typing import NamedTuple

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.cli.commands import build_parser
from jaxdream.cli.main import run
from jaxdream.cli.targets import parse_targets
from jaxdream.images.picture_files import read_recipe_text
from jaxdream.recipe import UNFINISHED

LAYER = "conv2/relu_3x3"  # an early one, quick to compile
MODEL = ["--model", "googlenet_mini"]
QUICK = [*MODEL, "--size", "32", "--steps", "2"]
QUICKER = [*QUICK, "--no-transforms"]  # in compiling


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Runs the command line in this process, in the test's folder; it must end with ``code``."""
    monkeypatch.chdir(tmp_path)
    # It sets JAX's global configuration, which other tests share.
    monkeypatch.setattr("jaxdream.cli.session.start_jax", lambda _: None)

    def call(*arguments, code=0):
        done = Done(run([str(argument) for argument in arguments]), *capsys.readouterr())
        assert done.returncode == code, done.stderr
        return done

    return call


def test_a_class_and_what_it_was_made_with(call, tmp_path, monkeypatch):
    def instead(index):  # of the logit, which needs the whole network
        assert index == 954
        return jd.objectives.channel(LAYER, 4)

    monkeypatch.setattr("jaxdream.visualization.targets.logit", instead)
    done = call("visualize", "--class", "Banana", *QUICKER, "--seed", "3")
    assert done.stdout == "wrote banana.png\n"
    assert jd.read_image(tmp_path / "banana.png").shape == (32, 32, 3)
    made = json.loads(read_recipe_text(tmp_path / "banana.png") or "")
    assert (made["pictures"], made["seed"], made["steps"]) == (["banana"], 3, 2)
    assert (made["diversity"], made["transforms"]) == (None, False)


def test_its_pictures_are_not_replayed(call, tmp_path):
    picture = np.zeros((8, 8, 3), np.float32)
    jd.write_image(tmp_path / "banana.png", picture, recipe='{"recipe":"visualize"}')
    done = call("replay", "banana.png", "banana.png", "-o", "again.png", code=2)
    assert "it was made by `jaxdream visualize`" in one_line(done)


def test_is_the_same_picture_from_python(call, tmp_path):
    import jax

    call("visualize", "--objective", f"2*{LAYER}", *QUICK, "--seed", "3", "-o", "out.png")
    objective = 2 * jd.objectives.layer(LAYER)
    model = jd.load_model("googlenet_mini")
    image = jd.visualize(jax.random.key(3), model, objective, size=32, steps=2)
    jd.write_image(tmp_path / "python.png", image)
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "python.png"), jd.read_image(tmp_path / "out.png")
    )
    assert json.loads(read_recipe_text(tmp_path / "out.png") or "")["transforms"] is True


def test_a_grid_of_channels_of_two_layers(call, tmp_path):
    layers = [LAYER, "conv1/relu_7x7"]
    done = call("visualize", "--layer", *layers, "--channels", "1,4-5", "--grid", *QUICKER)
    assert done.stdout == "wrote conv2_relu_3x3_1_grid.png\n"
    sheet = jd.read_image(tmp_path / "conv2_relu_3x3_1_grid.png")
    # Three columns and two rows of 32 pixels, a line of text each, gaps of 8.
    assert sheet.shape == (2 * (32 + 21 + 8) + 8, 3 * (32 + 8) + 8, 3)
    cells = [sheet[y : y + 32, x : x + 32] for y in (8, 69) for x in (8, 48, 88)]
    assert all(cell.std() > 0.2 for cell in cells)
    assert len({cell.tobytes() for cell in cells}) == 6


def test_several_pictures_from_a_photograph_go_into_a_folder(call, photo, tmp_path):
    show = ["visualize", *MODEL, "--layer", LAYER, "--neuron", "7@0.25,0.5", "-n", "2"]
    done = call(*show, "--from", photo, "-o", "out", "--steps", "2", "--no-transforms")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    stem = "conv2_relu_3x3_neuron_7_0.25_0.5"
    assert names == {f"{stem}_1.png", f"{stem}_2.png"}
    assert done.stdout.count("wrote") == 2
    first = jd.read_image(tmp_path / "out" / f"{stem}_1.png")
    assert first.shape == (60, 72, 3)
    assert 0.1 < np.abs(first - jd.read_image(photo)).mean() < 20
    made = json.loads(read_recipe_text(tmp_path / "out" / f"{stem}_1.png") or "")
    assert made["pictures"] == [f"{LAYER} neuron 7@0.25,0.5 {i}" for i in (1, 2)]
    assert (made["diversity"], made["transforms"]) == (0.5, False)


@pytest.mark.slow
def test_phases_with_a_spectrum_of_ones_own(run, photo, tmp_path):
    show = ["visualize", *QUICK, "--layer", LAYER, "--channel", "4", "--parametrization", "maco"]
    done = run(*show, "--alpha", "-o", "law.png")
    assert done.stdout == "wrote law.png\n"
    folder = tmp_path / "photographs" / "deeper"
    folder.mkdir(parents=True)
    shutil.copy(photo, folder / "photo.png")
    run(*show, "--spectrum", "photographs", "-o", "own.png")
    law, own = (jd.read_image(tmp_path / name) for name in ("law.png", "own.png"))
    assert np.abs(law - own).mean() > 1
    made = {
        name: json.loads(read_recipe_text(tmp_path / f"{name}.png") or "")
        for name in ("law", "own")
    }
    assert made["law"]["parametrization"] == made["own"]["parametrization"] == "maco"
    assert made["law"]["spectrum_sha256"] is None
    assert len(made["own"]["spectrum_sha256"]) == 64
    with Image.open(tmp_path / "law.png") as image:
        assert image.mode == "RGBA"


@pytest.mark.slow
def test_a_photograph_of_which_a_layer_is_kept(run, photo, tmp_path):
    show = ["visualize", *MODEL, "--layer", LAYER, "--channel", "4", "--from", photo]
    quick = ["--steps", "4", "--no-transforms", "--learning-rate", "0.2"]
    run(*show, *quick, "--keep", "conv1/7x7_s2", "--keep-weight", "4", "-o", "kept.png")
    run(*show, *quick, "-o", "free.png")
    kept, free = (jd.read_image(tmp_path / name) for name in ("kept.png", "free.png"))
    original = jd.read_image(photo)
    assert 0.1 < np.abs(kept - original).mean() < np.abs(free - original).mean()
    made = json.loads(read_recipe_text(tmp_path / "kept.png") or "")
    assert (made["keep"], made["keep_weight"]) == ("conv1/7x7_s2", 4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "photographs: no such file or folder"),
        ({}, "no pictures in photographs"),
        ({"a.png": b"no picture"}, "--spectrum photographs: "),
    ],
)
def test_a_bad_folder_for_the_spectrum_is_one_line(call, tmp_path, content, says):
    if content is not None:
        (tmp_path / "photographs").mkdir()
        for name, written in content.items():
            (tmp_path / "photographs" / name).write_bytes(written)
    show = ["visualize", "--layer", LAYER, "--parametrization", "maco", *QUICKER]
    assert says in one_line(call(*show, "--spectrum", "photographs", code=2))


def test_a_direction(call, tmp_path):
    direction = np.zeros(192, np.float32)
    direction[5] = 2
    np.save(tmp_path / "five.npy", direction)
    call("visualize", "--layer", LAYER, "--direction", "five.npy", *QUICKER, "-o", "direction.png")
    call("visualize", "--layer", LAYER, "--channel", "5", *QUICKER, "-o", "channel.png")
    np.testing.assert_allclose(
        jd.read_image(tmp_path / "direction.png"), jd.read_image(tmp_path / "channel.png"), atol=1
    )


def test_pictures_that_change_into_one_another(call, tmp_path):
    text = f"interpolate(channel({LAYER}, 3), channel({LAYER}, 7)) + 0.01*alignment({LAYER})"
    done = call("visualize", "--objective", text, "--count", "3", *QUICKER, "-o", "out")
    assert done.stdout.count("wrote") == 3
    paths = sorted((tmp_path / "out").iterdir())
    first, middle, last = (jd.read_image(path).astype(float) for path in paths)
    assert 0 < np.abs(first - middle).mean() < np.abs(first - last).mean()
    # They begin from one noise, which hardly changes here, and are not made to differ.
    for count, what in (("3", text), ("2", LAYER)):
        still = ("--learning-rate", "0.001", "--count", count, "-o", count)
        call("visualize", "--objective", what, *QUICKER, *still)
    same, apart = (
        [jd.read_image(path).astype(float) for path in sorted((tmp_path / count).iterdir())]
        for count in ("3", "2")
    )
    assert np.abs(same[0] - same[2]).mean() < 0.2 * np.abs(apart[0] - apart[1]).mean()
    assert json.loads(read_recipe_text(paths[0]) or "")["diversity"] is None
    alone = one_line(call("visualize", "--objective", text, *QUICKER, code=2))
    assert "is of several pictures: add --count N" in alone


def test_files_and_networks_of_an_objective_are_recorded_and_kept(call, photo, tmp_path):
    text = f'of_network(googlenet_mini, {LAYER}) + style("{photo.name}", {LAYER})'
    call("visualize", "--objective", text, *QUICKER, "-o", "out.png")
    files = json.loads(read_recipe_text(tmp_path / "out.png") or "")["files"]
    assert set(files) == {"googlenet_mini", photo.name}
    before = photo.read_bytes()
    done = call("visualize", "--objective", text, *QUICKER, "-o", photo.name, code=2)
    assert "is the same file as a file of the objective" in one_line(done)
    assert photo.read_bytes() == before


def test_ctrl_c_keeps_the_pictures_as_far_as_they_got(interrupt, tmp_path):
    arguments = ["visualize", "--layer", LAYER, "--channels", "0-2", "--grid", "-o", "out.png"]
    options = [*MODEL, "--size", "48", "--steps", "100000"]
    code, progress, said = interrupt(*arguments, *options, after=" step ")
    assert code == 130, progress + said
    assert "3 of 3 pictures begun" in said
    assert "Traceback" not in said
    assert jd.read_image(tmp_path / "out.png")[8:56, 8:56].std() > 0.2
    assert read_recipe_text(tmp_path / "out.png") == UNFINISHED


def test_filters(call, tmp_path):
    done = call("filters", *MODEL, "--scale", "2", "--columns", "8")
    assert done.stdout == "wrote filters.png: 64 filters\n"
    sheet = jd.read_image(tmp_path / "filters.png")
    assert sheet.shape == (8 * 15 + 1, 8 * 15 + 1, 3)
    kernel = sheet[1:15, 1:15]
    np.testing.assert_array_equal(kernel[::2, ::2], kernel[1::2, 1::2])
    assert kernel.min() == 0
    assert kernel.max() == 255


@pytest.fixture
def corpus(tmp_path):
    Image.effect_noise((40, 40), 60).convert("RGB").save(tmp_path / "photo.png")
    np.save(tmp_path / "short.npy", np.ones(3, np.float32))
    (tmp_path / "text.npy").write_text("not numbers")
    return tmp_path


IN = f"--layer {LAYER}"
# Found before a network is loaded.
BAD = {
    "nothing": ("visualize", "one of --class, --layer and --objective"),
    "both": (f"visualize {IN} --class banana", "one of --class, --layer and --objective"),
    "class": ("visualize --class bananna", "the nearest are banana"),
    "ambiguous": ("visualize --class crane", "134 (crane), 517 (crane)"),
    "channel of a class": ("visualize --class banana --channel 3", "--channel needs a layer"),
    "two within": (f"visualize {IN} --channel 3 --neuron 4", "exclude each other"),
    "channels": (f"visualize {IN} --channels 3,x", "channels '3,x': give numbers, as in 12"),
    "channels reversed": (
        f"visualize {IN} --channels 1,5-3",
        "channels '5-3': the first number must not be larger than the second",
    ),
    "endless": (f"visualize {IN} --channels 0-999999", "give at most 4096 channels"),
    "neuron": (f"visualize {IN} --neuron x", "neuron 'x': give its channel"),
    "neuron outside": (f"visualize {IN} --neuron 3@2,0", "X and Y are shares from 0 to 1"),
    "no numbers": (f"visualize {IN} --direction text.npy", "text.npy"),
    "no direction file": (f"visualize {IN} --direction none.npy", "none.npy"),
    "photo": ("visualize --class banana --from none.png", "none.png: no such file"),
    "onto itself": (
        "visualize --class banana --from photo.png -o photo.png",
        "same file as the input",
    ),
    "diversity of one": ("visualize --class banana --diversity 1", "--count"),
    "count": ("visualize --class banana -n 0", "a whole number from 1 to 10,000, not 0"),
    "endless count": ("visualize --class banana -n 1000000000", "a whole number from 1 to 10,000"),
    "count of several": (
        "visualize --class banana ant -n 2",
        "several pictures of one thing, but 2 are named",
    ),
    "same twice": (
        "visualize --class banana 954",
        "one file, banana.png",
    ),
    "grid of one": ("visualize --class banana --grid", "--grid needs several pictures"),
    "columns": (
        "visualize --class banana ant --grid --columns 0",
        "--columns: it is a whole",
    ),
    "columns of none": ("visualize --class banana --columns 3", "--columns needs --grid"),
    "size": ("visualize --class banana --size wide", "'wide' is not a size"),
    "suffix": ("visualize --class banana -o banana.xyz", "banana.xyz"),
    "several into a file": ("visualize --class banana ant -o photo.png", "photo.png"),
    "sheet too large": (
        f"visualize {IN} --channels 0-4 --size 4000 --grid --columns 5 -o sheet.webp",
        "are too many for WEBP",
    ),
    "steps": (
        "visualize --class banana --steps 0",
        "--steps: it is a whole number from 1",
    ),
    "tv": (
        "visualize --class banana --tv 1e99",
        "--tv: it is a number from 0",
    ),
    "keep of noise": ("visualize --class banana --keep 3a", "--keep is of a photograph"),
    "spectrum without maco": (
        "visualize --class banana --spectrum .",
        "--spectrum is for --parametrization maco",
    ),
    "parametrization": ("visualize --class banana --parametrization mako", "'mako'"),
    "seed": ("visualize --class banana --seed -1", "argument --seed: it is a whole number from 0"),
    "filters suffix": ("filters -o filters.xyz", "filters.xyz"),
    "filters scale": (
        "filters --scale 0",
        "--scale: it is a whole number from 1 to 100",
    ),
    "filters columns": ("filters --columns 0", "--columns: it is a whole"),
}
# Found with the network.
BAD_LATE = {
    "layer": ("visualize --layer inception_3a/ouput", "inception_3a/output"),
    "channel": (f"visualize {IN} --channel 192", "channels 0 to 191, not 192"),
    "direction of other size": (f"visualize {IN} --direction short.npy", "has 192 channels"),
    "keep": (f"visualize {IN} --from photo.png --keep conv2/relu", "no layer 'conv2/relu'"),
    "too small": (f"visualize {IN} --size 1", "1x1 pixels and conv2/relu_3x3 needs at least"),
    "filters model": ("filters --model googlnet", "googlenet"),
}


@pytest.mark.parametrize("case", [*BAD, *BAD_LATE])
def test_bad_input_is_one_line_and_writes_nothing(corpus, call, case):
    arguments, message = (BAD | BAD_LATE)[case]
    before = {path.name for path in corpus.iterdir()}
    # A case that names a model has it twice; the last one counts.
    command, *rest = arguments.split()
    done = call(command, *MODEL, *rest, code=2)
    assert message in one_line(done)
    assert {path.name for path in corpus.iterdir()} == before


def test_what_does_not_matter_is_transparent(call, tmp_path):
    call("visualize", "--layer", LAYER, "--neuron", "3", "--alpha", "-o", "a.png", *QUICKER)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGBA"
        alpha = np.asarray(image)[..., 3]
    assert alpha.max() == 255
    assert (alpha[:4] == 0).all(), "a neuron in the middle does not see the edge"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "a.jpg"], "JPEG has no transparency, so --alpha needs a .png, .webp or .tif"),
        (["--grid", "--channels", "1,2"], "--alpha is for pictures of their own"),
    ],
)
def test_alpha_where_it_cannot_be_is_one_line(call, options, says):
    done = call("visualize", "--layer", LAYER, "--alpha", *options, *QUICKER, code=2)
    assert says in one_line(done)


def test_a_class_by_its_number_has_the_name_of_its_network():
    named = {
        model: parse_targets(build_parser().parse_args(["visualize", "--class", "251", *options]))
        for model, options in (
            ("imagenet", []),
            ("places", ["--model", "googlenet_places365"]),
        )
    }
    assert [named[model][0].label for model in named] == ["dalmatian", "pagoda"]
