import resource
import sys
import weakref
from dataclasses import replace
from fractions import Fraction

import av
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from video.films import HEIGHT, WIDTH, bars, film, moving, tags_of

from jaxdream import JaxdreamError
from jaxdream.video.colours import Colour
from jaxdream.video.reading import open_video
from jaxdream.video.writing import CODECS, check_video_writable, write_video

STAMPS = [0, 33, 67, 100, 250, 251, 300, 640, 641, 1000]  # milliseconds
HOLDS = [("h264", ".mp4"), ("h264", ".mov"), ("h264", ".mkv"), ("h264", ".m4v"), ("hevc", ".mp4")]
HOLDS += [("prores", ".mov"), ("ffv1", ".mkv")]


def timed(frames, stamps=None):
    """Frames with times: 25 a second, or milliseconds."""
    for i, frame in enumerate(frames):
        yield frame, Fraction(i, 25) if stamps is None else Fraction(stamps[i], 1000)


def read(path):
    with open_video(path) as video:
        return video.info, list(video.frames())


@pytest.mark.parametrize(("codec", "suffix"), HOLDS)
def test_times_and_pixels_read_back(tmp_path, capfd, codec, suffix):
    path = tmp_path / f"b{suffix}"
    source, _ = read(film(tmp_path / "a.mp4", stamps=STAMPS))
    write_video(path, timed(moving(10), STAMPS), like=source, codec=codec, recipe='{"zoom": 0.05}')
    info, frames = read(path)
    assert [frame.time for frame in frames] == [Fraction(stamp, 1000) for stamp in STAMPS]
    for frame, sent in zip(frames, moving(10), strict=True):
        error = np.abs(frame.pixels.astype(int) - sent)
        assert error.max() == 0 if codec == "ffv1" else error.mean() < 4
    assert float(info.seconds) == pytest.approx(1 + 0.359, abs=0.002)
    with av.open(path) as container:
        kept = {name.lower(): value for name, value in container.metadata.items()}
        assert kept["comment"] == '{"zoom": 0.05}'
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.mp4", path.name]
    assert capfd.readouterr() == ("", "")


# ProRes only has the range of television.
@pytest.mark.parametrize(("codec", "full"), [("h264", False), ("h264", True), ("prores", False)])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_and_tags_are_those_of_the_source(tmp_path, codec, full, matrix):
    tags = (matrix, 2 if full else 1, matrix, matrix)
    options = {"qp": "0"}
    source = film(tmp_path / "a.mp4", [bars()] * 2, pix_fmt="yuv444p", tags=tags, options=options)
    assert tags_of(source) == tags
    info, frames = read(source)
    assert info.colour == Colour(matrix, full, matrix, matrix)
    assert info.colour.space == ("BT.709" if matrix == 1 else "BT.601")
    middle = np.s_[:, 8::16]
    np.testing.assert_allclose(frames[0].pixels[middle], bars()[middle], atol=3)
    path = tmp_path / ("b.mp4" if codec == "h264" else "b.mov")
    crf = 5 if codec == "h264" else None
    write_video(path, ((f.pixels, f.time) for f in frames), like=info, codec=codec, crf=crf)
    assert tags_of(path) == tags
    _, again = read(path)
    difference = again[0].pixels[middle].astype(int) - frames[0].pixels[middle]
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize(("codec", "suffix"), HOLDS[0:1] + HOLDS[-3:])
def test_the_same_frames_become_the_same_pixels(tmp_path, codec, suffix):
    written = set()
    for _ in range(8):
        write_video(tmp_path / f"a{suffix}", timed(moving(10)), codec=codec)
        _, frames = read(tmp_path / f"a{suffix}")
        written.add(b"".join(frame.pixels.tobytes() for frame in frames))
    assert len(written) == 1


@pytest.mark.parametrize(("size", "matrix"), [((480, 640), 6), ((576, 720), 5), ((720, 1280), 1)])
def test_colours_that_are_not_tagged_are_those_that_players_assume(tmp_path, size, matrix):
    source = film(tmp_path / "a.mp4", [np.zeros((*size, 3), np.uint8)], options={"crf": "30"})
    info, frames = read(source)
    assert (info.colour.matrix, info.colour.full) == (matrix, False)
    write_video(tmp_path / "b.mp4", ((f.pixels, f.time) for f in frames), like=info)
    assert tags_of(tmp_path / "b.mp4")[:2] == (matrix, 1)


def test_rotated_and_stretched_videos_keep_their_look(tmp_path):
    info, frames = read(film(tmp_path / "a.mp4", rotation=90, aspect=Fraction(4, 3)))
    for suffix in (".mp4", ".mkv"):
        path = tmp_path / f"b{suffix}"
        write_video(path, ((f.pixels, f.time) for f in frames), like=info)
        again, seen = read(path)
        assert (again.size, again.rotation) == ((WIDTH, HEIGHT), 0)
        assert again.pixel_aspect == info.pixel_aspect == Fraction(3, 4)
        assert np.abs(seen[3].pixels.astype(int) - frames[3].pixels).mean() < 4


@pytest.mark.parametrize(("codec", "suffix"), HOLDS)
def test_odd_sizes(tmp_path, codec, suffix):
    path = tmp_path / f"a{suffix}"
    sent = list(moving(3, (47, 63)))
    write_video(path, timed(sent), codec=codec)
    rows, columns = CODECS[codec].multiple
    info, frames = read(path)
    assert info.size == (47 + 47 % rows, 63 + 63 % columns)
    assert np.abs(frames[0].pixels[:47, :63].astype(int) - sent[0]).mean() < 4


def test_frames_of_any_kind_and_the_length_of_the_last(tmp_path):
    frame = next(moving(1))
    Image.fromarray(frame).save(tmp_path / "frame.png")
    sources = [frame, jnp.asarray(frame, jnp.float32), tmp_path / "frame.png"]
    for end, seconds in [(None, Fraction(3, 25)), (Fraction(1), 1)]:
        write_video(tmp_path / "a.mp4", timed(sources), end=end)
        info, frames = read(tmp_path / "a.mp4")
        assert len(frames) == 3
        assert info.seconds == seconds
    write_video(tmp_path / "a.mp4", timed([frame]))
    assert read(tmp_path / "a.mp4")[0].seconds == Fraction(1, 25)


def test_times_that_do_not_rise_are_made_to(tmp_path):
    times = [Fraction(each, 100) for each in (0, 4, 4, 2, 20)]
    write_video(tmp_path / "a.mp4", zip(moving(5), times, strict=True))
    seen = [frame.time for frame in read(tmp_path / "a.mp4")[1]]
    assert len(seen) == 5
    assert sorted(set(seen)) == seen
    assert (seen[1], seen[-1]) == (Fraction(4, 100), Fraction(20, 100))
    assert seen[3] < Fraction(41, 1000)


def test_frames_are_taken_one_at_a_time(tmp_path):
    alive = []

    def watched():
        for frame, time in timed(moving(80)):
            alive[:] = [each for each in alive if each() is not None]
            assert len(alive) <= 4
            alive.append(weakref.ref(frame))
            yield frame, time

    write_video(tmp_path / "a.mp4", watched())


def failing():
    yield next(moving(1)), Fraction(0)
    raise RuntimeError("half way")


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("ffv1", ".mkv")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, codec, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    other = [np.zeros((48, 48, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)]
    for frames, says in [
        (failing(), "cannot write .*: half way"),
        ([], "a video needs at least one frame"),
        (timed(other), "frame 2 is 64x48 pixels, the first is 48x48"),
        (timed([np.full((48, 48, 3), np.nan)]), "not finite"),
        (timed([np.zeros((4, 4), np.uint8)]), r"frame 1 must have the shape \(height, width, 3\)"),
        (timed([tmp_path / "none.png"]), "no such file"),
    ]:
        with pytest.raises(JaxdreamError, match=says) as error:
            write_video(path, frames, codec=codec)
        assert "\n" not in str(error.value)
        assert path.read_bytes() == b"old"
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with pytest.raises(JaxdreamError, match="a recipe must be ASCII"):
        write_video(path, timed(moving(1)), codec=codec, recipe="é")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_line(tmp_path, capfd, suffix):
    noise = np.random.default_rng(1).integers(0, 256, (20, 240, 320, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(JaxdreamError, match=f"cannot write .*a{suffix}: ") as error:
            write_video(tmp_path / f"a{suffix}", timed(noise), crf=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.webm", {}, "videos are written as .mp4, .mov, .mkv, .m4v, not '.webm'"),
        ("a", {}, "the name needs an ending"),
        ("a.mp4", {"codec": "prores"}, "a.mp4 cannot hold prores: name a .mov, or leave out --cod"),
        ("a.mov", {"codec": "ffv1"}, "a.mov cannot hold ffv1: name a .mkv"),
        ("a.mp4", {"codec": "vp9"}, "codec 'vp9': choose one of h264, hevc, prores, ffv1"),
        ("a.mp4", {"crf": 52}, "crf 52: h264 takes 0 to 51"),
        ("a.mp4", {"crf": -1}, "crf -1: h264 takes 0 to 51"),
        ("a.mov", {"codec": "prores", "crf": 5}, "crf 5: prores has no such setting: leave it out"),
        ("a.mp4", {"size": (10, 20000)}, "h264 takes sides of 1 to 16384 pixels, not 20000x10"),
        ("a.mp4", {"size": (10, 64), "codec": "hevc"}, "hevc takes sides of 32 to 8192 pixels"),
        ("no/a.mp4", {}, "there is no folder"),
        ("folder.mp4", {}, "is a folder"),
    ],
)
def test_impossible_files_are_refused_before_writing(tmp_path, name, options, says):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(JaxdreamError, match=says):
        check_video_writable(tmp_path / name, **options)
    assert [each.name for each in tmp_path.iterdir()] == ["folder.mp4"]


def test_without_pyav_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[video\]'"):
        check_video_writable(tmp_path / "a.mp4")


def test_strange_rates_and_time_bases_of_the_source_are_no_problem(tmp_path):
    info, _ = read(film(tmp_path / "a.mp4"))
    for fps, base in [(Fraction(30000, 1001), Fraction(1, 10**9)), (Fraction(1, 7), Fraction(7))]:
        write_video(
            tmp_path / "b.mp4", timed(moving(4)), like=replace(info, fps=fps, time_base=base)
        )
        assert [frame.time for frame in read(tmp_path / "b.mp4")[1]][-1] == Fraction(3, 25)
