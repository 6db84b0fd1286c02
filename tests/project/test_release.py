"""What a release needs: one version everywhere, and a check of its archives that can fail."""

import io
import re
import tarfile
import tomllib
import zipfile

import pytest
from helpers import ROOT

from check_release import NEEDED, source_faults, wheel_faults

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_every_file_has_the_same_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.+)$", citation, flags=re.MULTILINE) == [VERSION]
    (date,) = re.findall(r"^date-released: (.+)$", citation, flags=re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{VERSION}] - {date}" in changes


def wheel(path, *, without=(), more=(), version=VERSION, description=""):
    modules = [str(file.relative_to(ROOT)) for file in (ROOT / "jaxdream").rglob("*.py")]
    info = f"jaxdream-{version}.dist-info"
    metadata = f"Metadata-Version: 2.4\nName: jaxdream\nVersion: {version}\n\n{description}"
    with zipfile.ZipFile(path, "w") as archive:
        for name in {*modules, *NEEDED, *more} - set(without):
            archive.writestr(name, "")
        archive.writestr(f"{info}/METADATA", metadata)
        for licence in ("LICENSE", "LICENSE-WordNet.txt"):
            archive.writestr(f"{info}/licenses/{licence}", "")
    return path


def test_a_whole_wheel_has_no_faults(tmp_path):
    assert wheel_faults(wheel(tmp_path / "a.whl")) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"without": ["jaxdream/weights/googlenet_mini.safetensors"]}, "safetensors is missing"),
        ({"without": ["jaxdream/deepdream.py"]}, "jaxdream/deepdream.py is missing"),
        ({"more": ["tests/test_deepdream.py"]}, "does not belong"),
        ({"more": ["jaxdream/notes.psd"]}, "does not belong"),
        ({"version": "0.0.1"}, "the version is not"),
        ({"description": "sdk_version: 6"}, "header of a Space"),
    ],
)
def test_a_fault_of_a_wheel_is_found(tmp_path, change, fault):
    (found,) = wheel_faults(wheel(tmp_path / "a.whl", **change))
    assert fault in found


def source(path, *names):
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"jaxdream-0/{name}"), io.BytesIO())
    return path


def test_a_source_without_its_tests_is_found(tmp_path):
    faults = source_faults(source(tmp_path / "a.tar.gz", "pyproject.toml", "PKG-INFO"))
    assert "tests/conftest.py is missing" in faults
    assert "pyproject.toml" not in str(faults)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git says what belongs to a clone")
def test_what_only_lies_in_the_clone_is_found_in_a_source(tmp_path):
    faults = source_faults(source(tmp_path / "a.tar.gz", "site/index.html", "README.md"))
    assert "site/index.html does not belong into a source" in faults
    assert "README.md does" not in str(faults)
