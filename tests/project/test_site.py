"""The site is built strictly, has every public name, and asks nothing of other hosts."""

import re
import subprocess
import sys

import pytest
from helpers import ROOT

import jaxdream as jd
from jaxdream import objectives
from jaxdream.settings import Settings

pytest.importorskip("mkdocs", reason="the site needs `pip install '.[site]'`")
pytestmark = pytest.mark.slow
# What a page makes a browser fetch, and not only link to.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"([^\"]+)\""
    r"|<link\b(?=[^>]*rel=\"(?:stylesheet|preload|icon|preconnect)\")[^>]*\bhref=\"([^\"]+)\""
    r"|@import\s+[\"']([^\"']+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    fetched = {
        address
        for page in pages
        for found in FETCHED.findall(page.read_text("utf-8"))
        for address in found
        if address
    }
    assert any(address.endswith(".css") for address in fetched)
    assert [a for a in fetched if a.startswith(("http:", "https:", "//"))] == []


def test_the_first_page_is_the_readme_with_its_pictures(site):
    text = (site / "index.html").read_text("utf-8")
    assert "sdk_version" not in text
    assert 'href="objectives.html"' in text
    assert 'href="gallery.html#an-early-layer"' in text
    assert 'src="pictures/china_googlenet_4c.jpg"' in text
    assert (site / "pictures" / "china_googlenet_4c.jpg").is_file()


def test_the_reference_has_every_public_function_class_and_setting(site):
    folder = site / "reference"
    pages = {name: (folder / f"{name}.html").read_text("utf-8") for name in
             ("functions", "settings", "types", "objectives")}  # fmt: skip
    text = "".join(pages.values())
    names = [jd.dream, jd.visualize, jd.Network, jd.DreamSettings, jd.RunLog, objectives.channel,
             jd.cluster.dream_dataset, jd.cluster.dream_places, jd.cluster.Dreamer]  # fmt: skip
    for value in names:
        assert f'id="{value.__module__}.{value.__qualname__}"' in text
    classes = {name for name in jd.__all__ if isinstance(getattr(jd, name), type)}
    settings = {name for name in classes if issubclass(getattr(jd, name), Settings)}
    for name in settings:
        assert f'.{name}"' in pages["settings"]
    for name in classes - settings:
        assert f'.{name}"' in pages["types"]
    # The settings themselves, in the signature and the description, and not their place.
    assert "{settings}" not in text
    assert "octave_scale" in pages["functions"]


def test_search_knows_the_pages(site):
    index = (site / "search" / "search_index.json").read_text("utf-8")
    for words in ("octave_scale", "padded shape", "receptive field"):
        assert words in index.lower()
