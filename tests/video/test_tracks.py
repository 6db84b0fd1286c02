"""Sound and subtitles that are written: times, rates and layouts that AAC has."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from jaxdream.video.tracks import CopiedTrack, EncodedTrack


class Container:
    """Keeps the packets that are written."""

    def __init__(self):
        self.written = []

    def add_stream_from_template(self, stream):
        return SimpleNamespace(metadata={}, type=stream.type)

    def mux(self, packet):
        self.written.append((packet.pts, packet.dts, packet.duration))


def source(kind, **metadata):
    return SimpleNamespace(type=kind, metadata=metadata, disposition=1)


def copied(kind, packets, shift):
    container, stream = Container(), source(kind)
    track = CopiedTrack(container, stream)
    for pts, dts, duration in packets:
        track.add(SimpleNamespace(stream=stream, pts=pts, dts=dts, duration=duration), shift)
    track.finish()
    return container.written


def test_times_are_lowered_and_unknown_ones_stay_unknown():
    packets = [(50, 40, 10), (None, None, 10), (60, None, None)]
    assert copied("audio", packets, 45) == [(5, -5, 10), (None, None, 10), (15, None, None)]


def test_a_subtitle_that_begins_before_the_film_is_shown_for_the_rest_of_its_time():
    packets = [(100, 100, 500), (100, 100, 150), (400, 400, 50), (100, 100, None)]
    assert copied("subtitle", packets, 300) == [(0, 0, 300), (0, 0, 0), (100, 100, 50), (0, 0, 0)]


def test_language_and_title_are_kept_and_nothing_else():
    metadata = {"language": "fra", "title": "Français", "encoder": "x", "handler_name": "sound"}
    track = CopiedTrack(Container(), source("audio", **metadata))
    assert track._stream.metadata == {k: v for k, v in metadata.items() if k != "encoder"}
    assert track._stream.disposition == 1


@pytest.mark.parametrize(
    ("rate", "layout", "expected"),
    [
        (48000, "stereo", (48000, "stereo")),
        (192000, "5.1", (96000, "5.1")),
        (44000, "mono", (32000, "mono")),
        (4000, "mono", (8000, "mono")),
        (48000, "quad", (48000, "stereo")),
    ],
)
def test_sound_is_encoded_at_a_rate_and_in_a_layout_that_aac_has(tmp_path, rate, layout, expected):
    stream = source("audio", language="fra")
    stream.codec_context = SimpleNamespace(sample_rate=rate, layout=av.AudioLayout(layout))
    with av.open(tmp_path / "a.mp4", "w") as container:
        track = EncodedTrack(av, container, stream)
        context = track._stream.codec_context
        assert (context.sample_rate, context.layout.name) == expected
        assert context.bit_rate == 96000 * context.layout.nb_channels
        assert track._stream.metadata["language"] == "fra"
        _silence(track, rate, layout)
    with av.open(tmp_path / "a.mp4") as written:
        (sound,) = written.streams.audio
        assert sound.codec_context.name == "aac"
        assert sum(packet.size > 0 for packet in written.demux(sound)) > 0


def _silence(track, rate, layout):
    """A packet of a tenth of a second of silence, which begins a little before the film."""
    frames = []
    for pts in (-rate // 10, 0):
        frame = av.AudioFrame(format="fltp", layout=layout, samples=rate // 10)
        frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frames.append(frame)
    track.add(SimpleNamespace(decode=lambda: frames), 0)

    def damaged():
        raise ValueError("damaged")

    track.add(SimpleNamespace(decode=damaged), 0)  # is silent
    track.finish()
