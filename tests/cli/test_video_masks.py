"""``jaxdream video --mask``: a picture, a folder or a video."""

import numpy as np
import pytest
from cli.video_runs import QUICK, dreamed, names, pictures, read
from PIL import Image
from video.films import HEIGHT, WIDTH, film


def left(shape=(HEIGHT, WIDTH), level=255):
    """A mask of the left side."""
    mask = np.zeros(shape, np.uint8)
    mask[:, : shape[1] // 2] = level
    return mask


def make_mask(folder, kind):
    """A mask of the left side as a file, a folder or a video."""
    if kind == "picture":
        Image.fromarray(left()).save(folder / "mask.png")
        return folder / "mask.png"
    if kind == "video":
        frames = [np.repeat(left()[..., None], 3, -1)] * 5
        return film(folder / "mask.mkv", frames, codec="ffv1", pix_fmt="bgr0", options={})
    (folder / "masks").mkdir()
    for number in range(1, 6):
        Image.fromarray(left()).save(folder / "masks" / f"{number}.png")
    return folder / "masks"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["picture", "folder", "video"])
def test_only_what_a_mask_shows_is_dreamed(cli, walk, tmp_path, press_ctrl_c, kind):
    mask = make_mask(tmp_path, kind)
    options = ["--mask", mask, "--max-frames", "3"]
    press_ctrl_c(at=2)
    cli("video", walk, "-o", "out", *QUICK, *options, code=130)
    cli("video", walk, "-o", "out", *QUICK, *options)
    frames = read(walk)[2][:3]
    found, half = pictures(tmp_path / "out", 3), WIDTH // 2
    np.testing.assert_array_equal(found[:, :, half:], frames[:, :, half:])
    changed = np.abs(found - frames)[:, :, :half]
    assert (changed.mean((1, 2, 3)) > 0.5).all()
    expected = dreamed(walk, masks=left() / np.float32(255))[:3]
    np.testing.assert_array_equal(found, expected)
    if kind == "folder":  # a mask that is another is another video
        Image.fromarray(left(level=128)).save(mask / "2.png")
        (line,) = cli("video", walk, "-o", "out", *QUICK, *options, code=2).notes
        assert "mask_sha256 " in line


def test_a_mask_can_be_inverted(cli, walk, tmp_path):
    mask = make_mask(tmp_path, "picture")
    options = ["--mask", mask, "--mask-invert", "--max-frames", "2"]
    cli("video", walk, "-o", "out", *QUICK, *options)
    found, frames, half = pictures(tmp_path / "out", 2), read(walk)[2][:2], WIDTH // 2
    np.testing.assert_array_equal(found[:, :, :half], frames[:, :, :half])
    assert (np.abs(found - frames)[:, :, half:].mean((1, 2, 3)) > 0.5).all()


def test_a_folder_with_too_few_masks_is_one_line(cli, walk, tmp_path):
    mask = make_mask(tmp_path, "folder")
    for name in ("3.png", "4.png", "5.png"):
        (mask / name).unlink()
    (line,) = cli("video", walk, "-o", "d.mp4", *QUICK, "--mask", "masks", code=2).notes
    assert line == (
        "jaxdream: masks has 2 pictures and the video 5 frames to dream: give one for each frame, "
        "or a single file"
    )
    assert names(tmp_path) == {"masks"}
