"""Run the notebooks, and keep what their cells show in them.

    python scripts/make_notebooks.py [--weights bvlc_googlenet.caffemodel] [NOTEBOOK...]

Each is run in an empty folder, without a hub, with the bundled network or the weights that are
given. Pictures are kept as JPEG where that is smaller than PNG.
"""

import argparse
import base64
import hashlib
import io
import os
import tempfile
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = tuple(sorted(ROOT.glob("notebooks/*.ipynb")))
MOST = 1_500_000  # bytes of a notebook
_QUALITY = 85
_SECONDS = 900  # for one cell
MADE_FROM = "made_from"  # in a notebook's metadata: the hash of the cells that were run


def sources_hash(notebook: NotebookNode) -> str:
    """The hash of all cells with code, to tell whether outputs are those of the cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def execute(notebook: NotebookNode, folder: Path, environment: dict[str, str]) -> None:
    """Run all cells of a notebook in a folder; their outputs replace those that it has."""
    client = nbclient.NotebookClient(
        notebook, timeout=_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)


def shrink(notebook: NotebookNode) -> None:
    """Keep pictures as JPEG where that is smaller, and nothing that differs from run to run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                jpeg = _as_jpeg(data["image/png"])
                if len(jpeg) < len(data["image/png"]):
                    del data["image/png"]
                    data["image/jpeg"] = jpeg


def _as_jpeg(png: str) -> str:
    file = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        picture.convert("RGB").save(file, "JPEG", quality=_QUALITY, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def make(path: Path, weights: Path | None) -> None:
    """Run a notebook, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    if weights is not None:
        environment["JAXDREAM_WEIGHTS"] = str(weights.resolve())
    with tempfile.TemporaryDirectory() as folder:
        execute(notebook, Path(folder), environment)
    shrink(notebook)
    notebook.metadata[MADE_FROM] = sources_hash(notebook)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if len(text) > MOST:
        raise SystemExit(f"{path.name} has {len(text)} bytes, of {MOST} at most")
    path.write_text(text, "utf-8")
    print(f"{path.name}: {len(text) / 1e6:.2f} MB")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="run the notebooks and keep what they show")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", default=NOTEBOOKS)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of the network for `auto`")
    options = parser.parse_args()
    for path in options.notebooks:
        make(path, options.weights)


if __name__ == "__main__":
    main()
