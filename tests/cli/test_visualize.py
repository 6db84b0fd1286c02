"""``jaxdream visualize`` and ``jaxdream filters``, as processes, with the bundled network."""

import json

import numpy as np
import pytest
from helpers import one_line
from PIL import Image

import jaxdream as jd
from jaxdream.cli.main import main
from jaxdream.images.picture_files import read_recipe_text

LAYER = "conv2/relu_3x3"  # an early one, quick to compile
QUICK = ["--size", "32", "--steps", "2"]


def test_a_class_and_what_it_was_made_with(run, tmp_path):
    done = run("visualize", "--class", "banana", *QUICK, "--size", "64", "--seed", "3")
    assert done.stdout == "wrote banana.png\n"
    assert jd.read_image(tmp_path / "banana.png").shape == (64, 64, 3)
    made = json.loads(read_recipe_text(tmp_path / "banana.png") or "")
    assert (made["pictures"], made["seed"], made["steps"]) == (["banana"], 3, 2)
    assert "recipe is of version 'visualize'" in one_line(
        run("replay", "banana.png", "banana.png", "-o", "again.png", code=2)
    )


def test_is_the_same_picture_from_python(run, tmp_path):
    import jax

    run("visualize", "--objective", f"2*{LAYER}", *QUICK, "--seed", "3", "-o", "out.png")
    objective = 2 * jd.objectives.layer(LAYER)
    model = jd.load_model("googlenet_mini")
    image = jd.visualize(jax.random.key(3), model, objective, size=32, steps=2)
    jd.write_image(tmp_path / "python.png", image)
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "python.png"), jd.read_image(tmp_path / "out.png")
    )


def test_a_grid_of_channels_of_two_layers(run, tmp_path):
    layers = [LAYER, "conv1/relu_7x7"]
    done = run("visualize", "--layer", *layers, "--channels", "1,4-5", "--grid", *QUICK)
    assert done.stdout == "wrote conv2_relu_3x3_1_grid.png\n"
    sheet = jd.read_image(tmp_path / "conv2_relu_3x3_1_grid.png")
    # Three columns and two rows of 32 pixels, a line of text each, gaps of 8.
    assert sheet.shape == (2 * (32 + 21 + 8) + 8, 3 * (32 + 8) + 8, 3)
    cells = [sheet[y : y + 32, x : x + 32] for y in (8, 69) for x in (8, 48, 88)]
    assert all(cell.std() > 0.2 for cell in cells)
    assert len({cell.tobytes() for cell in cells}) == 6


def test_several_pictures_from_a_photograph_go_into_a_folder(run, photo, tmp_path):
    done = run("visualize", "--layer", LAYER, "--neuron", "7@0.25,0.5", "-n", "2", "--from", photo,
               "-o", "out", "--steps", "2", "--no-robustness", "--diversity", "1")  # fmt: skip
    names = {path.name for path in (tmp_path / "out").iterdir()}
    stem = "conv2_relu_3x3_neuron_7_0.25_0.5"
    assert names == {f"{stem}_1.png", f"{stem}_2.png"}
    assert done.stdout.count("wrote") == 2
    first = jd.read_image(tmp_path / "out" / f"{stem}_1.png")
    assert first.shape == (60, 72, 3)
    assert 0.1 < np.abs(first - jd.read_image(photo)).mean() < 20


def test_a_direction(run, tmp_path):
    direction = np.zeros(192, np.float32)
    direction[5] = 2
    np.save(tmp_path / "five.npy", direction)
    run("visualize", "--layer", LAYER, "--direction", "five.npy", *QUICK, "-o", "direction.png")
    run("visualize", "--layer", LAYER, "--channel", "5", *QUICK, "-o", "channel.png")
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "direction.png"), jd.read_image(tmp_path / "channel.png")
    )


def test_ctrl_c_keeps_the_pictures_as_far_as_they_got(interrupt, tmp_path):
    arguments = ["visualize", "--layer", LAYER, "--channels", "0-2", "--grid", "-o", "out.png"]
    options = ["--size", "48", "--steps", "100000"]
    code, progress, said = interrupt(*arguments, *options, after=" step ")
    assert code == 130, progress + said
    assert "3 of 3 pictures begun" in said
    assert "Traceback" not in said
    assert jd.read_image(tmp_path / "out.png")[8:56, 8:56].std() > 0.2
    assert read_recipe_text(tmp_path / "out.png") is None


def test_filters(run, tmp_path):
    done = run("filters", "--scale", "2", "--columns", "8")
    assert done.stdout == "wrote filters.png: 64 filters\n"
    sheet = jd.read_image(tmp_path / "filters.png")
    assert sheet.shape == (8 * 15 + 1, 8 * 15 + 1, 3)
    kernel = sheet[1:15, 1:15]
    np.testing.assert_array_equal(kernel[::2, ::2], kernel[1::2, 1::2])
    assert kernel.min() == 0
    assert kernel.max() == 255


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    Image.effect_noise((40, 40), 60).convert("RGB").save(folder / "photo.png")
    np.save(folder / "short.npy", np.ones(3, np.float32))
    (folder / "text.npy").write_text("not numbers")
    return folder


AT = f"--layer {LAYER} "
# What is known to be wrong before there is a network.
BAD = {
    "nothing": ("visualize", "one of --class, --layer and --objective"),
    "both": (f"visualize {AT} --class banana", "one of --class, --layer and --objective"),
    "class": ("visualize --class bananna", "the nearest are banana"),
    "ambiguous": ("visualize --class crane", "134 (crane), 517 (crane)"),
    "channel of a class": ("visualize --class banana --channel 3", "--channel is of a layer"),
    "two within": (f"visualize {AT} --channel 3 --neuron 4", "exclude each other"),
    "channels": (f"visualize {AT} --channels 5-3", "'5-3' are no channels"),
    "endless": (f"visualize {AT} --channels 0-999999", "more than 4096"),
    "neuron": (f"visualize {AT} --neuron 3@2,0", "'3@2,0' is no neuron"),
    "no numbers": (f"visualize {AT} --direction text.npy", "text.npy"),
    "no direction file": (f"visualize {AT} --direction none.npy", "none.npy"),
    "photo": ("visualize --class banana --from none.png", "none.png: no such file"),
    "onto itself": ("visualize --class banana --from photo.png -o photo.png", "is the input"),
    "diversity of one": ("visualize --class banana --diversity 1", "--count"),
    "count": ("visualize --class banana -n 0", "--count must be at least 1"),
    "count of several": ("visualize --class banana ant -n 2", "of one thing to show, not of 2"),
    "same twice": ("visualize --class banana 954", "two pictures would be written to banana.png"),
    "grid of one": ("visualize --class banana --grid", "--grid is of several pictures"),
    "columns": ("visualize --class banana ant --grid --columns 0", "must be at least 1"),
    "columns of none": ("visualize --class banana --columns 3", "--columns is of a --grid"),
    "size": ("visualize --class banana --size wide", "'wide' is not a size"),
    "suffix": ("visualize --class banana -o banana.xyz", "banana.xyz"),
    "several into a file": ("visualize --class banana ant -o photo.png", "photo.png"),
    "sheet too large": (
        f"visualize {AT} --channels 0-4 --size 4000 --grid --columns 5 -o sheet.webp",
        "are too many for WEBP",
    ),
    "seed": ("visualize --class banana --seed -1", "a seed is a whole number from 0"),
    "filters suffix": ("filters -o filters.xyz", "filters.xyz"),
    "filters scale": ("filters --scale 0", "--scale and --columns must be at least 1"),
}
# What the network, or the first step, says.
BAD_LATE = {
    "layer": ("visualize --layer inception_3a/ouput", "inception_3a/output"),
    "channel": (f"visualize {AT} --channel 192", "channels 0 to 191, not 192"),
    "direction of other size": (f"visualize {AT} --direction short.npy", "has 192 channels"),
    "steps": ("visualize --class banana --steps 0", "steps must be at least 1"),
    "too small": (f"visualize {AT} --size 1", "1x1 pixels and the layer needs at least"),
    "filters model": ("filters --model googlnet", "googlenet"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(corpus, monkeypatch, capsys, case):
    arguments, says = BAD[case]
    monkeypatch.chdir(corpus)
    before = {path.name for path in corpus.iterdir()}
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("jaxdream: ")
    assert said.count("\n") == 1, said
    assert says in said
    assert {path.name for path in corpus.iterdir()} == before


@pytest.mark.parametrize("case", BAD_LATE)
def test_what_the_network_lacks_is_one_line_too(run_in, corpus, case):
    arguments, says = BAD_LATE[case]
    before = {path.name for path in corpus.iterdir()}
    done = run_in(corpus, *arguments.split())
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "dreaming with" not in line]
    assert len(lines) == 1, done.stderr
    assert says in lines[0]
    assert {path.name for path in corpus.iterdir()} == before
