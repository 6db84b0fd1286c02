"""The notebooks run from top to bottom, and what is committed was made by their cells."""

import importlib.util
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import nbformat
import pytest
from helpers import ROOT
from IPython.core.inputtransformer2 import TransformerManager

from jaxdream.settings.looks import LOOKS
from make_notebooks import MADE_FROM, MOST, NOTEBOOKS, execute, shrink, sources_hash

SMALL = {
    "jaxdream.ipynb": {"MODEL": '"googlenet_mini"', "SIZE": 72, "STEPS": 1, "OCTAVES": 1,
                       "FRAMES": 2, "CLASS_STEPS": 2, "SEED": 0},
    "research.ipynb": {"TRAINING_STEPS": 3, "STEPS": 4, "SIDE": 16},
}  # fmt: skip
# What the code of cells calls to show a picture.
SHOWING = ("show(", "show_dream(", 'Image("', "plt.show()")
PICTURES = {"image/png", "image/jpeg", "image/webp"}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook, tag):
    (cell,) = (cell for cell in notebook.cells if tag in cell.metadata.get("tags", []))
    return cell


def shows_a_picture(cell):
    calls = (line for line in cell.source.splitlines() if not line.startswith("def "))
    return any(call in line for line in calls for call in SHOWING)


def pictures(cell):
    return [o for o in cell.outputs if PICTURES & set(o.get("data", {}))]


def test_there_are_two_notebooks():
    assert [path.name for path in NOTEBOOKS] == sorted(SMALL)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_was_made_by_its_cells(path):
    assert path.stat().st_size < MOST
    notebook = read(path)
    made = "run `python scripts/make_notebooks.py`"
    assert notebook.metadata.get(MADE_FROM) == sources_hash(notebook), made
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert len(pictures(cell)) == shows_a_picture(cell), cell.source
        assert not any(o.output_type == "error" or o.get("name") == "stderr" for o in cell.outputs)
    assert sum(map(shows_a_picture, cells)) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_names_no_place_of_this_machine(path):
    text = path.read_text("utf-8")
    assert not any(place in text for place in (str(ROOT), str(Path.home()) + "/", "/tmp/"))


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request, tmp_path_factory, environment):
    notebook = read(request.param)
    parameters = tagged(notebook, "parameters")
    small = SMALL[request.param.name]
    names = [line.split(" =")[0] for line in parameters.source.splitlines()]
    assert names == list(small)
    parameters.source = "\n".join(f"{name} = {value}" for name, value in small.items())
    folder = tmp_path_factory.mktemp("notebook")
    execute(notebook, folder, environment)
    return notebook, folder


@pytest.mark.slow
def test_every_picture_is_shown_and_no_cell_complains(executed):
    notebook, folder = executed
    for cell in code_cells(notebook):
        assert len(pictures(cell)) == shows_a_picture(cell), cell.source
        assert [o["text"] for o in cell.outputs if o.get("name") == "stderr"] == []
    said = "".join(o["text"] for c in code_cells(notebook) for o in c.outputs if "text" in o)
    assert said.startswith("jaxdream ")
    assert "on cpu" in said
    written = {path.name for path in folder.iterdir()}
    assert written >= ({"dream.png"} if "zoom.webp" in written else {"figure.pdf", "run.jsonl"})


@pytest.mark.slow
def test_pictures_are_kept_small(executed):
    notebook, _ = executed
    before = len(nbformat.writes(notebook))
    shown = [len(pictures(cell)) for cell in code_cells(notebook)]
    shrink(notebook)
    assert len(nbformat.writes(notebook)) < before
    assert [len(pictures(cell)) for cell in code_cells(notebook)] == shown


def test_the_fields_offer_all_looks():
    notebook = read(ROOT / "notebooks" / "jaxdream.ipynb")
    (line,) = (
        line
        for cell in code_cells(notebook)
        for line in cell.source.splitlines()
        if line.startswith("LOOK = ")
    )
    assert line.endswith("# @param " + str([*LOOKS, "random"]).replace("'", '"'))


class Machine(NamedTuple):
    """What the first cell sees of a machine."""

    packages: dict[str, str]
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


class Shell:
    """IPython's, as far as the first cell calls it: remembers what pip is to install."""

    def __init__(self, names, after: Callable[[], None]):
        self.names, self.after, self.lines = names, after, []

    def run_line_magic(self, name, line):
        assert name == "pip"
        self.lines.append(line.format(**self.names))
        self.after()


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Runs the first cell on a machine that is made up; gives pip's line, None without one."""

    def install(machine, *, source="", path=NOTEBOOKS[0], renewed=None):
        from importlib import metadata

        packages = dict(machine.packages)

        def version(name):
            if name not in packages:
                raise metadata.PackageNotFoundError(name)
            return packages[name]

        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(
            "importlib.util.find_spec", lambda name: name if name in machine.modules else None
        )
        monkeypatch.setattr("shutil.which", lambda name: name if name in machine.programs else None)
        monkeypatch.setattr(os.path, "exists", lambda path: path in machine.files)
        monkeypatch.delenv("TPU_NAME", raising=False)
        names = {}
        shell = Shell(names, lambda: packages.update(renewed or {}))
        names["get_ipython"] = lambda: shell
        code = TransformerManager().transform_cell(read(path).cells[1].source)
        assert 'SOURCE = ""' in code
        exec(code.replace('SOURCE = ""', f"SOURCE = {source!r}"), names)
        return shell.lines[0] if shell.lines else None

    monkeypatch.chdir(tmp_path)
    return install


NEW, OLD = {"jax": "0.10.2"}, {"jax": "0.7.2"}
WHEEL = "jaxdream.whl"


@pytest.mark.parametrize(
    ("machine", "needed"),
    [
        (Machine({}), '"jax" '),
        (Machine(NEW), ""),
        (Machine({}, programs=("nvidia-smi",)), '"jax[cuda12]" '),
        (Machine(NEW, programs=("nvidia-smi",)), '"jax[cuda12]" '),
        (Machine(OLD, programs=("nvidia-smi",), modules=("jax_cuda12_plugin",)), '"jax[cuda12]" '),
        (Machine(NEW, programs=("nvidia-smi",), modules=("jax_cuda12_plugin",)), ""),
        (Machine(NEW, programs=("nvidia-smi",), modules=("jax_cuda13_plugin",)), ""),
        (Machine(OLD, files=("/dev/accel0",), modules=("libtpu",)), '"jax[tpu]" '),
        (Machine(NEW, files=("/dev/vfio/0",), modules=("libtpu",)), ""),
    ],
)
def test_jax_is_installed_only_where_it_is_needed(install, machine, needed):
    assert install(machine, source=WHEEL) == f'install --quiet {needed}"{WHEEL}"'


def test_the_notebooks_need_the_jax_that_the_project_needs(install):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (lowest,) = (line.split(">=")[1] for line in project["dependencies"] if "jax>" in line)
    assert install(Machine({"jax": lowest}), source=WHEEL) == f'install --quiet "{WHEEL}"'
    first, second = map(int, lowest.split(".")[:2])
    older = f"{first}.{second - 1}.9"
    assert '"jax"' in install(Machine({"jax": older}), source=WHEEL)


def test_a_clone_around_the_notebook_is_installed(install, tmp_path, monkeypatch):
    (tmp_path / "clone" / "jaxdream").mkdir(parents=True)
    (tmp_path / "clone" / "jaxdream" / "__init__.pyi").touch()
    (tmp_path / "clone" / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "clone" / "notebooks")
    assert install(Machine(NEW)) == f'install --quiet "{tmp_path / "clone"}"'


def test_outside_of_a_clone_it_says_what_to_do(install):
    with pytest.raises(FileNotFoundError, match="name a wheel's address or file as SOURCE"):
        install(Machine(NEW))


def test_what_is_there_is_not_installed_again(install):
    assert install(Machine({**NEW, "jaxdream": "0.2.0"})) is None
    there = {**NEW, "jaxdream": "0.2.0", "matplotlib": "3.10.0"}
    assert install(Machine(there), path=NOTEBOOKS[1]) == 'install --quiet "scikit-learn"'


def test_packages_that_were_loaded_and_renewed_ask_for_a_restart(install):
    colab = Machine({**NEW, "pillow": "11.3.0"})
    assert install(colab, source=WHEEL, renewed={"jaxdream": "0.2.0"})
    with pytest.raises(RuntimeError, match="restart the session"):
        install(colab, source=WHEEL, renewed={"pillow": "12.0.0"})


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """Runs the two cells that choose a photograph, with UPLOAD; gives the path that is read."""
    cells = code_cells(read(ROOT / "notebooks" / "jaxdream.ipynb"))
    choose, reading = (cell.source for cell in cells if "chooser" in cell.source)
    monkeypatch.chdir(tmp_path)
    paths = []

    def chosen(*, on_colab=False, photo="chelsea"):
        names = {
            "ON_COLAB": on_colab,
            "SIZE": 7,
            "PICTURES": ROOT / "jaxdream" / "web" / "pictures",
            "Path": Path,
            "importlib": importlib,
            "display": lambda widget: widget.show(),
            "show": lambda _: None,
            "jd": SimpleNamespace(read_image=lambda path, **_: paths.append(Path(path))),
        }
        choose_now = choose.replace("UPLOAD = False", "UPLOAD = True")
        exec(choose_now.replace('"chelsea"  #', f"{photo!r}  #"), names)
        exec(reading, names)
        return paths.pop()

    return chosen


def test_colab_uploads_a_photograph(chosen, monkeypatch):
    files = SimpleNamespace(upload=lambda: {"mine.jpg": b""})
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(files=files))
    assert chosen(on_colab=True) == Path("mine.jpg")
    files.upload = dict  # where the dialogue was cancelled
    assert chosen(on_colab=True).name == "example_chelsea.jpg"


@pytest.mark.parametrize("name", ["mine.jpg", "../mine.jpg"])
def test_elsewhere_a_button_uploads_a_photograph(chosen, monkeypatch, tmp_path, name):
    class FileUpload:
        def __init__(self, accept):
            assert accept == "image/*"
            self.value = ()

        def show(self):
            self.value = ({"name": name, "content": memoryview(b"a picture")},)

    monkeypatch.setitem(sys.modules, "ipywidgets", SimpleNamespace(FileUpload=FileUpload))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "ipywidgets")
    assert chosen() == Path("mine.jpg")
    assert (tmp_path / "mine.jpg").read_bytes() == b"a picture"


def test_without_a_way_to_upload_it_is_the_example_or_a_path(chosen, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert chosen().name == "example_chelsea.jpg"
    assert "give the path of a file as PHOTO" in capsys.readouterr().out
    assert chosen(photo="/kaggle/input/me.jpg") == Path("/kaggle/input/me.jpg")
