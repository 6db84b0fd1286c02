"""What the tests of the page share: a server, a browser, and a picture to give."""

import os
import shutil
from pathlib import Path

import pytest
from helpers import ROOT
from PIL import Image


@pytest.fixture(scope="session")
def server(environment, tmp_path_factory):
    """The page, served for all tests of this process."""
    from web.serving import serving

    with serving(environment, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def chromium():
    """The browser: without it a test is skipped, but where JAXDREAM_TEST_PAGE is 1 it must be."""
    from page_extras import REQUIRED
    from web.visiting import ARGUMENTS, sync_api

    program = shutil.which("chromium")
    if program is None:
        if REQUIRED:
            pytest.fail("JAXDREAM_TEST_PAGE is 1, and there is no Chromium")
        pytest.skip("the page is tested with Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit_to(chromium):
    """Opens a server's page in a window of its own, closed after the test."""
    from web.visiting import Visit

    visits = []

    def visit_to(server, **window):
        visits.append(Visit(chromium, server.url, **window))
        return visits[-1]

    yield visit_to
    for visit in visits:
        visit.close()


@pytest.fixture
def visit(visit_to, server):
    """The page in a window, with settings for a dream that takes moments."""
    visit = visit_to(server)
    visit.fill(size=160, octaves=2, steps=3)
    return visit


@pytest.fixture(scope="session")
def cat(tmp_path_factory):
    """A photograph of 160x120 pixels."""
    path = tmp_path_factory.mktemp("given") / "cat.png"
    with Image.open(ROOT / "docs" / "pictures" / "chelsea.png") as picture:
        picture.convert("RGB").resize((160, 120)).save(path)
    return path


@pytest.fixture
def replay(run_in, tmp_path):
    """Makes a downloaded dream again, by the command line; its pixels."""
    from web.visiting import pixels

    def replay(dreamed, given, *options):
        again = tmp_path / "again.png"
        done = run_in(tmp_path, "replay", dreamed, given, "-o", again, *options)
        assert done.returncode == 0, done.stderr
        return pixels(again)

    return replay


@pytest.fixture
def screenshots(tmp_path) -> Path:
    """A folder for pictures of the page: JAXDREAM_SCREENSHOTS, or one that is deleted."""
    folder = Path(os.environ.get("JAXDREAM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
