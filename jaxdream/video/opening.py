"""Opening videos, and what is known of one before its frames are read."""

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, open_regular, printable
from jaxdream.types import Size
from jaxdream.video.colours import Colour, frame_colour
from jaxdream.video.library import exact, video_library

MAX_VIDEO_BYTES = 1 << 50
# Formats that hold video or sound. FFmpeg also reads text as a video of letters, and playlists,
# which open other files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,mxf,rm,"
    "nut,dv,ivf,yuv4mpegpipe,h264,hevc,m4v,av1,obu,vc1,wav,w64,aiff,au,mp3,flac,aac,ac3,eac3,caf,"
    "wv,tta,ape,amr"
)
_PICTURES = (
    "png_pipe,jpeg_pipe,webp_pipe,webp,gif_pipe,bmp_pipe,tiff_pipe,jpegxl_pipe,jpegxl_anim,"
    "j2k_pipe,jpegls_pipe,exr_pipe,hdr_pipe,dpx_pipe,pam_pipe,ppm_pipe,pgm_pipe,pbm_pipe,pfm_pipe,"
    "qoi_pipe,psd_pipe,sgi_pipe,dds_pipe,pcx_pipe,image2"
)
# Pictures in a video's format: HEIC and AVIF.
_PICTURE_BRANDS = ("heic", "heix", "heim", "avif", "mif1")
_DEFAULT_FPS = Fraction(25)
_MAX_FPS = 1000


@dataclass(frozen=True)
class VideoInfo:
    """What a video's file says of it."""

    path: PathLike
    size: Size  # height and width as shown, after rotation, in stored pixels
    rotation: int  # degrees, counter-clockwise, that stored frames are turned by to be shown
    mirrored: bool  # whether stored frames are mirrored as well
    fps: Fraction  # frames a second, on average
    seconds: Fraction | None  # how long it is
    frames: int | None  # how many there are, more or less
    pixel_aspect: Fraction  # width of a pixel as shown, over its height
    colour: Colour
    bits: int  # of each stored number
    sounds: int  # streams
    subtitles: int  # streams
    origin: Fraction  # seconds on the file's clock at which the first frame is shown
    time_base: Fraction  # seconds: the file's timestamps are multiples of it


class Orientation:
    """How stored frames are turned and mirrored to be shown, by their display matrix.

    Args:
        matrix: FFmpeg's nine numbers, or None if there are none.
    """

    def __init__(self, matrix: tuple[int, ...] | None) -> None:
        across, down, left, up = 1, 0, 0, 1
        if matrix is not None:
            # A stored (x, y) is shown at (ax + cy, bx + dy).
            across, down, _, left, up = matrix[:5]
        self._swapped = abs(down) > abs(across)
        self._flips = (left < 0, down < 0) if self._swapped else (across < 0, up < 0)
        turned = -math.degrees(math.atan2(down, across))
        self.rotation = round(turned / 90) % 4 * 90
        self.mirrored = across * up - down * left < 0

    def size(self, stored: Size) -> Size:
        """Height and width as shown, from those stored."""
        return (stored[1], stored[0]) if self._swapped else stored

    def aspect(self, stored: Fraction) -> Fraction:
        """The pixel aspect as shown, from that stored."""
        return 1 / stored if self._swapped else stored

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels as they are shown, (h, w, 3)."""
        if self._swapped:
            pixels = pixels.swapaxes(0, 1)
        across, down = self._flips
        pixels = pixels[:: -1 if down else 1, :: -1 if across else 1]
        return np.ascontiguousarray(pixels)


@contextmanager
def open_container(path: PathLike) -> Iterator[Any]:
    """A file of video or sound, opened by PyAV.

    Raises:
        JaxdreamError: no PyAV, no regular file, or nothing that FFmpeg reads.
    """
    av = video_library(path)
    name = printable(path)
    with open_regular(path, limit=MAX_VIDEO_BYTES) as file:
        if not os.fstat(file.fileno()).st_size:
            raise JaxdreamError(f"{name} is an empty file: name a video")
    try:
        # An absolute name, because FFmpeg takes a name with a colon for an address.
        container = av.open(
            os.path.abspath(path),
            container_options={
                "format_whitelist": f"{_FORMATS},{_PICTURES}",
                "protocol_whitelist": "file",
            },
        )
    except Exception as error:  # PyAV has many types of them
        raise JaxdreamError(
            f"{name} is not a video that can be read, or not whole: name an MP4, a MOV or an MKV"
        ) from error
    try:
        with container:
            yield container
    finally:
        container.close()


def check_no_picture(path: PathLike, container: Any) -> None:
    """Make sure that an open file is not a picture.

    Raises:
        JaxdreamError: it is.
    """
    brand = str(container.metadata.get("major_brand", "")).strip()
    kind = container.format.name
    single = kind == "gif" and container.streams.video and container.streams.video[0].frames == 1
    if kind in _PICTURES.split(",") or brand in _PICTURE_BRANDS or single:
        raise JaxdreamError(f"{printable(path)} is a picture: use `jaxdream dream`")


def video_stream(path: PathLike, container: Any) -> Any:
    """The video in an open file; a cover is none.

    Raises:
        JaxdreamError: it has none, or one that cannot be decoded.
    """
    for stream in container.streams.video:
        if not is_cover(stream):
            if stream.codec_context is None:
                raise JaxdreamError(
                    f"{printable(path)}: this PyAV cannot decode its video: convert it to H.264"
                )
            return stream
    raise JaxdreamError(f"{printable(path)} has no video stream: name a video")


def is_cover(stream: Any) -> bool:
    """Whether a stream is a picture attached to the file."""
    return bool(int(stream.disposition) & 0x400)


def frame_orientation(frame: Any) -> Orientation:
    """How a decoded frame of PyAV's is turned to be shown."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation(None)
    return Orientation(tuple(int(number) for number in np.frombuffer(bytes(data), np.int32)))


def video_info(
    path: PathLike, container: Any, stream: Any, frame: Any, origin: Fraction
) -> VideoInfo:
    """What an open file says of its video.

    Args:
        frame: its first frame, as PyAV decoded it.
        origin: seconds on the file's clock at which that is shown.

    Raises:
        JaxdreamError: it has colours that cannot be converted.
    """
    orientation = frame_orientation(frame)
    fps = _fps(stream)
    time_base = exact(stream.time_base) or Fraction(1, 90000)
    seconds = _seconds(container, stream, time_base, origin)
    frames = stream.frames or (round(seconds * fps) if seconds else None)
    aspect = exact(stream.sample_aspect_ratio) or Fraction(1)
    return VideoInfo(
        path=path,
        size=orientation.size((frame.height, frame.width)),
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        fps=fps,
        seconds=seconds,
        frames=frames,
        pixel_aspect=orientation.aspect(aspect if aspect > 0 else Fraction(1)),
        colour=frame_colour(path, frame),
        bits=max(component.bits for component in frame.format.components),
        sounds=len(container.streams.audio),
        subtitles=len(container.streams.subtitles),
        origin=origin,
        time_base=time_base,
    )


def _seconds(container: Any, stream: Any, time_base: Fraction, origin: Fraction) -> Fraction | None:
    if stream.duration and stream.duration > 0:
        return stream.duration * time_base
    # MKV has the time of its end: 00:01:02.345000000
    end = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))
    if end:
        hours, minutes, seconds = map(Fraction, end.groups())
        if (length := 3600 * hours + 60 * minutes + seconds - origin) > 0:
            return length
    if container.duration and container.duration > 0:
        return Fraction(container.duration, 10**6)
    return None


def _fps(stream: Any) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        fps = exact(rate)
        if fps is not None and 0 < fps <= _MAX_FPS:
            return fps
    return _DEFAULT_FPS
