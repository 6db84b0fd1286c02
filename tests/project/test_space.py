"""The repository is a Space: its header, what is installed there, and what runs there."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
from pathlib import Path

import pytest
from helpers import ROOT
from packaging.requirements import Requirement

import jaxdream as jd
import make_reference
from jaxdream.recipe import read_recipe

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Of Hugging Face's reference: those that a Space of Gradio needs or that say what it is.
FIELDS = {
    "title": r"\w+",
    "sdk": "gradio",
    "sdk_version": r"\d+\.\d+\.\d+",
    "python_version": r'"3\.\d+"',  # without quotes it would be a number
    "app_file": r"[\w/]+\.py",
    "pinned": "false|true",
    "license": "apache-2.0",
}


@pytest.fixture
def header():
    """What the README begins with, as Hugging Face reads it."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.match(r"---\n(.*?)\n---\n\n# ", text, flags=re.DOTALL)
    assert found is not None
    lines = [line.split(": ") for line in found[1].splitlines()]
    assert all(len(line) == 2 for line in lines), lines
    return dict(lines)


def test_the_header_has_the_fields_of_a_space(header):
    assert header.keys() == FIELDS.keys()
    for name, value in header.items():
        assert re.fullmatch(FIELDS[name], value), f"{name}: {value}"
    assert (ROOT / header["app_file"]).is_file()
    assert header["license"] == PROJECT["license"].lower()


def test_its_versions_are_those_that_jaxdream_takes(header):
    (gradio,) = (r for r in map(Requirement, required()) if r.name == "gradio")
    assert header["sdk_version"] in gradio.specifier
    python = Requirement(f"python{PROJECT['requires-python']}")
    assert header["python_version"].strip('"') in python.specifier


def required():
    """The lines of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_what_is_installed_is_what_jaxdream_and_the_page_need():
    text = (ROOT / "requirements.txt").read_text("utf-8")
    assert text == make_reference.requirements(), "run `python scripts/make_reference.py --tables`"
    names = {Requirement(line).name for line in required()}
    assert names >= {Requirement(line).name for line in PROJECT["dependencies"]}
    assert names >= {"gradio", "av"}  # the extra web, and what that takes of video
    assert "jaxdream" not in names  # it is there as files


# As on a Space: a copy of the repository, and packages among which jaxdream is not.


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """A copy of what the page needs of the repository."""
    folder = tmp_path_factory.mktemp("space")
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("jaxdream", "weights"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def on_space(environment, tmp_path_factory):
    """The environment of a process that finds all packages except an installed jaxdream."""
    packages = tmp_path_factory.mktemp("packages")
    for kind in ("purelib", "platlib"):
        for path in Path(sysconfig.get_path(kind)).iterdir():
            if "jaxdream" not in path.name and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    return environment | {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}


def python(space, environment, output, *arguments):
    """A process in the copy; ``-S`` leaves out the packages that Python knows of by itself."""
    return subprocess.Popen(
        [sys.executable, "-S", *arguments], cwd=space, env=environment, stdin=subprocess.DEVNULL,
        stdout=output, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.slow
def test_a_dream_is_made_without_an_installation(space, on_space, photo, tmp_path):
    dream, output = tmp_path / "dream.png", tmp_path / "output"
    words = ["dream", photo, "-o", dream, "--model", "googlenet_mini"]
    words += ["--steps", "1", "--octaves", "1"]
    with (
        output.open("w") as file,
        python(space, on_space, file, "-m", "jaxdream", *map(str, words)) as process,
    ):
        assert process.wait(300) == 0, output.read_text()
    assert read_recipe(dream).provenance.jaxdream == PROJECT["version"]
    assert jd.read_image(dream).shape == jd.read_image(photo).shape


@pytest.mark.slow
def test_the_page_is_served_until_it_is_told_to_end(space, on_space, tmp_path):
    import page_extras  # noqa: F401
    from web.serving import PATIENCE, wait_for

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (temporary := tmp_path / "tmp").mkdir()
    output = tmp_path / "output"
    environment = on_space | {"PORT": str(port), "TMPDIR": str(temporary)}
    with output.open("w") as file, python(space, environment, file, "app.py") as process:
        try:
            wait_for(lambda: process.poll() is not None or "ready, with" in output.read_text())
            assert "ready, with googlenet_mini" in output.read_text()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as page:
                assert "dreams of up to 0.6 megapixels" in page.read().decode()
            process.send_signal(signal.SIGTERM)  # by which a Space is ended
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert "Traceback" not in output.read_text()
    assert list(temporary.glob("jaxdream*")) == []
