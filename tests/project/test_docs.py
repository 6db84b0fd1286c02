"""The documentation: its example runs, its links lead somewhere, the API reference builds."""

import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from helpers import ROOT

import jaxdream
from jaxdream import objectives

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("weights/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_example_learns_the_shares_of_two_layers(monkeypatch):
    text = (ROOT / "docs" / "objectives.md").read_text()
    (code,) = re.findall(r"<!-- run by tests.*?-->\n```python\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    names = {}
    exec(compile(code, "docs/objectives.md", "exec"), names)
    np.testing.assert_allclose(jax.nn.softmax(names["logits"]), [0.2, 0.8], atol=0.04)


def test_the_api_reference_has_every_public_name(tmp_path):
    # A type of optax refers to itself by a name that is not in its module.
    quiet = ["-W", "error", "-W", "ignore:Error parsing type annotation"]
    done = subprocess.run(
        [sys.executable, *quiet, ROOT / "scripts" / "make_reference.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr, done.stderr
    pages = {
        tmp_path / "jaxdream.html": set(jaxdream.__all__) - {"objectives"},
        tmp_path / "jaxdream" / "objectives.html": set(objectives.__all__),
    }
    for page, names in pages.items():
        text = page.read_text()
        assert {name for name in names if f'id="{name}"' not in text} == set()
