"""What videos are written with: codecs, and which files hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable
from jaxdream.files.writing import check_place
from jaxdream.video.library import video_library

DEFAULT_CODEC = "h264"

# FFmpeg's names of the formats.
_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".m4v": "mp4"}
VIDEO_SUFFIXES = tuple(_FORMATS)


@dataclass(frozen=True)
class Codec:
    """A way to store the frames of a video."""

    encoder: str  # as FFmpeg names it
    pixel_format: str  # as FFmpeg names it
    suffixes: tuple[str, ...]
    crf: int | None = None  # the usual one, 0 is the best; None if it has no such setting
    multiple: tuple[int, int] = (1, 1)  # height and width are multiples of it, in pixels
    sides: tuple[int, int] = (1, 16384)  # the shortest and the longest side, in pixels
    limited: bool = False  # whether it only has the range of television
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def rgb(self) -> bool:
        """Whether it stores RGB itself."""
        return self.pixel_format == "bgr0"


MAX_CRF = 51
CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        "libx264",
        "yuv420p",
        VIDEO_SUFFIXES,
        crf=17,
        multiple=(2, 2),
        # Without it, processors with AVX-512 encode otherwise from one run to the next.
        options={"x264-params": "cpu-independent=1"},
    ),
    "hevc": Codec(
        "libx265",
        "yuv420p",
        VIDEO_SUFFIXES,
        crf=20,
        multiple=(2, 2),
        sides=(32, 8192),
        options={"x265-params": "log-level=none"},  # it writes past FFmpeg's log
    ),
    "prores": Codec(
        "prores_ks",
        "yuv422p10le",
        (".mov",),
        multiple=(1, 2),
        limited=True,
        options={"profile": "hq", "vendor": "apl0"},
    ),
    "ffv1": Codec("ffv1", "bgr0", (".mkv",), options={"level": "3", "slicecrc": "1"}),
}


def described_codecs() -> str:
    """The names of the codecs, with the ending of those that only one kind of file holds."""
    return ", ".join(
        f"{name} ({codec.suffixes[0]})" if len(codec.suffixes) == 1 else name
        for name, codec in CODECS.items()
    )


def video_codec(path: PathLike, codec: str, crf: int | None = None) -> Codec:
    """The codec of a name, for a file.

    Args:
        crf: how much is lost, from 0 (nothing that is seen) to 51; None is the codec's own.

    Raises:
        JaxdreamError: there is no such codec, the file cannot hold it, or it has no such crf.
    """
    name, suffix = printable(path), Path(path).suffix.lower()
    known = f"videos are written as {', '.join(VIDEO_SUFFIXES)}"
    if not suffix:
        raise JaxdreamError(f"{name}: the name needs an ending: {known}")
    if suffix not in VIDEO_SUFFIXES:
        raise JaxdreamError(f"{name}: {known}, not {printable(suffix)!r}")
    if codec not in CODECS:
        raise JaxdreamError(f"codec {printable(codec)!r}: choose one of {', '.join(CODECS)}")
    chosen = CODECS[codec]
    if suffix not in chosen.suffixes:
        raise JaxdreamError(
            f"{name} cannot hold {codec}: name a {' or '.join(chosen.suffixes)}, or leave out "
            "--codec"
        )
    if crf is not None:
        if chosen.crf is None:
            raise JaxdreamError(f"crf {crf}: {codec} has no such setting: leave it out")
        if not 0 <= crf <= MAX_CRF:
            raise JaxdreamError(f"crf {crf}: {codec} takes 0 to {MAX_CRF}")
    return chosen


def container_format(path: PathLike) -> str:
    """FFmpeg's name of the format that the ending of a name means, which ``video_codec`` knows."""
    return _FORMATS[Path(path).suffix.lower()]


def check_video_writable(
    path: PathLike,
    *,
    codec: str = DEFAULT_CODEC,
    crf: int | None = None,
    size: tuple[int, int] | None = None,
) -> None:
    """Make sure that a video can be written here, before hours of computing.

    Args:
        codec: a name in ``CODECS``.
        crf: as ``video_codec``.
        size: height and width of its frames in pixels, if already known.

    Raises:
        JaxdreamError: as ``video_codec``; frames that are too small or too large for the codec; no
            PyAV, or one without the encoder; no such folder, or no permission to write there.
    """
    chosen = video_codec(path, codec, crf)
    if chosen.encoder not in video_library(path).codecs_available:
        raise JaxdreamError(
            f"{printable(path)}: this PyAV has no {chosen.encoder}: choose another codec"
        )
    shortest, longest = chosen.sides
    if size is not None and not (shortest <= min(size) and max(size) <= longest):
        raise JaxdreamError(
            f"{printable(path)}: {codec} takes sides of {shortest} to {longest} pixels, not "
            f"{size[1]}x{size[0]}"
        )
    check_place(path)
