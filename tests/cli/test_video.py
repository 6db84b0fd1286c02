"""``jaxdream video`` with the bundled network."""

import json
import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from video.films import HEIGHT, WIDTH, film, moving, packets, sound_file, tags_of

import jaxdream as jd
from jaxdream.cli.frames import locked
from jaxdream.images.picture_files import is_own, read_recipe_text
from jaxdream.video.dreamer import Dreamer

BARE = ["--steps", "2", "--octaves", "1", "--jitter", "4", "--frame-steps", "1"]
BARE += ["--model", "googlenet_mini"]
QUICK = [*BARE, "--layer", "conv2/3x3", "--seed", "7"]
KEPT = {"video.json", "video.safetensors"}
STAMPS = [0, 33, 100, 340, 640]  # milliseconds


def names(folder):
    return {path.name for path in folder.iterdir()}


def numbered(*numbers):
    return {f"{number:04d}.png" for number in numbers}


def pictures(folder, count):
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    return np.stack([jd.read_image(path) for path in paths])


def read(path):
    """What is known of a video, the times of its frames in milliseconds, and their pixels."""
    with jd.open_video(path, notify=pytest.fail) as video:
        frames = list(video.frames())
        times = [round(1000 * float(frame.time), 3) for frame in frames]
        return video.info, times, np.stack([frame.pixels for frame in frames])


def dreamed(path, **options):
    """The frames of Python's function, rounded as in pictures."""
    _, _, frames = read(path)
    states = jd.iterate_video(
        7, jd.load_model("googlenet_mini"), frames,
        **({"objective": "conv2/3x3", "steps": 2, "octaves": 1, "jitter": 4, "frame_steps": 1}
           | options),
    )  # fmt: skip
    return np.stack([np.asarray(state.image) for state in states]).clip(0, 255).round()


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A video of five frames at uneven times, with sound."""
    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    return film(path, moving(5), stamps=STAMPS, sounds=["aac"])


@pytest.fixture(scope="module")
def dream(walk):
    """Its dream."""
    return dreamed(walk)


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory):
    """A video of two scenes, of three frames and of four."""
    frames = [*moving(7)]
    frames[3:] = [255 - frame[:, ::-1] for frame in frames[3:]]
    return film(tmp_path_factory.mktemp("scenes") / "scenes.mp4", frames)


@pytest.fixture(scope="module")
def one_by_one(two_scenes):
    """The dream of its scenes, one after the other."""
    return dreamed(two_scenes, cuts="3")


def test_the_frames_are_those_of_python(cli, walk, dream, tmp_path):
    done = cli("video", walk, "-o", "out", *QUICK)
    assert done == ("wrote out: 5 frames\n", "")
    assert names(tmp_path / "out") == KEPT | numbered(1, 2, 3, 4, 5)
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), dream)
    assert np.abs(dream - read(walk)[2]).mean() > 0.5
    recorded = json.loads((tmp_path / "out" / "video.json").read_text())
    assert recorded["made_with"]["input_name"] == "walk.mp4"
    assert recorded["settings"]["frame_steps"] == 1
    assert recorded["settings"]["seed"] == 7
    assert (tmp_path / "out" / "0001.png").stat().st_size > 1000


def test_a_film_has_the_times_and_the_sound_of_the_video(cli, walk, tmp_path):
    assert cli("video", walk, "-o", "d.mp4", *QUICK) == ("wrote d.mp4: 5 frames\n", "")
    assert names(tmp_path) == {"d.mp4"}, "without the folder of its frames"
    info, times, _ = read(tmp_path / "d.mp4")
    assert times == STAMPS
    assert info.size == (HEIGHT, WIDTH)
    assert packets(tmp_path / "d.mp4") == packets(walk)
    with av.open(tmp_path / "d.mp4") as container:
        (sound,) = container.streams.audio
        assert (sound.metadata["language"], sound.codec_context.name) == ("fra", "aac")
        assert set(json.loads(container.metadata["comment"])) == {"video", "settings", "made_with"}


def test_without_sound_and_with_that_of_another_file(cli, walk, tmp_path):
    first = ["video", walk, "-o", "d.mkv", *QUICK, "--max-frames", "2", "--keep-frames"]
    cli(*first, "--no-sound")
    with av.open(tmp_path / "d.mkv") as container:
        assert not container.streams.audio
    other = sound_file(tmp_path / "other.m4a", seconds=3)
    done = cli(*first, "--sound", other)  # the frames are there: only the film is written again
    assert done.stderr == "jaxdream: going on after 2 frames in d.mkv.frames\n"
    times, hashes = zip(*packets(tmp_path / "d.mkv"), strict=True)
    known = [each for _, each in packets(other)]
    assert list(hashes) == known[: len(hashes)]
    assert 0 < max(times) < 0.2, "up to the end of the film"


def test_a_part_of_a_video_keeps_its_sound_in_step(cli, walk, tmp_path):
    part = ["--start", "0.1", "--end", "0.64"]
    cli("video", walk, "-o", "d.mp4", *QUICK, *part)
    info, times, _ = read(tmp_path / "d.mp4")
    assert (times, info.origin) == ([0, 240], 0)
    source = {sha256: time for time, sha256 in packets(walk)}
    copied = packets(tmp_path / "d.mp4")
    assert len(copied) > 5
    for time, sha256 in copied:
        assert time == pytest.approx(source[sha256] - 0.1, abs=1e-3)
    assert 0 <= min(copied)[0] < 0.03
    assert 0.5 < max(copied)[0] < 0.54, "to the end of the part"


CHOSEN = {
    "--start 0.1": [2, 3, 4],
    "--every 2": [0, 2, 4],
    "--start 0.02 --every 2 --max-frames 1": [1],
}


@pytest.mark.parametrize("options", CHOSEN)
def test_which_frames_are_dreamed(cli, walk, tmp_path, options):
    chosen = CHOSEN[options]
    done = cli("video", walk, "-o", "d.mkv", "--codec", "ffv1", *QUICK, *options.split(),
               "--strength", "0", "--no-sound")  # fmt: skip
    count = f"{len(chosen)} frame{'s' * (len(chosen) > 1)}"
    assert done == (f"wrote d.mkv: {count}\n", "")
    info, times, frames = read(tmp_path / "d.mkv")
    assert info.origin == 0
    assert times == [STAMPS[number] - STAMPS[chosen[0]] for number in chosen]
    np.testing.assert_array_equal(frames, read(walk)[2][chosen])


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations(cli, walk, tmp_path, suffix):
    done = cli("video", walk, "-o", f"d{suffix}", *QUICK, "--max-frames", "3")
    assert done == (f"wrote d{suffix}: 3 frames\n", "")
    with Image.open(tmp_path / f"d{suffix}") as image:
        image.load()
        assert (image.n_frames, image.size) == (3, (WIDTH, HEIGHT))
    settings = json.loads(read_recipe_text(tmp_path / f"d{suffix}"))["settings"]
    assert "max_frames" not in settings, "a longer film goes on from a shorter one"
    assert names(tmp_path) == {f"d{suffix}"}
    assert is_own(tmp_path / f"d{suffix}")


def test_without_loss_the_film_has_the_frames_themselves(cli, walk, dream, tmp_path):
    cli("video", walk, "-o", "d.mkv", "--codec", "ffv1", *QUICK)
    _, times, frames = read(tmp_path / "d.mkv")
    assert times == STAMPS
    np.testing.assert_array_equal(frames, dream)
    assert [sha256 for _, sha256 in packets(tmp_path / "d.mkv")] == [s for _, s in packets(walk)]


def test_prores(cli, walk, dream, tmp_path):
    cli("video", walk, "-o", "d.mov", "--codec", "prores", *QUICK)
    with av.open(tmp_path / "d.mov") as container:
        assert container.streams.video[0].codec_context.name == "prores"
    _, times, frames = read(tmp_path / "d.mov")
    assert times == STAMPS
    assert np.abs(frames - dream).mean() < 3


@pytest.mark.slow
def test_upright_with_its_pixel_aspect_and_its_colours(cli, tmp_path):
    tags = (1, 1, 1, 1)
    path = film(tmp_path / "a.mp4", moving(2), rotation=90, aspect=Fraction(4, 3), tags=tags)
    cli("video", path, "-o", "d.mp4", *QUICK, "--strength", "0", "--crf", "1")
    (before, _, shown), (after, _, frames) = read(path), read(tmp_path / "d.mp4")
    assert before.rotation == 90
    assert (after.rotation, after.size) == (0, (WIDTH, HEIGHT))
    assert after.pixel_aspect == before.pixel_aspect == Fraction(3, 4)
    assert tags_of(tmp_path / "d.mp4") == tags
    assert np.abs(frames.astype(int) - shown).mean() < 3


@pytest.mark.parametrize(("suffix", "size"), [(".mp4", (34, 48)), (".mkv", (33, 47))])
def test_odd_sizes(cli, tmp_path, suffix, size):
    path = film(tmp_path / "a.mkv", moving(2, (33, 47)), codec="ffv1", pix_fmt="bgr0", options={})
    codec = [] if suffix == ".mp4" else ["--codec", "ffv1"]
    cli("video", path, "-o", f"d{suffix}", *codec, *QUICK, "--strength", "0", "--keep-frames")
    np.testing.assert_array_equal(
        pictures(tmp_path / f"d{suffix}.frames", 2), list(moving(2, (33, 47)))
    )
    assert read(tmp_path / f"d{suffix}")[0].size == size


def test_the_size_to_dream_at(cli, walk, tmp_path):
    cli("video", walk, "-o", "out", *QUICK, "--size", "41", "--max-frames", "1")
    assert pictures(tmp_path / "out", 1).shape == (1, 31, 41, 3)


def test_ten_bits(cli, tmp_path):
    path = film(tmp_path / "a.mp4", moving(2), pix_fmt="yuv420p10le")
    assert read(path)[0].bits == 10
    assert cli("video", path, "-o", "d.mp4", *QUICK) == ("wrote d.mp4: 2 frames\n", "")


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
    Image.fromarray(left()).save(tmp_path / "out" / "9999.png")
    cli("video", walk, "-o", "out", *QUICK, "--max-frames", "2", "--boil", "--overwrite")
    assert names(tmp_path / "out") == KEPT | numbered(1, 2, 9999), "the user's own stays"


def test_curves_are_checked_to_the_end_before_anything_is_dreamed(cli, walk, tmp_path):
    curve = ["--curve", "strength: 2 - f"]
    (line,) = cli("video", walk, "-o", "out", *QUICK, *curve, code=2).notes
    assert "at frame" in line
    assert names(tmp_path) == set()


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


CURVES = ["step_size: 0 0.5, 100% 2 in-out", "strength: 1 - 0.3*sin(t)"]
FADE = "objective: 0 conv2/3x3, 4 pool1/3x3_s2 in-out"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["settings", "objective"])
def test_curves_are_those_of_python_also_when_it_goes_on(cli, tmp_path, press_ctrl_c, case):
    path = film(tmp_path / "a.mp4", moving(5))
    curves = CURVES if case == "settings" else [FADE]
    options = [each for curve in curves for each in ("--curve", curve)]
    options += ["--layer", "conv2/3x3"] if case == "settings" else []
    command = ["video", path, "-o", "out", *BARE, "--seed", "7", *options]
    press_ctrl_c(at=2)
    cli(*command, code=130)
    cli(*command)
    objective = "conv2/3x3" if case == "settings" else None
    expected = dreamed(path, curves=curves, objective=objective, frame_count=5)
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), expected)
    settings = json.loads((tmp_path / "out" / "video.json").read_text())["settings"]
    assert len(settings["curves"]) == len(curves)
    assert (settings["objective"] == "") == (case == "objective")


def test_scenes_begin_where_they_are_cut(cli, walk, dream, tmp_path):
    cli("video", walk, "-o", "out", *QUICK, "--cuts", "2")
    found = pictures(tmp_path / "out", 5)
    np.testing.assert_array_equal(found, dreamed(walk, cuts="2"))
    np.testing.assert_array_equal(found[:2], dream[:2])
    assert np.abs(found[2] - dream[2]).max() > 1


@pytest.mark.slow
def test_scenes_side_by_side(cli, two_scenes, one_by_one, tmp_path, monkeypatch):
    monkeypatch.setattr(Dreamer, "useful_lanes", lambda *_: 2)
    done = cli("video", two_scenes, "-o", "out", *QUICK, "--cuts", "3")
    assert done == (
        "wrote out: 7 frames\n", "jaxdream: reading the video once, to find its scenes\n"
    )  # fmt: skip
    np.testing.assert_allclose(pictures(tmp_path / "out", 7), one_by_one, atol=1)


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


def test_lanes_are_a_multiple_of_the_devices(two_scenes, monkeypatch):
    """Three devices share two scenes: the third lane is idle."""
    from jaxdream.cli import video

    asked = []

    class Three:
        devices, video_settings = 3, jd.VideoSettings(cuts="3")
        useful_lanes = staticmethod(lambda _: 3)

        def turns(self, scenes, *, lanes=1):
            asked.append((len(scenes), lanes))
            return iter(())

    monkeypatch.setattr(video.session, "say", lambda _: None)
    with jd.open_video(two_scenes) as reader:
        source = video.ClipSource(reader, jd.ClipSettings(), (48, 64))
        empty = video.VideoFolder(two_scenes.with_name("none"), {"size": (48, 64)}, {})
        list(video._missing(empty, source, Three(), source.first().time))
    assert asked == [(2, 3)]


@pytest.mark.slow
def test_a_preview_is_every_tenth_frame_and_small(cli, tmp_path):
    path = film(tmp_path / "a.mp4", moving(21, (40, 400)))
    cli("video", path, "--preview", *QUICK)
    info, times, _ = read(tmp_path / "a_preview.mp4")
    assert (info.size, times) == ((32, 320), [0, 400, 800])
    assert names(tmp_path) == {"a.mp4", "a_preview.mp4"}


@pytest.mark.slow
def test_a_look_and_other_options_of_a_dream(cli, walk, tmp_path):
    options = ["--look", "classic", "--boil", "--step-size", "2.5", "--max-frames", "2"]
    cli("video", walk, "-o", "out", *BARE, "--seed", "7", *options)
    expected = dreamed(walk, objective=None, boil=True, step_size=2.5)[:2]
    np.testing.assert_array_equal(pictures(tmp_path / "out", 2), expected)


def test_a_plan_says_what_a_video_takes_and_writes_nothing(cli, walk, tmp_path):
    done = cli("video", walk, "-o", "d.mp4", "--plan", *QUICK)
    about, frame, memory, all_of_them = done.stdout.splitlines()
    assert "walk.mp4: about 5 frames of 64x48" in about
    assert "2 steps where a scene begins and 1 after that" in about
    assert "a frame takes about " in frame
    assert " of memory in all" in memory
    assert " of disk for the frames until the film is written" in all_of_them
    assert done.stderr == ""
    assert names(tmp_path) == set()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_an_output_that_is_there_is_replaced_if_it_is_a_dream(cli, walk, tmp_path, suffix):
    output = tmp_path / f"d{suffix}"
    film(output, moving(1))
    before = output.read_bytes()
    command = ["video", walk, "-o", output, *QUICK, "--max-frames", "1"]
    (line,) = cli(*command, code=2).notes
    assert f"d{suffix} is there already, and not known to be made by jaxdream" in line
    assert output.read_bytes() == before
    cli(*command, "--overwrite")
    assert is_own(output)
    (line,) = cli(*command, "--start", "99", code=2).notes
    assert "has no frame from second 99" in line, "and not that something is there already"
    assert names(tmp_path) == {output.name}


def test_what_is_damaged_in_the_middle_is_said_and_repeated(cli, tmp_path):
    path = film(tmp_path / "a.mp4", moving(5))
    with av.open(path) as container:
        packet = [each for each in container.demux(video=0) if each.size][2]
    content = bytearray(path.read_bytes())
    begin = packet.pos
    content[begin + 5 : begin + packet.size] = bytes([255]) * (packet.size - 5)
    path.write_bytes(content)
    done = cli("video", path, "-o", "d.mkv", "--codec", "ffv1", "--strength", "0", *QUICK)
    (line,) = done.notes
    assert "a.mp4: " in line
    assert " damaged frame" in line
    assert "the one before" in line
    assert len(read(tmp_path / "d.mkv")[1]) == 5


def test_a_video_that_is_cut_short_is_said_and_dreamed_up_to_there(cli, tmp_path):
    path = film(tmp_path / "a.mkv", moving(60), codec="ffv1", pix_fmt="bgr0", options={})
    os.truncate(path, path.stat().st_size // 3)
    done = cli("video", path, "-o", "d.mp4", "--every", "5", *QUICK)
    (line,) = done.notes
    assert "a.mkv ends early, at " in line
    assert 3 <= len(read(tmp_path / "d.mp4")[1]) <= 5


def test_sound_that_the_film_cannot_hold_is_encoded_and_said(cli, tmp_path):
    path = film(tmp_path / "a.mkv", moving(2), sounds=["pcm_s16le"])
    done = cli("video", path, "-o", "d.mp4", *QUICK)
    assert done.notes == [
        f"jaxdream: {path}: MP4 cannot hold its pcm_s16le sound, which is encoded as AAC"
    ]
    assert packets(tmp_path / "d.mp4")


def test_where_the_disk_is_full_the_frames_are_kept(cli, walk, dream, tmp_path, monkeypatch):
    replace = os.replace

    def full(source, target):
        if str(target).endswith("d.mp4"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        done = cli("video", walk, "-o", "d.mp4", *QUICK, code=2)
    assert done.notes == ["jaxdream: cannot write d.mp4: No space left on device"]
    assert names(tmp_path) == {"d.mp4.frames"}
    np.testing.assert_array_equal(pictures(tmp_path / "d.mp4.frames", 5), dream)
    cli("video", walk, "-o", "d.mp4", *QUICK)
    assert names(tmp_path) == {"d.mp4"}


@pytest.mark.slow
def test_where_the_disk_is_full_as_a_frame_is_written(cli, walk, dream, tmp_path, monkeypatch):
    replace = os.replace

    def full(source, target):
        if str(target).endswith("0003.png"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        done = cli("video", walk, "-o", "out", *QUICK, code=2)
    assert done.notes == ["jaxdream: cannot write out/0003.png: No space left on device"]
    assert names(tmp_path / "out") == KEPT | numbered(1, 2)
    assert "going on after 2 frames in out" in cli("video", walk, "-o", "out", *QUICK).stderr
    np.testing.assert_array_equal(pictures(tmp_path / "out", 5), dream)


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
