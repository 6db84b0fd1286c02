"""``jaxdream dream`` with the bundled network."""

import re

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd
from jaxdream.images.picture_files import read_picture
from jaxdream.recipe import read_recipe

LAYER = "conv2/3x3"
# Few small programs, which all tests here share.
MINI = ["--model", "googlenet_mini", "--steps", "2", "--octaves", "2", "--jitter", "4"]
QUICK = [*MINI, "--layer", LAYER]


@pytest.fixture
def second(tmp_path, photo):
    """A picture of another size."""
    path = tmp_path / "second.png"
    jd.write_image(path, jd.read_image(photo)[:-9, :-5])
    return path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_dreams_a_picture(cli, photo, tmp_path):
    done = cli("dream", photo, *QUICK, "--seed", "7")
    assert done == (f"wrote {tmp_path / 'photo_dream.png'}\n", "")
    before, after = jd.read_image(photo), jd.read_image(tmp_path / "photo_dream.png")
    assert before.shape == after.shape
    assert np.abs(before - after).mean() > 1
    recipe = read_recipe(tmp_path / "photo_dream.png")
    assert (recipe.source.seed, recipe.settings.steps, recipe.objective) == (7, 2, LAYER)
    assert recipe.provenance.model == "googlenet_mini"


def test_is_the_same_dream_from_python(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--seed", "3", "-o", "out.png")
    model = jd.load_model("googlenet_mini")
    image = jd.read_image(photo)
    out = jd.dream(3, model, image, LAYER, steps=2, octaves=2, jitter=4)
    jd.write_image(tmp_path / "python.png", out)
    np.testing.assert_array_equal(
        jd.read_image(tmp_path / "python.png"), jd.read_image(tmp_path / "out.png")
    )


def test_formats_keep_what_they_can(cli, photo, tmp_path):
    alpha = np.full((60, 72), 100, np.uint8)
    jd.write_image(tmp_path / "in.webp", jd.read_image(photo), alpha=alpha)
    done = cli("dream", "in.webp", *QUICK, "-o", "out.jpg", "--no-clip")
    assert done.stderr == "jaxdream: out.jpg: this format has no transparency, so it is left out\n"
    assert not read_recipe(tmp_path / "out.jpg").settings.clip
    done = cli("dream", "in.webp", *QUICK, "-o", "out.bmp")
    assert "out.bmp: this format keeps no recipe" in done.notes[0]
    assert cli("dream", "in.webp", *QUICK, "-o", "out.tif").stderr == ""
    assert set(read_picture(tmp_path / "out.tif").alpha.ravel()) == {100}


def test_several_pictures_are_each_as_alone(cli, photo, second, tmp_path):
    done = cli("dream", photo, second, "-o", "out", *QUICK, "--seed", "5")
    assert names(tmp_path / "out") == {"photo_dream.png", "second_dream.png"}
    assert sorted(done.stdout.splitlines()) == [
        "wrote out/photo_dream.png", "wrote out/second_dream.png"
    ]  # fmt: skip
    for path in (photo, second):
        cli("dream", path, *QUICK, "--seed", "5", "-o", "alone.png")
        alone = read_recipe(tmp_path / "alone.png")
        together = read_recipe(tmp_path / "out" / f"{path.stem}_dream.png")
        assert together.source == alone.source
        difference = jd.read_image(tmp_path / "alone.png") - jd.read_image(
            tmp_path / "out" / f"{path.stem}_dream.png"
        )
        assert np.abs(difference).max() <= 1
        assert np.abs(difference).mean() < 0.01


def test_several_pictures_of_one_size_are_each_as_alone(cli, photo, tmp_path):
    jd.write_image(tmp_path / "other.png", jd.read_image(photo)[::-1])
    cli("dream", photo, "other.png", *QUICK, "--size", "48x40")
    cli("dream", "other.png", *QUICK, "--size", "48x40", "-o", "alone.png")
    together = jd.read_image(tmp_path / "other_dream.png")
    assert together.shape == (40, 48, 3)
    assert np.abs(together - jd.read_image(tmp_path / "alone.png")).max() <= 1
    assert np.abs(together - jd.read_image(tmp_path / "photo_dream.png")).max() > 1


def test_a_damaged_second_picture_ends_it_with_nothing_written(refused):
    assert "cut.png is damaged" in refused(["dream", "photo.png", "cut.png", "-o", "out", *QUICK])
    line = refused(["dream", "photo.png", "small.png", "-o", "out", *QUICK, "--layer", "4c"])
    assert "small.png: the picture is 5x5 pixels and the layer needs at least 15x15" in line


def test_ctrl_c_keeps_unfinished_pictures(cli, photo, tmp_path, press_ctrl_c):
    jd.write_image(tmp_path / "other.png", jd.read_image(photo)[::-1])
    press_ctrl_c(at=3)
    pictures = ["dream", photo, "other.png", "-o", "out", *QUICK]
    done = cli(*pictures, code=130)
    assert done.stdout == ""
    assert sorted(done.notes) == [
        "jaxdream: interrupted at octave 2 of 2, step 1 of 2: "
        f"out/{name}_dream.png holds the picture as far as it got"
        for name in ("other", "photo")
    ]
    assert names(tmp_path / "out") == {"other_dream.png", "photo_dream.png"}
    for name in ("photo", "other"):
        kept = tmp_path / "out" / f"{name}_dream.png"
        assert np.abs(jd.read_image(kept) - jd.read_image(tmp_path / f"{name}.png")).mean() > 1
        assert "it was interrupted" in cli("replay", kept, photo, code=2).stderr


def test_ctrl_c_keeps_finished_pictures(cli, photo, tmp_path, press_ctrl_c):
    jd.write_image(tmp_path / "part.png", jd.read_image(photo)[:20, :24])
    shown = press_ctrl_c(at=6)
    done = cli("dream", photo, "part.png", "-o", "out", *QUICK, code=130)
    assert "/2 octave 1/2 step 2/2 value " in shown[5], "the second step of the second picture"
    (note,) = done.notes
    assert "interrupted at octave 1 of 2, step 2 of 2" in note
    assert names(tmp_path / "out") == {"photo_dream.png", "part_dream.png"}
    finished = "photo" if "part_dream.png" in note else "part"
    assert read_recipe(tmp_path / "out" / f"{finished}_dream.png").settings.steps == 2


def test_ctrl_c_before_the_first_step(cli, photo, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxdream.folder.pipeline.iterate_batch", interrupted)
    done = cli("dream", photo, "-o", "out", *QUICK, code=130)
    assert done.stderr == "jaxdream: interrupted before the first step: nothing more is written\n"
    assert names(tmp_path) == {"photo.png"}


def test_ctrl_c_on_a_terminal(interrupt, photo, tmp_path):
    arguments = ["dream", photo, "-o", "out.png", *QUICK, "--steps", "100000"]
    code, progress, said = interrupt(*arguments, after="octave 1/2 step")
    assert "out.png compiling" in progress
    assert code == 130, progress + said
    assert re.search(r"octave 1/2 step \d+/100000 value", progress + said)
    assert "interrupted at octave 1 of 2, step" in said
    assert "Traceback" not in said
    assert np.abs(jd.read_image(tmp_path / "out.png") - jd.read_image(photo)).mean() > 1


def test_guides_and_their_weights(cli, photo, tmp_path):
    (tmp_path / "guides").mkdir()
    guide, other = tmp_path / "guides" / "blobs.png", tmp_path / "guides" / "bars.png"
    Image.effect_noise((64, 56), 80).convert("RGB").save(guide)
    jd.write_image(other, jd.read_image(guide)[::-1])
    options = ["--guide", guide, "--guide", other, "--guide-weight", "2", "--guide-weight", "0.5"]
    done = cli("dream", photo, *QUICK, *options, "--guide-size", "60")
    assert "blobs.png is used at 60x52 pixels (--guide-size)" in done.notes[0]
    recipe = read_recipe(tmp_path / "photo_dream.png")
    assert recipe.objective == f'2.0*guide("blobs.png", {LAYER}) + 0.5*guide("bars.png", {LAYER})'
    assert set(recipe.files) == {"blobs.png", "bars.png"}
    cli("dream", photo, *QUICK, "-o", "plain.png")
    plain, guided = (jd.read_image(tmp_path / name) for name in ("plain.png", "photo_dream.png"))
    assert np.abs(plain - guided).mean() > 0.5


@pytest.mark.parametrize("layer", ["4c", "inception_4c"])
def test_layers_and_networks_as_people_name_them(cli, photo, monkeypatch, layer):
    dreamed = []

    def dream(*arguments, **_):
        _, model, _, _, objective = arguments
        dreamed.append((model.name, *map(model.graph.resolve, objective.layers)))
        raise KeyboardInterrupt  # that is all we want to know

    monkeypatch.setattr("jaxdream.folder.pipeline.iterate_batch", dream)
    cli("dream", photo, "--model", "GoogLeNet_Mini", "--layer", layer, code=130)
    assert dreamed == [("googlenet_mini", "inception_4c/output")]


def test_fewer_octaves_than_asked_for(cli, photo):
    done = cli("dream", photo, *QUICK, "--steps", "1", "--octaves", "12", "--size", "24")
    assert re.fullmatch(
        r"jaxdream: dreaming \d+ of the 12 octaves asked for: smaller ones would be under the "
        r"\d+ pixels that the layer needs\n",
        done.stderr,
    )


def test_one_device_has_nothing_to_share(cli, photo):
    done = cli("dream", photo, *QUICK, "--shard", "rows")
    assert done.stderr == "jaxdream: there is one device here, so nothing is shared\n"


def test_a_plan_is_printed_and_nothing_dreamed(cli, photo, second, tmp_path):
    first, *octaves = cli("dream", photo, second, *QUICK, "--plan").stdout.splitlines()
    assert re.match(
        r".*photo.png: 72x60, about \d+ s of computing after \d+ s of compiling "
        r"\(less the next time\), .*B of memory in all",
        first,
    )
    assert len(octaves) == 2 + 3
    for line in octaves[:2]:
        assert re.match(r"  \d+x\d+: a program for \d+x\d+, \d+ MB, about \d+ s", line)
    assert names(tmp_path) == {"photo.png", "second.png"}


REFUSED = {
    "photo.png -o ''": "--output is empty: name a file",
    "photo.png -o photo.png": "photo.png is the same file as the input photo.png",
    "photo.png -o hard.png": "hard.png is the same file as the input photo.png",
    "photo.png -o link.png": "link.png is the same file as the input photo.png",
    "hard.png -o photo.png": "photo.png is the same file as the input hard.png",
    "photo.png -o out.xyz": "out.xyz: pictures are written as .png, ",
    "photo.png -o folder/out.xyz": "folder/out.xyz: pictures are written as .png, ",
    "photo.png -o no/where/out.png": "there is no folder no/where",
    "photo.png -o pipe.png": "pipe.png is a pipe: name a file to write",
    "photo.png guide.png -o text": "text is a file: name a folder to write into",
    "photo.png folder/../photo.png -o out": "two results would be written to one file, out/photo",
    "photo.png --guide guide.png -o guide.png": "guide.png is the same file as the guide guide.png",
    "photo.png -o guide.png": "guide.png is there already, and not known to be made by jaxdream",
    "photo.png --model googlenet_mini --objective 'guide(\"guide.png\", conv2/3x3)' -o guide.png "
    "--overwrite":
        "guide.png is the same file as a file of the objective guide.png",
    "photo.png --model googlenet_mini --guide none.png": "none.png: no such file",
    "photo.png --size 5x": "'5x' is not a size: give WIDTHxHEIGHT, or the longest side alone",
    "photo.png --size wide": "'wide' is not a size",
    "photo.png --size ''": "'' is not a size",
    "photo.png --size 0": "'0' is not a size",
    "photo.png --size 99999x99999": "size 99999x99999: too large",
    "photo.png --model googlenet_mini --memory 1MB": "of memory",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    assert REFUSED[arguments] in refused(f"dream {arguments}")


def test_a_gradient_of_nothing_is_one_line(refused):
    silent = f"0*{LAYER}"
    line = refused(["dream", "photo.png", *MINI, "--objective", silent, "-o", "out.png"])
    assert "photo.png: the gradient of" in line


def test_a_picture_and_its_dream_side_by_side(cli, photo, tmp_path):
    done = cli("dream", photo, *QUICK, "-o", "out.png", "--before-after")
    assert done.stdout == "wrote out.png\nwrote out_before_after.png\n"
    sheet, dreamed = (jd.read_image(tmp_path / f"out{end}.png") for end in ("_before_after", ""))
    np.testing.assert_array_equal(sheet, np.hstack([jd.read_image(photo), dreamed]))
    (tmp_path / "out_before_after.png").write_bytes(photo.read_bytes())
    line = cli("dream", photo, *QUICK, "-o", "out.png", "--before-after", code=2).stderr
    assert "out_before_after.png" in line
