import os
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from video.films import HEIGHT, WIDTH, film, moving, sound_file

from jaxdream import JaxdreamError
from jaxdream.video import colours
from jaxdream.video.reading import open_video

STAMPS = [0, 33, 67, 100, 250, 251, 300, 640, 641, 1000]  # milliseconds


def read(path, **options):
    """What is known of a video, its frames, and what was told."""
    said = []
    with open_video(path, notify=said.append) as video:
        return video.info, list(video.frames(**options)), said


def differences(frames, wanted):
    return [
        np.abs(frame.pixels.astype(int) - pixels).mean()
        for frame, pixels in zip(frames, wanted, strict=True)
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
def test_frames_come_in_order_with_their_times(tmp_path, suffix):
    codec = "mjpeg" if suffix == ".avi" else "libx264"
    path = film(
        tmp_path / f"a{suffix}",
        codec=codec,
        pix_fmt="yuvj420p" if suffix == ".avi" else "yuv420p",
        base=Fraction(1, 25) if suffix == ".avi" else Fraction(1, 1000),
        stamps=range(10) if suffix == ".avi" else None,
    )
    info, frames, said = read(path)
    assert (info.size, info.fps, info.rotation, info.bits) == ((HEIGHT, WIDTH), 25, 0, 8)
    assert info.frames in (10, None)
    assert [frame.number for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(10)]
    assert max(differences(frames, moving(10))) < 6
    assert not any(frame.repeated for frame in frames)
    assert said == []


def test_variable_rates_keep_each_time(tmp_path):
    _, frames, _ = read(film(tmp_path / "a.mp4", stamps=STAMPS))
    assert [frame.time for frame in frames] == [Fraction(stamp, 1000) for stamp in STAMPS]


def test_a_gif_is_a_video_if_it_moves(tmp_path):
    first, *rest = map(Image.fromarray, moving(3))
    path = tmp_path / "a.gif"
    first.save(path, save_all=True, append_images=rest, duration=[100, 50, 200])
    _, frames, _ = read(path)
    assert [frame.time for frame in frames] == [0, Fraction(1, 10), Fraction(3, 20)]
    first.save(path)
    with pytest.raises(JaxdreamError, match="is a picture: use `jaxdream dream`"), open_video(path):
        pass


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv420p", "yuva420p", "bgra", "bgr0", "gray"])
def test_other_pixel_formats_and_odd_sizes(tmp_path, pix_fmt):
    size = (47, 63)
    sent = list(moving(3, size))
    if pix_fmt == "gray":
        sent = [frame[..., :1].repeat(3, -1) for frame in sent]
    path = film(tmp_path / "a.mkv", sent, codec="ffv1", pix_fmt=pix_fmt)
    info, frames, _ = read(path)
    assert info.size == size
    assert info.bits == (10 if "10" in pix_fmt else 8)
    assert max(differences(frames, sent)) < 3


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_videos_are_read_upright(tmp_path, rotation):
    path = film(tmp_path / "a.mp4", rotation=rotation, aspect=Fraction(2, 1))
    info, frames, _ = read(path)
    upright = [np.rot90(pixels, rotation // 90) for pixels in moving(10)]
    assert info.rotation == rotation
    assert info.size == upright[0].shape[:2]
    assert info.pixel_aspect == (2 if rotation == 180 else Fraction(1, 2))
    assert max(differences(frames, upright)) < 4


def test_a_mirrored_video_is_read_as_it_is_shown(tmp_path):
    path = tmp_path / "a.mp4"
    film(path, rotation=90)
    data = path.read_bytes()
    matrix = [0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30]
    mirrored = [0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30]
    stored = [
        b"".join(each.to_bytes(4, "big", signed=True) for each in m) for m in (matrix, mirrored)
    ]
    at = data.index(b"tkhd")
    header = data[at : at + 92]
    found = header.index(stored[0][:16])
    new = header[:found] + stored[1][:16] + header[found + 16 :]
    path.write_bytes(data.replace(header, new))
    info, frames, _ = read(path)
    assert info.mirrored
    assert max(differences(frames, (pixels.swapaxes(0, 1) for pixels in moving(10)))) < 4


@pytest.mark.parametrize(
    "begin", [Fraction(1, 1000), Fraction(67, 1000), Fraction(3, 10), Fraction(9, 1)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_reading_from_a_time_on_gives_the_same_frames(tmp_path, suffix, begin):
    path = film(tmp_path / f"a{suffix}", options={"g": "3", "bf": "2", "x264-params": "open-gop=1"})
    with open_video(path) as video:
        whole = [frame for frame in video.frames() if frame.time >= begin]
        part = list(video.frames(begin=begin, number=7))
    assert [frame.number for frame in part] == list(range(7, 7 + len(whole)))
    for frame, wanted in zip(part, whole, strict=True):
        assert frame.time == wanted.time
        np.testing.assert_array_equal(frame.pixels, wanted.pixels)


def test_two_readings_of_one_video_take_turns(tmp_path):
    with open_video(film(tmp_path / "a.mp4")) as video:
        pairs = list(zip(video.frames(), video.frames(), strict=True))
    assert len(pairs) == 10
    assert all((a.pixels == b.pixels).all() for a, b in pairs)


def test_only_frames_that_are_asked_for_are_converted(tmp_path, monkeypatch):
    converted = []
    to_rgb = colours.Converter.to_rgb

    def counting(self, frame, size):
        converted.append(frame.pts)
        return to_rgb(self, frame, size)

    monkeypatch.setattr(colours.Converter, "to_rgb", counting)
    with open_video(film(tmp_path / "a.mp4", moving(40))) as video:
        frames = video.frames(begin=Fraction(1))
        next(frames)
        next(frames)
        frames.close()
    assert len(converted) == 2


def damage(path, share, count=60):
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + int(share * (len(data) - data.index(b"mdat")))
    data[begin : begin + count] = np.random.default_rng(1).bytes(count)
    path.write_bytes(data)


def test_a_damaged_frame_repeats_the_one_before(tmp_path, capfd):
    path = film(tmp_path / "a.mp4", moving(40), options={"crf": "1", "g": "10"})
    damage(path, 0.4)
    _, frames, said = read(path)
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(40)]
    bad = [frame.number for frame in frames if frame.repeated]
    assert len(bad) >= 1
    for number in bad:
        np.testing.assert_array_equal(frames[number].pixels, frames[number - 1].pixels)
    (line,) = said
    assert "damaged frame" in line
    assert f"at {bad[0] / 25:.2f} s" in line
    assert "before" in line
    assert max(differences(frames[:8], moving(8))) < 4
    assert capfd.readouterr() == ("", "")


def test_seeking_into_a_damaged_place_gives_the_same_frames(tmp_path):
    path = film(tmp_path / "a.mp4", moving(40), options={"crf": "1", "g": "10"})
    for share in (0.3, 0.4, 0.5):
        damage(path, share)
    with open_video(path) as video:
        whole = list(video.frames())
        for first in range(40):
            part = list(video.frames(begin=whole[first].time, number=first))
            assert [(f.number, f.time, f.repeated) for f in part] == [
                (f.number, f.time, f.repeated) for f in whole[first:]
            ]
            np.testing.assert_array_equal(part[0].pixels, whole[first].pixels)


def test_a_file_that_was_cut_off_gives_the_frames_there_are(tmp_path, capfd):
    frames = np.random.default_rng(1).integers(0, 256, (60, HEIGHT, WIDTH, 3), np.uint8)
    for suffix, options in [(".mkv", {}), (".mp4", {"movflags": "+faststart"})]:
        whole = tmp_path / f"a{suffix}"
        film(whole, frames, options={"crf": "10", "g": "10"})
        if options:
            with av.open(whole) as source, av.open(tmp_path / "b.mp4", "w", options=options) as out:
                stream = out.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        out.mux(packet)
            whole = tmp_path / "b.mp4"
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        _, seen, said = read(whole)
        assert 15 < len(seen) < 45
        assert [frame.time for frame in seen] == [Fraction(i, 25) for i in range(len(seen))]
        assert not any(frame.repeated for frame in seen)
        (line,) = said
        assert "ends early" in line
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("number", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path, number, name):
    path = film(tmp_path / "a.mp4", pix_fmt="yuv420p10le", tags=(9, 1, 9, number))
    with pytest.raises(JaxdreamError, match=rf"a.mp4 is HDR \({name}\): convert it to SDR first"):
        read(path)


def test_bad_inputs_are_one_line_each(tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "text.txt").write_text("no video\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:5,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    sound_file(tmp_path / "sound.m4a")
    for suffix in (".png", ".jpg", ".webp"):
        Image.fromarray(next(moving(1))).save(tmp_path / f"picture{suffix}")
    broken = film(tmp_path / "broken.mp4")
    data = broken.read_bytes()
    at = data.index(b"mdat") + 4
    broken.write_bytes(
        data[:at] + b"\0" * (data.index(b"moov") - 4 - at) + data[data.index(b"moov") - 4 :]
    )
    for name, says in [
        ("none.mp4", "no such file"),
        ("text.mp4", "is not a video that can be read"),
        ("text.txt", "is not a video that can be read"),
        ("list.m3u8", "is not a video that can be read"),
        ("empty.mp4", "is an empty file"),
        ("folder.mp4", "is a folder"),
        ("pipe.mp4", "is a pipe"),
        ("sound.m4a", "has no video stream"),
        ("picture.png", "is a picture: use `jaxdream dream`"),
        ("picture.jpg", "is a picture"),
        ("picture.webp", "is a picture"),
        ("broken.mp4", "has no frame that can be decoded"),
    ]:
        with pytest.raises(JaxdreamError, match=says) as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)
        assert name in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_without_pyav_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(JaxdreamError, match=r"a.mp4: video needs PyAV: pip install 'jaxdream\[v"):
        read(tmp_path / "a.mp4")
