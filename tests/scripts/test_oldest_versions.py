import subprocess
import sys
import tomllib

import pytest
from helpers import ROOT
from packaging.requirements import Requirement

from oldest_versions import of_extra, oldest, read_project


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [("a>=1.2", "a==1.2"), ("a-b>=1.2,<2", "a-b==1.2"), ("a[b]>=2026.1", "a==2026.1"),
     ("a==3", "a==3")],
)  # fmt: skip
def test_the_lower_bound_is_the_only_version(requirement, expected):
    assert oldest(requirement) == expected


@pytest.mark.parametrize("requirement", ["a", "a<2", "a~=1.2", "a>1"])
def test_without_a_lower_bound_it_says_so(requirement):
    with pytest.raises(SystemExit, match="has no lower bound"):
        oldest(requirement)


def test_an_extra_has_what_the_extras_in_it_have():
    project = {
        "name": "p",
        "optional-dependencies": {"a": ["x>=1"], "b": ["p[a]", "y>=2"], "c": ["p[b,a]"]},
    }
    assert list(of_extra(project, "b")) == ["x>=1", "y>=2"]
    assert list(of_extra(project, "c")) == ["x>=1", "y>=2", "x>=1"]


def test_every_requirement_allows_its_oldest_version():
    project = read_project()
    extras = project["optional-dependencies"]
    assert project == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for name in extras for line in of_extra(project, name)),
    ]
    for line in lines:
        name, version = oldest(line).split("==")
        wanted = Requirement(line)
        assert wanted.name == name
        assert wanted.specifier.contains(version)


def test_pip_is_given_a_line_for_each():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oldest_versions.py", "video"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    project = read_project()
    assert len(lines) == len(project["dependencies"]) + 2
    assert lines[0].startswith("jax==")
    assert lines[-2].startswith("av==")
