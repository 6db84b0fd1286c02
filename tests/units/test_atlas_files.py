"""The atlas of a folder: the same files whether a run was stopped or not."""

import json
import re

import numpy as np
import pytest

import jaxdream as jd
from jaxdream.errors import JaxdreamError
from jaxdream.units.atlas_files import atlas_of_files
from jaxdream.units.folder import read_about

OPTIONS = {
    "size": "16", "batch": 4, "samples": 300, "grid": 4, "cell_minimum": 3, "cell_size": 12,
    "projection": "pca", "steps": 2,
}  # fmt: skip


def run(model, folder, out, **options):
    return atlas_of_files(model, [folder], out, "second", **OPTIONS | options)


@pytest.fixture(scope="module")
def made(tiny, folder, tmp_path_factory):
    """The results, and what was told."""
    out, told = tmp_path_factory.mktemp("atlas"), []
    steps = list(run(tiny, folder, out, notify=told.append))
    return out, steps, told


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def test_every_cell_is_in_the_picture_and_on_the_page(made):
    out, steps, told = made
    page = (out / "index.html").read_text()
    data = data_of(page)
    picture = jd.read_image(out / "atlas.png")
    assert picture.shape == (48, 48, 3)
    cells = {path.name for path in (out / "cells").iterdir()}
    assert cells == {f"{row}_{column}.png" for row, column, *_ in data["cells"]}
    for row, column, count, name in data["cells"]:
        cell = jd.read_image(out / "cells" / f"{row}_{column}.png")
        part = picture[row * 12 : row * 12 + 12, column * 12 : column * 12 + 12]
        np.testing.assert_array_equal(part, cell)
        assert count >= 3
        assert name is None
    assert "://" not in page
    assert page.count("<img") == page.count(' alt="')
    (line,) = told
    assert line.startswith("280 activations laid out by their two principal components")
    assert [one.name for step in steps for one in step.failed] == ["broken.png"]
    assert read_about(out / "samples.npz").failed == 1


def test_without_a_grid_it_is_as_large_as_the_activations_fill(tiny, folder, tmp_path):
    told = []
    list(run(tiny, folder, tmp_path, grid=None, steps=1, notify=told.append))
    assert told[0].endswith(" of 2x2 cells have enough")
    assert data_of((tmp_path / "index.html").read_text())["grid"] == 2


def test_cells_differ(made):
    pictures = [jd.read_image(path) for path in sorted((made[0] / "cells").iterdir())]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures) > 3


@pytest.mark.parametrize("stop", [2, 5])
def test_a_stopped_run_ends_with_the_same_files(tiny, folder, made, contents, tmp_path, stop):
    running = run(tiny, folder, tmp_path)
    for _ in range(stop):
        next(running)
    running.close()
    list(run(tiny, folder, tmp_path))
    assert contents(tmp_path) == contents(made[0])


def test_cells_that_are_there_are_not_made_again(tiny, folder, made, contents, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a cell is made again")

    before = contents(made[0])
    monkeypatch.setattr("jaxdream.units.visualizations.iterate_visualize", refuse)
    list(run(tiny, folder, made[0]))
    assert contents(made[0]) == before


def test_another_layout_of_the_same_activations(tiny, folder, tmp_path):
    list(run(tiny, folder, tmp_path))
    steps = list(run(tiny, folder, tmp_path, grid=2))
    assert not [step for step in steps if "pictures" in step.text]
    assert {path.name for path in (tmp_path / "cells").iterdir()} <= {
        "0_0.png", "0_1.png", "1_0.png", "1_1.png",
    }  # fmt: skip
    assert jd.read_image(tmp_path / "atlas.png").shape == (24, 24, 3)
    with pytest.raises(JaxdreamError, match="other settings"):
        list(run(tiny, folder, tmp_path, samples=200))


def test_what_is_wrong_is_told(tiny, folder, tmp_path):
    with pytest.raises(JaxdreamError, match="too large"):
        run(tiny, folder, tmp_path, grid=500, cell_size=1024)
    with pytest.raises(JaxdreamError, match="--cell-minimum"):
        list(run(tiny, folder, tmp_path, cell_minimum=301))
