import importlib.metadata
import tomllib

import pytest
from helpers import ROOT

import jaxdream as jd
from jaxdream.files import version
from jaxdream.files.version import jaxdream_version, version_of_source

OURS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.fixture
def not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)


def test_installed_it_is_that_of_the_package():
    assert jaxdream_version() == jd.__version__ == importlib.metadata.version("jaxdream")


@pytest.mark.usefixtures("not_installed")
def test_not_installed_it_is_that_of_the_source(monkeypatch):
    # The tests may run with a copy that is installed.
    monkeypatch.setattr(version, "__file__", str(ROOT / "jaxdream" / "files" / "version.py"))
    assert jaxdream_version() == jd.__version__ == OURS


@pytest.mark.usefixtures("not_installed")
def test_without_either_it_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(version, "__file__", str(tmp_path / "a" / "b" / "version.py"))
    assert jaxdream_version() == "unknown"


@pytest.mark.parametrize(
    "text",
    ["", "[project", '[project]\nname = "jaxdream"', '[project]\nname = "other"\nversion = "1"'],
)
def test_another_projects_version_is_not_taken(tmp_path, text):
    assert version_of_source(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text(text)
    assert version_of_source(tmp_path) is None
