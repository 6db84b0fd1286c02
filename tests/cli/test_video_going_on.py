"""``jaxdream video`` that was stopped, or finds damaged frames: what is kept, and made again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli.video_runs import KEPT, QUICK, STAMPS, dreamed, names, numbered, pictures, read
from PIL import Image
from video.films import film, moving, packets

from jaxdream.cli.frames import locked
from jaxdream.video.dreamer import Dreamer


def test_interrupted_and_gone_on_with_it_is_as_never_stopped(
    cli, walk, dream, tmp_path, press_ctrl_c
):
    command = ["video", walk, "-o", "d.mp4", *QUICK]
    press_ctrl_c(at=3)
    done = cli(*command, code=130)
    assert done.notes == [
        "jaxdream: interrupted: writing d.mp4 of the frames made so far",
        "jaxdream: interrupted: 3 frames of the video are in d.mp4.frames, and d.mp4 shows them; "
        "the same command goes on from there",
    ]
    assert done.stdout == ""
    _, times, _ = read(tmp_path / "d.mp4")
    assert times == STAMPS[:3]
    assert 0 < max(packets(tmp_path / "d.mp4"))[0] < 0.4, "sound, up to the end of the film"
    # As if it was killed while it wrote a frame.
    frames = tmp_path / "d.mp4.frames"
    (frames / ".0004.png.0123abcd").write_bytes(b"half a frame")
    done = cli(*command, "--keep-frames")
    assert done == (
        "wrote d.mp4: 5 frames\n", "jaxdream: going on after 3 frames in d.mp4.frames\n"
    )  # fmt: skip
    assert names(frames) == KEPT | numbered(1, 2, 3, 4, 5)
    np.testing.assert_array_equal(pictures(frames, 5), dream)
    assert read(tmp_path / "d.mp4")[1] == STAMPS
    assert packets(tmp_path / "d.mp4") == packets(walk)


@pytest.mark.parametrize("output", ["d.mp4", "out"])
def test_interrupted_before_the_first_frame_nothing_is_written(
    cli, walk, tmp_path, monkeypatch, output
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Dreamer, "_dream_frames", interrupted)
    done = cli("video", walk, "-o", output, *QUICK, code=130)
    assert done.stderr == "jaxdream: interrupted before the first frame: nothing written\n"
    assert names(tmp_path) == set()


def test_interrupted_while_the_film_is_written(cli, walk, dream, tmp_path, monkeypatch):
    from jaxdream.video import clip_film

    def interrupted(_, frames, **__):
        next(iter(frames))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(clip_film, "write_video", interrupted)
        done = cli("video", walk, "-o", "d.mp4", *QUICK, code=130)
    assert done.stderr == (
        "jaxdream: interrupted: 5 frames of the video are in d.mp4.frames; the same command goes "
        "on from there\n"
    )
    assert names(tmp_path) == {"d.mp4.frames"}
    np.testing.assert_array_equal(pictures(tmp_path / "d.mp4.frames", 5), dream)
    cli("video", walk, "-o", "d.mp4", *QUICK)
    assert names(tmp_path) == {"d.mp4"}


@pytest.mark.slow
def test_killed_between_a_picture_and_its_state(cli, walk, dream, tmp_path, press_ctrl_c):
    command = ["video", walk, "-o", "out", *QUICK]
    state = tmp_path / "out" / "video.safetensors"
    press_ctrl_c(at=2)
    cli(*command, code=130)
    older = state.read_bytes()
    cli(*command)
    newest = state.read_bytes()
    state.write_bytes(older)
    assert "going on after 2 frames in out" in cli(*command).stderr
    assert state.read_bytes() == newest
    state.unlink()
    assert cli(*command).stderr == ""
    assert state.read_bytes() == newest
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), dream)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def made(cli, walk, kept, tmp_path):
    """The frames of a film that was made before."""
    if not (kept / "frames").exists():
        cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK)
        (tmp_path / "d.mp4.frames").rename(kept / "frames")
    return Path(shutil.copytree(kept / "frames", tmp_path / "d.mp4.frames"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_damaged_pictures_are_made_again_and_said_once(cli, walk, made):
    before = contents(made)
    (made / "0002.png").write_bytes(before["0002.png"][:100])
    (made / "0004.png").unlink()
    done = cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK)
    assert done.notes == [
        "jaxdream: d.mp4.frames/0002.png and 1 more are damaged or missing: made again",
        "jaxdream: going on after 5 frames in d.mp4.frames",
    ]
    assert contents(made) == before


@pytest.mark.slow
def test_interrupted_while_a_damaged_picture_is_made_again(cli, walk, made, tmp_path, press_ctrl_c):
    before = contents(made)
    (made / "0003.png").write_bytes(b"")
    press_ctrl_c(at=2)
    done = cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK, code=130)
    assert done.notes[-1] == (
        "jaxdream: interrupted: 5 frames of the video are in d.mp4.frames, and d.mp4 shows the "
        "first 2; the same command goes on from there"
    )
    assert read(tmp_path / "d.mp4")[1] == STAMPS[:2]
    (made / "0001.png").write_bytes(b"")
    shown = (tmp_path / "d.mp4").read_bytes()
    press_ctrl_c(at=1)
    done = cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK, code=130)
    assert done.notes[-1].endswith("are in d.mp4.frames; the same command goes on from there")
    assert (tmp_path / "d.mp4").read_bytes() == shown, "nothing can be shown"
    cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK)
    assert contents(made) == before


def test_a_damaged_state_begins_again_and_is_said(cli, walk, made):
    before = contents(made)
    damaged = before["video.safetensors"]
    (made / "video.safetensors").write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 1]))
    done = cli("video", walk, "-o", "d.mp4", "--keep-frames", *QUICK)
    assert done.notes == [
        "jaxdream: d.mp4.frames/video.safetensors is damaged: all frames are made again"
    ]
    assert contents(made) == before


def test_frames_of_other_settings_are_refused(cli, walk, made, tmp_path):
    before = contents(made)
    other = ["--frame-steps", "2", "--every", "2", "--curve", "strength: 0 1, 2 0"]
    (line,) = cli("video", walk, "-o", "d.mp4", *QUICK, *other, code=2).notes
    assert "d.mp4.frames holds frames of another video (" in line
    for says in ("frame_steps 1 there and 2 now", "every 1 there and 2 now",
                 'curves null there and ["strength: 0 1, 2 0"] now'):  # fmt: skip
        assert says in line
    assert "give the same settings, or another output" in line
    other = shutil.copy(walk, tmp_path / "other.mp4")
    cli("video", other, "-o", "d.mp4", "--keep-frames", *QUICK)  # of the same content
    film(tmp_path / "other.mp4", moving(3))
    (line,) = cli("video", other, "-o", "d.mp4", *QUICK, code=2).notes
    assert "(input_sha256 " in line
    assert contents(made) == before
    cli("video", other, "-o", "d.mp4", "--keep-frames", "--overwrite", *QUICK)
    assert read(tmp_path / "d.mp4")[1] == [0, 40, 80]


def test_two_runs_at_once_are_not_in_one_folder(cli, walk, tmp_path):
    with locked(tmp_path / "d.mp4.frames"):
        done = cli("video", walk, "-o", "d.mp4", *QUICK, code=2)
    assert done.stderr == (
        "jaxdream: another run of jaxdream is writing into d.mp4.frames: wait for it to end, or "
        "choose another output\n"
    )
    assert names(tmp_path) == set()


@pytest.mark.slow
def test_a_longer_film_goes_on_from_a_shorter_one(cli, walk, tmp_path):
    first = ["video", walk, "-o", "out", *QUICK]
    cli(*first, "--max-frames", "2")
    done = cli(*first, "--max-frames", "4")
    assert done.stderr == "jaxdream: going on after 2 frames in out\n"
    np.testing.assert_array_equal(pictures(tmp_path / "out", 4), dreamed(walk)[:4])
    cli(*first, "--max-frames", "3", "-o", "out")  # those there are stay
    assert names(tmp_path / "out") == KEPT | numbered(1, 2, 3, 4)


def test_a_part_does_not_replace_a_whole_film(cli, walk, tmp_path, press_ctrl_c):
    first = ["video", walk, "-o", "d.mp4", *QUICK, "--max-frames", "4"]
    cli(*first)
    whole = (tmp_path / "d.mp4").read_bytes()
    press_ctrl_c(at=2)
    notes = cli(*first, code=130).notes
    assert notes[0].startswith("jaxdream: dreaming all frames: those of d.mp4 were not kept")
    assert notes[-1].endswith("are in d.mp4.frames; the same command goes on from there")
    assert (tmp_path / "d.mp4").read_bytes() == whole


@pytest.mark.slow
def test_overwriting_leaves_no_frame_of_another_film(cli, walk, tmp_path):
    cli("video", walk, "-o", "out", *QUICK, "--max-frames", "4")
    Image.new("L", (64, 48), 255).save(tmp_path / "out" / "9999.png")
    cli("video", walk, "-o", "out", *QUICK, "--max-frames", "2", "--boil", "--overwrite")
    assert names(tmp_path / "out") == KEPT | numbered(1, 2, 9999), "the user's own stays"


@pytest.mark.slow
def test_scenes_side_by_side_that_stopped_with_a_gap(
    cli, two_scenes, one_by_one, tmp_path, monkeypatch, press_ctrl_c
):
    command = ["video", two_scenes, "-o", "d.mkv", "--codec", "ffv1", *QUICK, "--cuts", "3"]
    with monkeypatch.context() as patch:
        patch.setattr(Dreamer, "useful_lanes", lambda *_: 2)
        press_ctrl_c(at=2)  # the frames 0 and 3, then 1 and 4 are made
        done = cli(*command, code=130)
    assert done.notes[-1] == (
        "jaxdream: interrupted: 4 frames of the video are in d.mkv.frames, and d.mkv shows the "
        "first 2; the same command goes on from there"
    )
    frames = tmp_path / "d.mkv.frames"
    assert names(frames) == KEPT | numbered(1, 2, 4, 5)
    _, times, shown = read(tmp_path / "d.mkv")
    assert times == [0, 40], "those before the gap"
    np.testing.assert_allclose(shown, one_by_one[:2], atol=1)
    damaged = frames / "0004.png"
    damaged.write_bytes(b"")
    done = cli(*command, "--keep-frames")
    assert done.notes[1:] == [
        "jaxdream: going on after 4 frames in d.mkv.frames",
        "jaxdream: reading the video once, to find its scenes",
    ]
    np.testing.assert_allclose(pictures(frames, 7), one_by_one, atol=1)
    assert read(tmp_path / "d.mkv")[1] == [40 * number for number in range(7)]


def fill_disk(patch, *, before):
    """The disk is full when a file of this name is to be put in its place."""
    replace = os.replace

    def full(source, target):
        if str(target).endswith(before):
            raise OSError(28, "No space left on device")
        replace(source, target)

    patch.setattr(os, "replace", full)


def test_where_the_disk_is_full_the_frames_are_kept(cli, walk, dream, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk(patch, before="d.mp4")
        done = cli("video", walk, "-o", "d.mp4", *QUICK, code=2)
    assert done.notes == ["jaxdream: cannot write d.mp4: No space left on device"]
    assert names(tmp_path) == {"d.mp4.frames"}
    np.testing.assert_array_equal(pictures(tmp_path / "d.mp4.frames", 5), dream)
    cli("video", walk, "-o", "d.mp4", *QUICK)
    assert names(tmp_path) == {"d.mp4"}


@pytest.mark.slow
def test_where_the_disk_is_full_as_a_frame_is_written(cli, walk, dream, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk(patch, before="0003.png")
        done = cli("video", walk, "-o", "out", *QUICK, code=2)
    assert done.notes == ["jaxdream: cannot write out/0003.png: No space left on device"]
    assert names(tmp_path / "out") == KEPT | numbered(1, 2)
    assert "going on after 2 frames in out" in cli("video", walk, "-o", "out", *QUICK).stderr
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), dream)
