"""What ``jaxdream video`` refuses: one line, and nothing is written."""

import shutil
import sys

import pytest
from cli.video_runs import QUICK
from video.films import film, moving, sound_file


@pytest.mark.parametrize("module", ["av", "cv2"])
def test_without_what_video_needs_it_is_one_line(cli, walk, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    (line,) = cli("video", walk, *QUICK, code=2).notes
    assert "pip install 'jaxdream[video]'" in line
    (line,) = cli("video", "no.mp4", *QUICK, code=2).notes
    assert line == "jaxdream: no.mp4: no such file", "which no installation would mend"


@pytest.fixture(scope="module")
def kinds(walk, tmp_path_factory):
    """Videos, and files that are none."""
    folder = tmp_path_factory.mktemp("kinds")
    shutil.copy(walk, folder / "a.mp4")
    sound_file(folder / "sound.m4a")
    film(folder / "silent.mp4", moving(2))
    film(folder / "hdr.mp4", moving(2), pix_fmt="yuv420p10le", tags=(9, 1, 9, 16))
    film(folder / "fast.mp4", moving(9), stamps=[10 * number for number in range(9)])
    (folder / "head.mp4").write_bytes(walk.read_bytes()[:900])
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "masks").mkdir()
    return folder


@pytest.fixture
def videos(corpus, kinds):
    """``corpus`` with ``kinds``."""
    shutil.copytree(kinds, corpus, dirs_exist_ok=True)


REFUSED = {
    # what is dreamed
    "missing.mp4": "missing.mp4",
    "sound.m4a": "sound.m4a has no video stream: name a video",
    "photo.png": "photo.png is a picture: use `jaxdream dream`",
    "move.gif": "move.gif is a picture: use `jaxdream dream`",
    "text.mp4": "text.mp4 is not a video that can be read",
    "empty.mp4": "empty.mp4 is an empty file: name a video",
    "head.mp4": "head.mp4 is not a video that can be read, or not whole",
    "folder": "folder is a folder",
    "pipe.png": "pipe.png",
    "/dev/full": "/dev/full",
    "hdr.mp4": "HDR",
    "''": "''",
    # where it is written to
    "a.mp4 -o ''": "--output is empty: name a file",
    "a.mp4 -o a.mp4": "a.mp4 is the same file as the input a.mp4",
    "a.mp4 -o no/d.mp4": "there is no folder no",
    "a.mp4 -o text": "text is a file: move it away",
    "a.mp4 -o text.gif": "text.gif.frames is a file",
    "a.mp4 -o d.avi": "not as '.avi' (a folder of such a name: d.avi/)",
    "a.mp4 -o photo.png": "not as '.png' (a folder of such a name: photo.png/)",
    "a.mp4 -o frames": "frames holds frames, but not the video.json of a video",
    "a.mp4 -o /dev/full": "/dev/full is a file",
    "a.mp4 -o silent.mp4": "silent.mp4 is there already, and not known to be made by jaxdream",
    "silent.mp4 --sound a.mp4 --overwrite -o a.mp4": "a.mp4 is the same file as the sound a.mp4",
    "a.mp4 --mask silent.mp4 --overwrite -o silent.mp4":
        "silent.mp4 is the same file as the mask silent.mp4",
    "a.mp4 --mask frames -o frames":
        "frames/0001.png is the same file as the mask frames/0001.png",
    "a.mp4 --guide move.gif -o move.gif": "move.gif is the same file as the guide move.gif",
    # how it is written
    "a.mp4 --sound sound.m4a --no-sound": "--sound and --no-sound contradict each other",
    "a.mp4 --sound silent.mp4": "silent.mp4 has no sound: name a file that has",
    "a.mp4 --sound missing.mp3": "missing.mp3",
    "a.mp4 --codec mpeg": "codec 'mpeg': choose one of h264, hevc, prores, ffv1",
    "a.mp4 --codec prores": "cannot hold prores: name a .mov",
    "a.mp4 -o d.mov --codec ffv1": "d.mov cannot hold ffv1: name a .mkv",
    "a.mp4 -o d.mkv --codec ffv1 --crf 3": "crf 3: ffv1 has no such setting: leave it out",
    "a.mp4 --crf 52": "crf: it is a whole number from 0 to 51, not 52",
    "a.mp4 -o d.gif --codec h264": "--codec is for a film: write a .mp4",
    "a.mp4 -o d.webp --crf 3": "--crf is for a film",
    "a.mp4 -o new --sound sound.m4a": "--sound is for a film",
    "a.mp4 -o new --codec ffv1": "--codec is for a film",
    "a.mp4 -o d.mkv --codec hevc --size 20": "hevc takes sides of 32 to 8192 pixels, not 20x15",
    "fast.mp4 -o d.gif": "GIF plays 0.01 to 50 frames a second, not ",
    # which frames
    "a.mp4 --start 9": "has no frame from second 9 on",
    "a.mp4 --start 2 --end 1": "end is after start, which is 2, not 1",
    "a.mp4 --every 0": "--every: it is a whole number from 1",
    "a.mp4 --max-frames 0": "--max-frames: it is a whole number from 1",
    "a.mp4 --frame-steps 0": "--frame-steps: it is a whole number from 1",
    "a.mp4 --cuts 3,x": "cuts are auto, none or numbers of frames such as 120,355, not '3,x'",
    "a.mp4 --size 0": "size",
    "a.mp4 --tile x": "the frames of a video cannot be tiles: leave out --tile",
    # masks and curves
    "a.mp4 --mask alpha": "a video has no transparency",
    "a.mp4 --mask masks": "masks has no pictures that could be masks",
    "a.mp4 --mask missing.png": "missing.png",
    "a.mp4 --mask sound.m4a": "sound.m4a has no video stream",
    "a.mp4 --mask-invert": "mask_invert and mask_feather need a mask",
    "a.mp4 --curve zoom:1": "zoom",
    "a.mp4 --curve 'objective: 0 3b' --layer conv2/3x3": "it takes the place of --layer",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
@pytest.mark.usefixtures("videos")
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    assert REFUSED[arguments] in refused(f"video {arguments} --model googlenet_mini")
