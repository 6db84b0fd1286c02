"""``jaxdream video`` with the bundled network: the frames and the film that it makes."""

import json
import os
from fractions import Fraction

import av
import numpy as np
import pytest
from cli.video_runs import BARE, KEPT, QUICK, STAMPS, dreamed, names, numbered, pictures, read
from PIL import Image
from video.films import HEIGHT, WIDTH, film, moving, packets, sound_file, tags_of

import jaxdream as jd
from jaxdream.images.picture_files import is_own, read_recipe_text
from jaxdream.video.dreamer import Dreamer


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


def test_lanes_are_a_multiple_of_the_devices(two_scenes, monkeypatch):
    """Three devices share two scenes: the third lane is idle."""
    from jaxdream.cli import video
    from jaxdream.cli.video_engine import ThisMachine

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
        ThisMachine(Three()).make(empty, source, source.first().time, pytest.fail)
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
