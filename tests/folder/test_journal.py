"""The journal of an output folder, and its lock."""

import json
import multiprocessing
import os
import resource

import pytest
from child_processes import hold_journal

from jaxdream import JaxdreamError
from jaxdream.folder.journal import Journal, JournalEntry, open_journal, settings_hash

MADE = JournalEntry("a/x.jpg", "12", "ab", "34")
SETTINGS = {"steps": 10, "files": {"flöw.jpg": "ef"}}


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_says_after_a_run_what_it_did(tmp_path):
    with open_journal(tmp_path) as journal:
        assert not journal.knows("a/x.png")
        journal.begin(SETTINGS, batch=4, memory=5)
        journal.begin(SETTINGS, batch=4, memory=5)
        journal.made("a/x.png", MADE)
        journal.failed("b\udc80.jpg", "56", "ab", "is damaged")
    assert len(lines(tmp_path / "jaxdream.jsonl")) == 3
    with open_journal(tmp_path, notify=pytest.fail) as journal:
        run = journal.runs[settings_hash(SETTINGS)]
        assert (run["batch"], run["memory"], run["of"]) == (4, 5, SETTINGS)
        assert journal.knows("a/x.png")
        assert not journal.knows("x.png")
        assert journal.has("a/x.png", MADE)
        for change in ("input", "input_sha256", "settings", "sha256"):
            assert not journal.has("a/x.png", MADE._replace(**{change: "?"}))
        # What is known is not said again.
        journal.made("a/x.png", MADE)
        journal.failed("b\udc80.jpg", "56", "ab", "is damaged")
        journal.begin(SETTINGS, batch=8, memory=5)
    assert len(lines(tmp_path / "jaxdream.jsonl")) == 4
    with open_journal(tmp_path) as journal:
        assert journal.runs[settings_hash(SETTINGS)]["batch"] == 8


@pytest.mark.parametrize("kept", [0, 1, -20, -1])
def test_a_line_cut_short_by_a_kill_is_cut_off(tmp_path, kept):
    path = tmp_path / "jaxdream.jsonl"
    with open_journal(tmp_path) as journal:
        journal.begin(SETTINGS)
        first = path.stat().st_size
        journal.made("x.png", MADE)
    whole = path.read_bytes()
    path.write_bytes(whole[: first + kept] if kept >= 0 else whole[:kept])
    with open_journal(tmp_path, notify=pytest.fail) as journal:
        assert not journal.knows("x.png")
        journal.made("x.png", MADE)
    assert path.read_bytes() == whole


DAMAGED = [b"{", b"[]", b"3", b"\xff\x00", b'{"output": "x.png"}', b'{"output": ["x"], "input": 1}',
           b'{"journal": 1, "settings": "ab", "of": {}}', b""]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_said_and_the_others_are_read(tmp_path, line):
    path = tmp_path / "jaxdream.jsonl"
    with open_journal(tmp_path) as journal:
        journal.begin(SETTINGS)
        journal.made("x.png", MADE)
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, line, second, b""]))
    said = []
    with open_journal(tmp_path, notify=said.append) as journal:
        assert journal.has("x.png", MADE)
    assert said == [f"{path}: damaged and left out: line 2"]


def test_a_journal_of_another_version_is_refused(tmp_path):
    (tmp_path / "jaxdream.jsonl").write_text('{"journal": 9, "settings": "ab", "of": {}}\n')
    with (
        pytest.raises(JaxdreamError, match="another version of jaxdream"),
        open_journal(tmp_path),
    ):
        pass


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with open_journal(tmp_path) as journal:
        with pytest.raises(JaxdreamError, match="another run of jaxdream is writing into"):
            Journal.close(open_journal(tmp_path).__enter__())
        journal.made("x.png", MADE)
    with open_journal(tmp_path) as journal:
        assert journal.knows("x.png")


def test_a_killed_run_leaves_no_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold_journal, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(JaxdreamError, match="another run"):
        open_journal(tmp_path).__enter__()
    process.kill()
    process.join()
    with open_journal(tmp_path):
        pass


def test_a_full_disk_leaves_no_half_line(tmp_path):
    path = tmp_path / "jaxdream.jsonl"
    with open_journal(tmp_path) as journal:
        journal.made("x.png", MADE)
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 9, limits[1]))
        try:
            with pytest.raises(JaxdreamError, match=r"cannot write .*jaxdream\.jsonl: File too"):
                journal.made("y.png", MADE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        journal.made("y.png", MADE)
    assert [line["output"] for line in lines(path)] == ["x.png", "y.png"]


def test_folders_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match="cannot write into"):
        open_journal(tmp_path / "file").__enter__()
    (tmp_path / "jaxdream.jsonl").mkdir()
    with pytest.raises(JaxdreamError, match="is not a journal of jaxdream"):
        open_journal(tmp_path).__enter__()
    assert os.listdir(tmp_path / "jaxdream.jsonl") == []


@pytest.mark.parametrize("kind", ["pipe", "link", "link to nothing"])
def test_a_journal_that_is_no_file_is_refused_and_left_as_it_is(tmp_path, kind):
    path = tmp_path / "jaxdream.jsonl"
    (tmp_path / "text").write_text("mine, without a newline at the end")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("text" if kind == "link" else "nothing")
    with pytest.raises(JaxdreamError, match="is not a journal"):
        open_journal(tmp_path).__enter__()
    assert (tmp_path / "text").read_text() == "mine, without a newline at the end"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["most", "room"])
@pytest.mark.parametrize("value", ["x", 1e308, float("nan"), -1, True, [1], 1 << 70])
def test_a_damaged_number_of_a_run_is_a_damaged_line(tmp_path, name, value):
    path = tmp_path / "jaxdream.jsonl"
    with open_journal(tmp_path) as journal:
        journal.begin(SETTINGS, most=None, room=5)
    (line,) = lines(path)
    path.write_text(json.dumps(line | {name: value}) + "\n")
    said = []
    with open_journal(tmp_path, notify=said.append) as journal:
        assert journal.runs == {}
    assert said == [f"{path}: damaged and left out: line 1"]
