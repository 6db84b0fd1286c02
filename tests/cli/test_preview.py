"""Previews of dreams on their way: folders of pictures and animations."""

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd

QUICK = ["--model", "googlenet_mini", "--layer", "conv2/3x3", "--steps", "2", "--octaves", "2",
         "--jitter", "4"]  # fmt: skip


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_picture_of_every_step_and_an_animation_of_them(cli, photo, tmp_path):
    done = cli("dream", photo, *QUICK, "--preview", "seen", "--gif", "seen.gif")
    assert done.stdout.splitlines()[-1] == "wrote seen.gif"
    assert names(tmp_path / "seen") == [f"photo_dream_{i:05}.png" for i in range(1, 5)]
    frames = [jd.read_image(path) for path in sorted((tmp_path / "seen").iterdir())]
    assert {frame.shape for frame in frames} == {(60, 72, 3)}
    assert len({frame.tobytes() for frame in frames}) == 4
    # The last state is the dream.
    assert np.abs(frames[-1] - jd.read_image(tmp_path / "photo_dream.png")).max() <= 1
    with Image.open(tmp_path / "seen.gif") as animation:
        assert (animation.n_frames, animation.size) == (4, (72, 60))


def test_a_picture_of_every_octave(cli, photo, tmp_path):
    cli("dream", photo, *QUICK, "--preview", "seen", "--preview-every", "octave", "--no-clip")
    assert names(tmp_path / "seen") == ["photo_dream_00001.png", "photo_dream_00002.png"]


def test_several_pictures_have_each_their_own(cli, photo, tmp_path):
    jd.write_image(tmp_path / "other.png", jd.read_image(photo)[::-1])
    cli("dream", photo, "other.png", *QUICK, "--preview", "seen")
    assert names(tmp_path / "seen") == [
        f"{name}_dream_{i:05}.png" for name in ("other", "photo") for i in range(1, 5)
    ]
    for name in ("other", "photo"):
        last = jd.read_image(tmp_path / "seen" / f"{name}_dream_00004.png")
        assert np.abs(last - jd.read_image(tmp_path / f"{name}_dream.png")).max() <= 1


def test_an_animation_alone_leaves_no_frames(cli, photo, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    cli("dream", photo, *QUICK, "--gif", "seen.gif")
    assert names(tmp_path) == ["photo.png", "photo_dream.png", "seen.gif", "tmp"]
    assert names(tmp_path / "tmp") == []


def test_interrupted_there_is_an_animation_of_what_there_is(cli, photo, tmp_path, press_ctrl_c):
    press_ctrl_c(at=3)
    done = cli("dream", photo, *QUICK, "--gif", "seen.gif", code=130)
    assert done.stdout == "wrote seen.gif\n"
    with Image.open(tmp_path / "seen.gif") as animation:
        assert animation.n_frames == 2


REFUSED = {
    "photo.png -o s.gif --gif s.gif": "two results would be written to one file, s.gif",
    "photo.png --gif move.gif --guide move.gif": "move.gif is the same file as the guide",
    "move.gif --gif move.gif": "move.gif is the same file as the input move.gif",
    "photo.png --gif seen.xyz": "seen.xyz: animations are written as .gif, .webp, .mp4",
    "photo.png --gif no/where.gif": "there is no folder no",
    "photo.png guide.png -o out --gif seen.gif": "--gif is for one picture: use --preview",
    "photo.png --preview text": "text is a file: name a folder to write into",
    "photo.png --preview .": "photo_dream_00002.png is there already",
    "photo_dream_00002.png -o photo_dream.png --preview .":
        "photo_dream_00002.png is the same file as the input photo_dream_00002.png",
    "photo.png in/../photo.png -o out --preview seen": "two results would be written",
    "in/a.png other/a.png --preview seen": "two results would be written to the same files in seen",
    "cut.png --preview seen": "cut.png is damaged",
}  # fmt: skip


@pytest.mark.parametrize("arguments", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, arguments):
    assert REFUSED[arguments] in refused(f"dream {arguments}")
