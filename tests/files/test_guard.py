import os

import pytest

from jaxdream import JaxdreamError
from jaxdream.files.guard import FileGuard, check_inside

FRAMES = r"a_[0-9]{5}\.png"


@pytest.fixture
def cat(tmp_path, monkeypatch):
    """A picture in the working folder, as the commands get it: by a relative name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").write_bytes(b"a picture")
    return "cat.jpg"


@pytest.mark.parametrize(
    "kind", ["name", "absolute", "dots", "hard link", "symlink", "folder link"]
)
def test_the_input_is_not_written(cat, tmp_path, kind):
    output = "out.jpg"
    if kind == "name":
        output = cat
    elif kind == "absolute":
        output = tmp_path / cat
    elif kind == "dots":
        (tmp_path / "folder").mkdir()
        output = "folder/../cat.jpg"
    elif kind == "hard link":
        os.link(cat, output)
    elif kind == "symlink":
        os.symlink(cat, output)
    else:
        os.symlink(tmp_path, "here")
        output = "here/cat.jpg"
    guard = FileGuard(reads=[cat])
    with pytest.raises(JaxdreamError, match=r"is the same file as the input cat\.jpg"):
        guard.add_write(output)
    guard.add_write("other.jpg")


def test_a_guide_is_not_written_whichever_is_named_first(cat):
    guard = FileGuard(reads=[cat])
    guard.add_read("guide.jpg", what="the guide")
    with pytest.raises(JaxdreamError, match=r"guide\.jpg is the same file as the guide guide\.jpg"):
        guard.add_write("guide.jpg")
    guard.add_write("out.png")
    with pytest.raises(JaxdreamError, match=r"out\.png is the same file as the guide out\.png"):
        guard.add_read("./out.png", what="the guide")


def test_one_file_may_be_read_twice_and_a_file_that_is_there_be_replaced(cat):
    guard = FileGuard(reads=[cat, cat], replace=True)
    guard.add_read(cat, what="the guide")
    with open("out.png", "wb"):
        pass
    guard.add_write("out.png")


@pytest.mark.parametrize("kind", ["equal", "dots", "hard link", "symlink", "dangling symlink"])
@pytest.mark.usefixtures("cat")
def test_two_results_do_not_go_to_one_file(tmp_path, kind):
    first = second = tmp_path / "s.gif"
    if kind == "dots":
        second = "./s.gif"
    elif kind == "hard link":
        first.touch()
        second = "t.gif"
        os.link(first, second)
    elif "symlink" in kind:
        if kind == "symlink":
            first.touch()
        second = "t.gif"
        os.symlink("s.gif", second)
    guard = FileGuard(replace=True)
    guard.add_write(first)
    with pytest.raises(JaxdreamError, match=r"two results would be written to one file, .*s\.gif"):
        guard.add_write(second)


def test_a_file_that_is_there_can_be_refused(cat):
    guard = FileGuard()
    with pytest.raises(JaxdreamError, match=r"cat\.jpg is there already.*give --overwrite"):
        guard.add_write(cat)
    guard.add_write("new.jpg")
    os.symlink("nowhere", "link.jpg")
    with pytest.raises(JaxdreamError, match=r"link\.jpg is there already"):
        guard.add_write("link.jpg")


def test_the_caller_can_decide_which_file_is_replaced(tmp_path):
    (tmp_path / "zoom.json").write_text("ours")
    (tmp_path / "other.json").write_text("the user's")

    def is_ours(path):
        return path.read_text() == "ours"

    guard = FileGuard(replace=is_ours)
    guard.add_write(tmp_path / "zoom.json")
    guard.add_write(tmp_path / "new.json")
    with pytest.raises(JaxdreamError, match=r"other\.json is there already"):
        guard.add_write(tmp_path / "other.json")


def test_numbered_frames_do_not_overwrite_the_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_00002.png").touch()
    for replace in (True, False):
        guard = FileGuard(reads=["a_00002.png"])
        with pytest.raises(JaxdreamError, match=r"is the same file as the input a_00002\.png"):
            guard.add_write_pattern(".", FRAMES, replace=replace)
    guard = FileGuard(replace=True)
    guard.add_write_pattern(tmp_path, FRAMES)
    with pytest.raises(JaxdreamError, match="the input"):
        guard.add_read("a_00002.png")


def test_numbered_frames_do_not_overwrite_the_input_by_a_link(cat):
    os.mkdir("frames")
    os.link(cat, "frames/a_00007.png")
    with pytest.raises(JaxdreamError, match=r"a_00007\.png is the same file as the input cat\.jpg"):
        FileGuard(reads=[cat]).add_write_pattern("frames", FRAMES)


def test_numbered_frames_and_results_do_not_meet(cat):
    guard = FileGuard(reads=[cat])
    guard.add_write("a_00001.png")
    with pytest.raises(JaxdreamError, match="two results"):
        guard.add_write_pattern(".", FRAMES)
    guard = FileGuard(reads=[cat])
    guard.add_write_pattern("frames", FRAMES)
    guard.add_write("a_00001.png")
    guard.add_write("frames/a.png")
    with pytest.raises(JaxdreamError, match="two results"):
        guard.add_write("frames/a_00001.png")
    with pytest.raises(JaxdreamError, match="two results would be written to the same files"):
        guard.add_write_pattern("./frames", FRAMES)


@pytest.mark.usefixtures("cat")
def test_frames_that_are_there_can_be_refused(tmp_path):
    (tmp_path / "a_00003.png").touch()
    with pytest.raises(JaxdreamError, match=r"a_00003\.png is there already"):
        FileGuard().add_write_pattern(".", FRAMES, replace=False)
    FileGuard().add_write_pattern(".", FRAMES, replace=True)
    FileGuard().add_write_pattern(".", r"b_[0-9]{5}\.png", replace=False)
    FileGuard().add_write_pattern("no such folder", FRAMES, replace=False)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_impossible_names_are_one_line(name):
    for call in (FileGuard().add_read, FileGuard().add_write):
        with pytest.raises(JaxdreamError, match=r"a\?b is not a possible name"):
            call(name)
    FileGuard().add_read("x" * 5000)  # which the reader refuses


def test_messages_are_one_line():
    guard = FileGuard(reads=["a\nb"])
    with pytest.raises(JaxdreamError, match=r"^a\?b is the same file as the input a\?b: [^\n]*$"):
        guard.add_write("a\nb")


def test_paths_inside_a_folder_pass(tmp_path):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    check_inside(out, out / "x.png")
    check_inside(out, out / "new" / ".." / "x.png")
    check_inside(tmp_path / "not there", tmp_path / "not there" / "sub" / "x.png")
    (tmp_path / "link").symlink_to("out")
    check_inside(tmp_path / "link", tmp_path / "link" / "sub" / "x.png")


@pytest.mark.parametrize(
    "path", ["out/../top.webp", "out/sub/../../top.png", "out", "output", "out/away/x"]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path, path):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "away").symlink_to(tmp_path)
    with pytest.raises(JaxdreamError, match=r"leads out of the folder .*out"):
        check_inside(tmp_path / "out", tmp_path / path)
