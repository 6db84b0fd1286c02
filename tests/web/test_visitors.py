import os

import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.web import visitors as visitors_module
from jaxdream.web.visitors import PAGES, Result, Visitors, delete_old


@pytest.fixture
def left():
    return []


@pytest.fixture
def visitors(tmp_path, left):
    return Visitors(tmp_path, leave=left.append)


def made(visitor, name="dream.png"):
    result = Result(visitor.new_path(name), "", "", "")
    result.path.write_bytes(b"picture")
    visitor.keep(result)
    return result


def test_a_session_has_one_visitor_and_no_other(visitors):
    assert visitors.of("a") is visitors.of("a")
    assert visitors.of("a").folder != visitors.of("b").folder
    assert len(visitors) == 2


def test_a_request_without_a_session_is_refused(visitors):
    with pytest.raises(JaxdreamError, match="load the page again"):
        visitors.of(None)


@pytest.mark.parametrize("session", ["../../etc", "a/b", "x" * 5000, "\0", "ü"])
def test_a_session_is_no_name_for_a_folder(visitors, tmp_path, session):
    assert visitors.of(session).folder.parent == tmp_path
    assert visitors.of(session).folder.name.isalnum()


def test_who_leaves_takes_everything_along(visitors, left):
    visitor = visitors.of("a")
    path, others = made(visitor).path, made(visitors.of("b")).path
    visitors.remove("a")
    assert not path.exists()
    assert not visitor.folder.exists()
    assert others.exists()
    assert left == [visitor.name]
    visitors.remove("a")  # twice, or never there
    assert left == [visitor.name]


def test_results_are_kept_newest_first_and_the_oldest_deleted(visitors, monkeypatch):
    monkeypatch.setattr(visitors_module, "_MOST_KEPT", 2)
    one, two, three = (made(visitors.of("a")) for _ in range(3))
    assert visitors.of("a").results == [three, two]
    assert not one.path.exists()
    assert two.path.exists()


@pytest.mark.parametrize("name", ["../up.png", "a/b.png", "", "\0.png", "...", "sky dream.png"])
def test_a_result_lies_in_the_visitors_folder(visitors, name):
    visitor = visitors.of("a")
    path = visitor.new_path(name)
    assert path.parent.parent == visitor.folder
    path.write_bytes(b"can be written")
    assert path != visitor.new_path(name)


def test_only_what_is_old_is_deleted_and_no_pages_folder(tmp_path):
    for name, age in (("old", 100), ("new", 1), (f"{PAGES}1", 100)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sky.png").write_bytes(b"picture")
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    delete_old(tmp_path, 50)
    assert {place.name for place in tmp_path.iterdir()} == {"new", f"{PAGES}1"}
