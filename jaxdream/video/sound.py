"""Sound and subtitles of a video, copied beside new frames packet by packet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable, reason
from jaxdream.video.library import exact
from jaxdream.video.opening import VideoInfo, open_container
from jaxdream.video.tracks import CopiedTrack, EncodedTrack

# What players take in these formats; FFmpeg writes more. MKV holds whatever FFmpeg writes.
_SOUND = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le"}
    | {"pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_u8", "pcm_s8"},
}
_SUBTITLES = {"mp4": {"mov_text"}, "mov": {"mov_text"}}
_NAMES = {"mp4": "MP4", "mov": "MOV", "matroska": "MKV"}
_KINDS = {"audio": "sounds", "subtitle": "subtitles"}
# Coded sound begins with packets that only prepare the decoder, up to this long before the video.
_LEAD = Fraction(1, 4)  # seconds


@dataclass(frozen=True)
class Sound:
    """The sound of a video; ``own_sound`` and ``other_sound`` make it."""

    path: PathLike
    origin: Fraction | None  # seconds on the file's clock at which the video begins; None: first
    end: Fraction | None  # seconds from there at which the sound ends; None: with the file
    all_streams: bool  # and subtitles; else the first of sound, which ends with the video
    lead: bool  # whether packets shortly before the video's beginning belong to it


def own_sound(
    info: VideoInfo, *, start: Fraction = Fraction(0), end: Fraction | None = None
) -> Sound | None:
    """All sound and all subtitles of a video itself; None if there are none.

    Args:
        start: seconds of the video, as ``VideoFrame.time``, at which the new one begins.
        end: seconds of the video at which the new one ends; None is the file's end.
    """
    if not info.sounds and not info.subtitles:
        return None
    length = None if end is None else end - start
    return Sound(info.path, info.origin + start, length, True, start == 0)


def other_sound(path: PathLike) -> Sound:
    """The first sound of another file, from its beginning to the end of the video.

    Raises:
        JaxdreamError: the file cannot be read, or has no sound.
    """
    with open_container(path) as container:
        if not container.streams.audio:
            raise JaxdreamError(f"{printable(path)} has no sound: name a file that has")
    return Sound(path, None, None, False, True)


class SoundCopier:
    """Copies sound and subtitles into an open file; its streams are added when it is made.

    Args:
        av: PyAV.
        container: the file that is written, which has its video stream already.
        sound: what is copied.
        notify: is called with a line on what could not be kept as it is.

    Raises:
        JaxdreamError: the sound cannot be read.
    """

    def __init__(
        self,
        av: Any,
        container: Any,
        sound: Sound,
        *,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._av, self._container, self._sound, self._notify = av, container, sound, notify
        self._stack = ExitStack()
        self._source = self._stack.enter_context(open_container(sound.path))
        streams = [*self._source.streams.audio]
        if sound.all_streams:
            streams += self._source.streams.subtitles
        else:
            del streams[1:]
        self._tracks: dict[int, CopiedTrack | EncodedTrack] = {}
        for stream in streams:
            track = self._track(stream)
            if track is not None:
                self._tracks[stream.index] = track
        self._origin = sound.origin
        self._packets = self._demux()
        self._held: tuple[Any, Fraction] | None = None  # read, but not yet due

    def copy(self, *, until: Fraction | None) -> None:
        """Copy sound and subtitles up to a second of the new video; None copies all of them."""
        while True:
            if self._held is None:
                self._held = next(self._packets, None)
            if self._held is None or (until is not None and self._held[1] >= until):
                return
            packet, time = self._held
            self._held = None
            self._add(packet, time)

    def finish(self, end: Fraction) -> None:
        """Copy the rest.

        Args:
            end: seconds at which the new video ends. Sound of its own can last longer.
        """
        whole = self._sound.all_streams and self._sound.end is None
        self.copy(until=None if whole else self._sound.end or end)
        for track in self._tracks.values():
            track.finish()

    def close(self) -> None:
        """Close the file that the sound comes from."""
        self._stack.close()

    def _demux(self) -> Iterator[tuple[Any, Fraction]]:
        """The packets that are copied, with their times in the new video."""
        packets = self._source.demux(
            *(stream for stream in self._source.streams if stream.index in self._tracks)
        )
        while self._tracks:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception as error:  # PyAV has many types of them
                self._tell(f"ends early: {reason(error)}")
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            # The last packet of each stream has no content. Others without a time are broken.
            if not packet.size or stamp is None:
                continue
            base = exact(packet.time_base) or Fraction(1)
            if self._origin is None:
                self._origin = max(stamp * base, Fraction(0))
            yield packet, stamp * base - self._origin

    def _add(self, packet: Any, time: Fraction) -> None:
        base = exact(packet.time_base) or Fraction(1)
        length = (packet.duration or 0) * base
        end = self._sound.end
        if end is not None and time >= end:
            return
        # A subtitle can have appeared before, and still be there.
        shown = packet.stream.type == "subtitle" and time + length > 0
        if not shown and time < (-_LEAD if self._sound.lead else 0):
            return
        self._tracks[packet.stream.index].add(packet, round((self._origin or 0) / base))

    def _track(self, stream: Any) -> CopiedTrack | EncodedTrack | None:
        kind = self._container.format.name
        codec = stream.codec_context.codec if stream.codec_context else None
        names = {codec.canonical_name, codec.name} if codec else set()
        table = _SOUND if stream.type == "audio" else _SUBTITLES
        held: set[str] = table.get(kind) or self._container.supported_codecs
        if names & held:
            return CopiedTrack(self._container, stream)
        what = f"{_NAMES[kind]} cannot hold its {codec.canonical_name if codec else 'unknown'}"
        if stream.type == "audio" and codec:
            self._tell(f"{what} sound, which is encoded as AAC")
            return EncodedTrack(self._av, self._container, stream)
        self._tell(f"{what} {_KINDS[stream.type]}, which are left out")
        return None

    def _tell(self, line: str) -> None:
        if self._notify is not None:
            self._notify(f"{printable(self._sound.path)}: {line}")
