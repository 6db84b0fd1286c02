"""Odd videos, and odd things that are asked of a good one."""

import io
from random import Random

import av
import numpy as np

from attack.case import SMALL, Case, Place
from attack.mutation import damaged
from attack.pictures import picture

_CODECS = {"mp4": "libx264", "mkv": "ffv1", "mov": "mpeg4", "avi": "mjpeg"}
_FORMATS = {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "avi": "avi"}
_OUTPUTS = ("new.mp4", "new.mkv", "new.mov", "new.gif", "new.webp", "frames", "new.txt", "")
_ASKED = (
    [], ["--every", "2"], ["--start", "0.1"], ["--end", "0.1"], ["--max-frames", "2"],
    ["--cuts", "1,2"], ["--boil"], ["--codec", "ffv1"], ["--codec", "prores"], ["--crf", "40"],
    ["--no-sound"], ["--preview"], ["--plan"], ["--keep-frames"], ["--start", "9"],
    ["--curve", "step_size: 0 0.5, 50% 2"], ["--curve", "strength: t"],
    ["--curve", "objective: 0 conv1/7x7_s2, 2 conv2/3x3"], ["--mask", "mask.png"],
)  # fmt: skip


def film(random: Random, suffix: str) -> bytes:
    """A film of a few small frames, with timestamps that are not always even."""
    width, height = (random.choice((2, 16, 34, 64)) for _ in range(2))
    file = io.BytesIO()
    pixels = random.choice(("yuv420p", "yuv444p")) if suffix == "mp4" else None
    pixels = pixels or {"mkv": "bgr0", "mov": "yuv420p", "avi": "yuvj420p"}[suffix]
    with av.open(file, "w", format=_FORMATS[suffix]) as container:
        stream = container.add_stream(_CODECS[suffix], rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for number in range(random.randrange(1, 8)):
            noise = np.frombuffer(random.randbytes(width * height * 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise.reshape(height, width, 3), format="rgb24")
            frame.pts = 2 * number + (suffix != "avi" and random.randrange(2))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def odd_video(place: Place) -> Case:
    """A damaged video, or a good one with odd options, or a mask that is one."""
    random = place.random
    suffix = random.choice(tuple(_CODECS))
    content = film(random, suffix)
    if random.random() < 0.6:
        content = damaged(content, random)
    name = f"odd.{suffix if random.random() < 0.9 else 'png'}"
    (place.work / name).write_bytes(content)
    (place.work / "good.mp4").write_bytes(film(Random(1), "mp4"))
    (place.work / "mask.png").write_bytes(picture(random, "png"))
    asked = [word for options in random.sample(_ASKED, 2) for word in options]
    if random.random() < 0.2:
        asked += [random.choice(("--mask", "--sound")), name]
        name = "good.mp4"
    return Case(["video", name, "-o", random.choice(_OUTPUTS), *asked, *SMALL])
