"""``--look`` and ``jaxdream looks``."""

import pytest

from jaxdream import read_image, read_recipe, write_image
from jaxdream.settings import looks

QUICK = ["--model", "googlenet_mini", "--steps", "1", "--octaves", "1", "--jitter", "4"]


def test_a_look_sets_what_is_not_given(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--look", "gentle", "--layer", "conv1/7x7_s2", "-o", "out.png")
    recipe = read_recipe(tmp_path / "out.png")
    settings, gentle = recipe.settings, looks.LOOKS["gentle"].settings
    assert (settings.step_size, settings.smooth, settings.keep_colours) == (0.8, 0.5, True)
    # What is given wins, also a number of octaves over the size of the smallest.
    assert (settings.steps, settings.octaves, settings.smallest) == (1, 1, None)
    assert gentle["steps"] != 1
    assert gentle["smallest"] is not None
    assert recipe.objective == "conv1/7x7_s2"
    cli("replay", "out.png", photo)
    assert (read_image(tmp_path / "out_replay.png") == read_image(tmp_path / "out.png")).all()


def test_a_look_has_an_objective_for_the_network(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--look", "reptile", "-o", "out.png")
    assert read_recipe(tmp_path / "out.png").objective == "conv2/3x3"
    done = cli("dream", photo, "--look", "random", "--seed", "3", *QUICK, "-o", "random.png")
    assert done.stderr == ""
    assert read_recipe(tmp_path / "random.png").settings.step_size != 1.5


def test_an_objective_beside_a_look_wins_also_the_networks_own(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--look", "reptile", "--objective", "inception_4c/output")
    assert read_recipe(tmp_path / "photo_dream.png").objective == "inception_4c/output"


def test_all_looks_are_listed(cli):
    lines = cli("looks").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*looks.LOOKS, "random"]


def test_a_sheet_of_looks(cli, photo, tmp_path, monkeypatch):
    few = {name: looks.Look(name, {"steps": 1, "octaves": 1}, ("conv1/7x7_s2",)) for name in "ab"}
    monkeypatch.setattr("jaxdream.cli.looks.LOOKS", few)
    monkeypatch.setattr("jaxdream.settings.looks.LOOKS", few)
    done = cli("looks", photo, "--model", "googlenet_mini", "-o", "sheet.png", "--size", "48")
    assert done.stdout == "wrote sheet.png: 2 of 2 dreams\n"
    assert read_image(tmp_path / "sheet.png").shape[1] > 2 * 48
    assert "a sheet of several dreams" in cli("replay", "sheet.png", photo, code=2).stderr


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("dream photo.png -o out.png --look reptil", "did you mean reptile"),
        ("zoom photo.png -o zoom --look ''", "there are classic, eyes"),
        ("looks -o sheet.png", "name a picture"),
        ("visualize --class banana --look eyes", "unknown argument --look eyes"),
        ("looks photo.png -o sheet.xyz", "sheet.xyz"),
        ("looks photo.png -o guide.png", "guide.png"),
        ("looks none.png", "none.png: no such file"),
    ],
)
def test_what_is_no_look_is_one_line(refused, command, line):
    assert line in refused(command)


def test_a_grid_of_settings_is_one_sheet(cli, photo, tmp_path):
    small = ["--model", "googlenet_mini", "--steps", "1", "--octaves", "1", "--size", "48"]
    done = cli(
        "dream", photo, *small, "-o", "grid.png",
        "--grid", "layer=conv1/7x7_s2,conv2/3x3_reduce", "step-size=1,20",
    )  # fmt: skip
    assert done.stdout == "wrote grid.png: 4 of 4 dreams\n"
    sheet = read_image(tmp_path / "grid.png")
    cli("dream", photo, *small, "--layer", "conv1/7x7_s2", "--step-size", "20", "-o", "one.png")
    one = read_image(tmp_path / "one.png")
    height, width, _ = one.shape
    assert (sheet[8 : 8 + height, 16 + width : 16 + 2 * width] == one).all()


@pytest.mark.parametrize(
    ("grid", "line"),
    [
        ("colour=red", "--grid takes NAME=VALUE,VALUE with one of layer, look"),
        ("steps", "--grid takes NAME=VALUE,VALUE"),
        ("steps=", "--grid takes NAME=VALUE,VALUE"),
        ("steps=1,x", "steps: it is a whole number"),
        ("clip=maybe", "clip is yes or no"),
        ("look=reptil", "did you mean reptile"),
        ("layer=4x", "4x"),
        ("steps=1 steps=2", "--grid names steps twice"),
        ("steps=1,2,3,4,5,6,7,8,9,10,11 seed=1,2,3,4,5,6,7,8,9,10", "more than 100 dreams"),
        ("steps=1 --plan", "does not go with --plan"),
        ("steps=1 --before-after", "does not go with"),
        ("layer=3a --guide out.png --overwrite", "out.png is the same file as the guide"),
        ("steps=1 --from noise", "does not go with"),
    ],
)
def test_what_is_no_grid_is_one_line(refused, corpus, grid, line):
    if "--guide" in grid:
        (corpus / "out.png").write_bytes((corpus / "guide.png").read_bytes())
    assert line in refused(f"dream photo.png -o out.png --model googlenet_mini --grid {grid}")


def test_a_guide_in_a_grid_is_used_at_its_size(cli, photo, tmp_path):
    write_image(tmp_path / "guide.png", read_image(photo)[::-1, ::-1])
    small = ["--model", "googlenet_mini", "--steps", "1", "--octaves", "1", "--size", "48"]
    small += ["--layer", "conv2/3x3_reduce", "--guide", "guide.png", "--guide-size", "40"]
    done = cli("dream", photo, *small, "-o", "grid.png", "--grid", "step_size=20")
    assert "guide.png is used at 40x33 pixels" in done.stderr
    cli("dream", photo, *small, "-o", "one.png", "--step-size", "20")
    one, sheet = (read_image(tmp_path / name) for name in ("one.png", "grid.png"))
    assert (sheet[8 : 8 + one.shape[0], 8 : 8 + one.shape[1]] == one).all()
