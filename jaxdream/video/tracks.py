"""The streams of sound and subtitles in a file that is written."""

from typing import Any

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")
_BITS_A_CHANNEL = 96000  # a second, of AAC
_KEPT_METADATA = ("language", "title", "handler_name")


class CopiedTrack:
    """Packets as they are.

    Args:
        container: the file that is written.
        stream: where the packets come from.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(stream)
        _keep_metadata(stream, self._stream)

    def add(self, packet: Any, shift: int) -> None:
        """Write a packet, whose times are lowered by ``shift`` ticks of its time base."""
        stream = packet.stream
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        if stream.type == "subtitle" and packet.pts is not None and packet.pts < 0:
            packet.duration = max((packet.duration or 0) + packet.pts, 0)
            packet.pts = packet.dts = 0
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> None:
        """Nothing is held."""


class EncodedTrack:
    """Sound that is decoded, and encoded as AAC.

    Args:
        av: PyAV.
        container: the file that is written.
        stream: where the packets come from.
    """

    def __init__(self, av: Any, container: Any, stream: Any) -> None:
        self._container, source = container, stream.codec_context
        rate = next((each for each in _AAC_RATES if each <= source.sample_rate), _AAC_RATES[-1])
        layout = source.layout.name
        if layout not in _AAC_LAYOUTS:
            layout = "mono" if source.layout.nb_channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=rate)
        context = self._stream.codec_context
        context.layout = channels = av.AudioLayout(layout)
        context.bit_rate = _BITS_A_CHANNEL * channels.nb_channels
        _keep_metadata(stream, self._stream)
        self._resampler = av.AudioResampler("fltp", layout, rate, frame_size=1024)

    def add(self, packet: Any, shift: int) -> None:
        """Encode a packet, whose times are lowered by ``shift`` ticks of its time base."""
        try:
            frames = packet.decode()
        except Exception:  # a damaged packet is silent
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= shift
                if frame.pts < 0:
                    continue
            self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        """Encode the rest."""
        self._encode([*self._resampler.resample(None), None])

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            self._container.mux(self._stream.encode(frame))


def _keep_metadata(source: Any, target: Any) -> None:
    for name in _KEPT_METADATA:
        if name in source.metadata:
            target.metadata[name] = source.metadata[name]
    target.disposition = int(source.disposition)
