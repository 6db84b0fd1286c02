from fractions import Fraction

import av
import numpy as np
import pytest
from video.films import exact, film, moving, packets, sound_file

from jaxdream import JaxdreamError
from jaxdream.video.reading import open_video
from jaxdream.video.sound import other_sound, own_sound
from jaxdream.video.writing import write_video

A_FRAME = 1 / 25
A_PACKET = 1024 / 48000


def copy(source, path, *, start=Fraction(0), end=None, codec="h264"):
    """Read a part of a video and write it with its sound; what was told."""
    said = []
    with open_video(source) as video:
        frames = (
            (frame.pixels, frame.time - start)
            for frame in video.frames(begin=start)
            if end is None or frame.time < end
        )
        sound = own_sound(video.info, start=start, end=end)
        length = None if end is None else end - start
        write_video(
            path, frames, like=video.info, sound=sound, end=length, codec=codec, notify=said.append
        )
    return said


def with_subtitles(path, codec, suffix):
    """A video, written into ``path``, of two sounds and subtitles at 0.2 s."""
    video = film(path.with_name(f"plain{suffix}"), moving(20), sounds=["aac", "aac"])
    with av.open(video) as source, av.open(path, "w") as out:
        streams = {each.index: out.add_stream_from_template(each) for each in source.streams}
        out.streams.audio[0].metadata.update(language="fra", title="Français")
        out.streams.audio[1].metadata.update(language="deu")
        texts = out.add_mux_stream(codec)
        texts.metadata["language"] = "eng"
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
        text = b"hello" if codec == "subrip" else b"\0\5hello"
        packet = av.Packet(text)
        packet.stream, packet.time_base = texts, Fraction(1, 1000)
        packet.pts = packet.dts = 200
        packet.duration = 300
        out.mux(packet)
    return path


@pytest.mark.parametrize("source", [".mp4", ".mkv", ".mov", ".ts"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_sound_is_copied_packet_by_packet(tmp_path, source, suffix):
    film(tmp_path / f"a{source}", moving(20), sounds=["aac", "aac"])
    path = tmp_path / f"b{suffix}"
    assert copy(tmp_path / f"a{source}", path) == []
    for number in (0, 1):
        before, after = (packets(each, number=number) for each in (tmp_path / f"a{source}", path))
        assert len(before) > 30
        if source != ".ts":  # each packet has a header there
            assert [each[1] for each in after] == [each[1] for each in before]
        assert len(after) == len(before)
        videos = [packets(each, "video") for each in (tmp_path / f"a{source}", path)]
        offsets = [
            sound[0][0] - min(time for time, _ in video)
            for sound, video in zip((before, after), videos, strict=True)
        ]
        assert offsets[0] == pytest.approx(offsets[1], abs=0.002)


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_part_of_a_video_has_its_part_of_the_sound(tmp_path, source, suffix):
    film(tmp_path / f"a{source}", moving(30), sounds=["aac"])
    start, end = Fraction(3, 10), Fraction(8, 10)
    copy(tmp_path / f"a{source}", tmp_path / f"b{suffix}", start=start, end=end)
    before = {name: time for time, name in packets(tmp_path / f"a{source}")}
    after = packets(tmp_path / f"b{suffix}")
    with open_video(tmp_path / f"a{source}") as a, open_video(tmp_path / f"b{suffix}") as b:
        begin = float(a.info.origin) + 0.32, float(b.info.origin)
        assert len(list(b.frames())) == 12
    # The first frame at or after the start is shown at 0.32 s; the new video begins at 0.3 s.
    for time, name in after:
        assert time - begin[1] == pytest.approx(before[name] - begin[0], abs=0.022)
    seconds = A_PACKET * len(after)
    assert float(end - start) - 2 * A_PACKET <= seconds <= float(end - start) + A_PACKET


@pytest.mark.parametrize(("codec", "suffix"), [("subrip", ".mkv"), ("mov_text", ".mp4")])
def test_subtitles_names_and_languages_are_kept(tmp_path, codec, suffix):
    source = with_subtitles(tmp_path / f"a{suffix}", codec, suffix)
    assert copy(source, tmp_path / f"b{suffix}") == []
    with av.open(tmp_path / f"b{suffix}") as container:
        languages = [stream.language for stream in container.streams.audio]
        assert languages == ["fra", "deu"]
        if suffix == ".mkv":
            assert container.streams.audio[0].metadata["title"] == "Français"
        (texts,) = container.streams.subtitles
        assert texts.language == "eng"
        shown = [packet for packet in container.demux(texts) if b"hello" in bytes(packet)]
        assert [float(each.pts * exact(each.time_base)) for each in shown] == [0.2]
    copy(source, tmp_path / f"c{suffix}", start=Fraction(32, 100))
    assert packets(tmp_path / f"c{suffix}", "subtitles")[0][0] == 0


@pytest.mark.parametrize(
    ("codec", "source", "suffix"),
    [("subrip", ".mkv", ".mp4"), ("mov_text", ".mp4", ".mkv")],
)
def test_subtitles_that_do_not_fit_are_left_out(tmp_path, codec, source, suffix):
    (line,) = copy(with_subtitles(tmp_path / f"a{source}", codec, source), tmp_path / f"b{suffix}")
    kind = suffix[1:].upper()
    assert line.endswith(f"a{source}: {kind} cannot hold its {codec} subtitles, which are left out")
    assert len(packets(tmp_path / f"b{suffix}", number=1)) > 30


@pytest.mark.parametrize(("codec", "suffix"), [("pcm_s16le", ".mov"), ("mp2", ".mkv")])
def test_sound_that_mp4_cannot_hold_is_encoded(tmp_path, codec, suffix):
    source = film(tmp_path / f"a{suffix}", moving(25), sounds=[codec])
    (line,) = copy(source, tmp_path / "b.mp4", start=Fraction(2, 10), end=Fraction(8, 10))
    assert "MP4 cannot hold its" in line
    assert line.endswith("sound, which is encoded as AAC")
    with av.open(tmp_path / "b.mp4") as container, av.open(source) as original:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.audio[0].language == "fra"
        sounds = [
            [
                (exact(f.time_base) * f.pts, f.to_ndarray(), f.sample_rate)
                for f in each.decode(audio=0)
            ]
            for each in (container, original)
        ]
    heard, sent = (wave(each) for each in sounds)
    assert len(heard) == pytest.approx(0.6 * sounds[0][0][2], abs=4096)
    assert heard.max() > 0.3
    if sounds[0][0][2] == sounds[1][0][2]:  # the same rate: the tone rises, so that time is heard
        rate = sounds[0][0][2]
        part = sent[int(0.4 * rate) : int(0.6 * rate)]
        scores = [
            np.corrcoef(part, heard[at : at + len(part)])[0, 1] for at in range(int(0.3 * rate))
        ]
        assert max(scores) > 0.9
        assert np.argmax(scores) / rate == pytest.approx(0.2, abs=0.005)
    assert copy(source, tmp_path / "b.mov" if suffix == ".mov" else tmp_path / "b.mkv") == []


def wave(sound):
    """The left channel, from the time 0 on, as numbers of -1..1."""
    rate, parts = sound[0][2], []
    for time, samples, _ in sound:
        one = samples[0] if samples.shape[0] > 1 else samples[0, ::2]
        scale = 32768 if one.dtype == np.int16 else 1
        parts.append(one[max(-round(time * rate), 0) :] / scale)
    first = max(round(sound[0][0] * rate), 0)
    return np.concatenate([np.zeros(first), *parts])


def test_the_sound_of_another_file_ends_with_the_video(tmp_path):
    other = sound_file(tmp_path / "sound.m4a", seconds=2)
    frames = [(frame, Fraction(i, 25)) for i, frame in enumerate(moving(20))]
    write_video(tmp_path / "b.mp4", frames, sound=other_sound(other))
    before, after = packets(other), packets(tmp_path / "b.mp4")
    assert [name for _, name in after] == [name for _, name in before][: len(after)]
    assert after[-1][0] + A_PACKET == pytest.approx(0.8, abs=A_PACKET)
    short = sound_file(tmp_path / "short.mp3", codec="libmp3lame", seconds=0.3)
    write_video(tmp_path / "b.mp4", frames, sound=other_sound(short))
    assert len(packets(tmp_path / "b.mp4")) == len(packets(short))


def test_files_without_sound_are_refused(tmp_path):
    plain = film(tmp_path / "a.mp4")
    for path, says in [
        (plain, "a.mp4 has no sound: name a file that has"),
        (tmp_path / "none.mp3", "no such file"),
    ]:
        with pytest.raises(JaxdreamError, match=says):
            other_sound(path)
    with open_video(plain) as video:
        assert own_sound(video.info) is None


def test_sound_is_read_as_the_video_goes_on(tmp_path):
    source = film(tmp_path / "a.mkv", moving(100), sounds=["aac"])
    seen = []
    with open_video(source) as video:

        def frames():
            for frame in video.frames():
                seen.append(frame.number)
                yield frame.pixels, frame.time

        sound = own_sound(video.info)
        write_video(tmp_path / "b.mkv", frames(), like=video.info, sound=sound)
    with av.open(tmp_path / "b.mkv") as container:
        order = [(packet.stream.type, packet.pts) for packet in container.demux() if packet.size]
    places = [place for place, (kind, _) in enumerate(order) if kind == "video"]
    assert places[0] < 10
    assert max(np.diff(places)) < 10
