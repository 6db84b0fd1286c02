"""Small videos for tests, written by PyAV itself."""

import hashlib
from fractions import Fraction

import av
import numpy as np

HEIGHT, WIDTH = 48, 64
TAGS = ("colorspace", "color_range", "color_primaries", "color_trc")


def moving(count, size=(HEIGHT, WIDTH)):
    """Frames of a smooth picture that drifts, uint8."""
    y, x = np.mgrid[: size[0], : size[1]]
    for i in range(count):
        frame = np.stack([3 * x + 9 * i, 4 * y, 128 + 60 * np.sin((x + y + 2 * i) / 9)], -1)
        yield frame.clip(0, 255).astype(np.uint8)


def bars():
    """Colour bars that are 16 pixels wide, uint8."""
    colours = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (191, 0, 191), (20, 60, 200)]
    row = np.repeat(np.array(colours, np.uint8), 16, axis=0)
    return np.repeat(row[None], HEIGHT, axis=0)


def film(
    path,
    frames=None,
    *,
    stamps=None,
    base=Fraction(1, 1000),
    codec="libx264",
    pix_fmt="yuv420p",
    tags=None,
    rotation=None,
    aspect=None,
    options=None,
    sounds=(),
):
    """Write a video; by default ten frames, 25 a second.

    Args:
        stamps: the frames' times in units of ``base``.
        tags: numbers of matrix, range, primaries and transfer function, as ``TAGS``; what
            ``frames`` holds is converted with the first two.
        sounds: codecs of streams of sound, which are as long as the video.
    """
    frames = list(moving(10) if frames is None else frames)
    stamps = [40 * i for i in range(len(frames))] if stamps is None else stamps
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "1", "g": "5"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = pix_fmt, base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for name, value in zip(TAGS, tags or (), strict=False):
            setattr(stream.codec_context, name, value)
        heard = [add_sound(container, each) for each in sounds]
        for pixels, stamp in zip(frames, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if tags:
                frame.colorspace = tags[0]
                frame = frame.reformat(format=pix_fmt, dst_color_range=tags[1])
                for name, value in zip(TAGS, tags, strict=True):
                    setattr(frame, name, value)
            frame.pts, frame.time_base = stamp, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for each in heard:
            write_sound(container, each, float(stamps[-1] * base) + 0.04)
    return path


def add_sound(container, codec):
    """A stream of sound of an open container."""
    stream = container.add_stream(codec, rate=8000 if codec.startswith("pcm") else 48000)
    stream.codec_context.layout = "stereo"
    stream.metadata["language"] = "fra"
    return stream


def write_sound(container, stream, seconds):
    """A tone, in frames of 1024 samples."""
    rate = stream.codec_context.sample_rate
    for begin in range(0, int(seconds * rate), 1024):
        t = np.arange(begin, begin + 1024) / rate
        wave = np.sin(2 * np.pi * (300 + 50 * t) * t) * 0.5
        samples = np.tile(wave.astype(np.float32), (2, 1))
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sound_file(path, codec="aac", seconds=0.4):
    """A file that only has sound."""
    with av.open(path, "w") as container:
        write_sound(container, add_sound(container, codec), seconds)
    return path


def packets(path, kind="audio", number=0):
    """Times in seconds and hashes of the packets of a stream."""
    with av.open(path) as container:
        stream = getattr(container.streams, kind)[number]
        return [
            (float(packet.pts * exact(packet.time_base)), hashlib.sha256(bytes(packet)).hexdigest())
            for packet in container.demux(stream)
            if packet.size
        ]


def tags_of(path):
    """Matrix, range, primaries and transfer function of a file's first frame."""
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        return tuple(int(getattr(frame, name)) for name in TAGS)


def exact(rate):
    """A rate as Python's fraction: from version 19 on, PyAV has a type of its own."""
    return Fraction(int(rate.numerator), int(rate.denominator))
