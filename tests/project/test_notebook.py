"""The notebook runs from top to bottom, with the bundled network and small sizes."""

import importlib.util

import nbclient
import nbformat
import pytest
from helpers import ROOT

SMALL = 'MODEL = "googlenet_mini"\nSIZE = 72\nSTEPS = 1\nOCTAVES = 1\nFRAMES = 2\nCLASS_STEPS = 2\n'
PATH = ROOT / "notebooks" / "jaxdream.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory, environment):
    notebook = nbformat.read(PATH, as_version=4)
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    )
    names = [line.split(" =")[0] for line in parameters.source.splitlines()]
    assert names == [line.split(" =")[0] for line in SMALL.splitlines()]
    parameters.source = SMALL
    folder = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    return notebook, folder


@pytest.mark.slow
def test_every_picture_is_shown(executed):
    notebook, folder = executed
    first = notebook.cells[1].outputs[0]["text"]
    assert first.startswith("jaxdream ")
    assert "on cpu" in first
    shown = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if {"image/png", "image/webp"} & set(output.get("data", {}))
    ]
    assert len(shown) == 6
    assert (folder / "dream.png").exists()


@pytest.mark.slow
def test_no_cell_complains(executed):
    notebook, _ = executed
    streams = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]
    assert streams == []


@pytest.mark.slow
def test_the_page_is_shown_where_there_is_gradio(executed):
    notebook, _ = executed
    *_, cell = notebook.cells
    (output,) = cell.outputs
    if importlib.util.find_spec("gradio") is None:
        assert "pip install gradio" in output["text"]
    else:
        assert 'src="http://127.0.0.1:' in output["data"]["text/html"]


def test_what_is_committed_is_small():
    assert PATH.stat().st_size < 500_000
