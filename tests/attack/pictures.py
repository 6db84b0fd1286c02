"""Odd pictures, and odd things in the place of pictures."""

import io
import os
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms

from attack.case import QUICK, SMALL, Case, Place
from attack.mutation import damaged

_MODES = {
    "png": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"), "jpg": ("RGB", "L", "CMYK"),
    "webp": ("RGB", "RGBA"), "tif": ("RGB", "RGBA", "L", "CMYK", "I;16", "F", "1"),
    "gif": ("P", "L"), "bmp": ("RGB", "L", "1"),
}  # fmt: skip
_NAMES = (
    "a b.{0}", "-x.{0}", "--steps.{0}", "@x.{0}", "na\u00efve.{0}", "a\nb.{0}", "\x1b]0;x\x07.{0}",
    "*.{0}", "{0}", ".{0}", "\u202egnp.{0}", "x" * 200 + ".{0}", "x" * 250 + ".{0}",
)  # fmt: skip


def picture(random: Random, suffix: str) -> bytes:
    """A small picture in one of the modes of a format, with some metadata."""
    side = random.choice((1, 2, 17, 40, 64)), random.choice((1, 2, 17, 40, 64))
    noise = np.frombuffer(random.randbytes(side[0] * side[1] * 4), np.uint8)
    image = Image.fromarray(noise.reshape(side[1], side[0], 4)).convert("RGB")
    mode = random.choice(_MODES[suffix])
    if mode == "I;16":
        image = Image.fromarray(noise[: side[0] * side[1] * 2].view("<u2").reshape(side[::-1]))
    elif mode != "RGB":
        image = image.convert(mode)
    options = {}
    if random.random() < 0.3 and suffix in ("png", "jpg", "webp"):
        exif = Image.Exif()
        exif[0x0112] = random.choice((0, 1, 3, 5, 6, 8, 9, 255))
        options["exif"] = exif
    if random.random() < 0.2 and suffix in ("png", "jpg", "tif"):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        options["icc_profile"] = damaged(profile, random) if random.random() < 0.5 else profile
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return file.getvalue()


def odd_picture(place: Place) -> Case:
    """A damaged picture, or something else that has its name, read by any of the commands."""
    random = place.random
    suffix = random.choice(tuple(_MODES))
    name = f"odd.{suffix}" if random.random() < 0.7 else random.choice(_NAMES).format(suffix)
    path = place.work / name
    kind = random.randrange(12)
    if kind == 0:
        _put_other_thing(path, place)
    elif kind == 1:
        _link(path, place)
    else:
        content = picture(random, suffix)
        if kind < 9:
            content = damaged(content, random)
        if kind == 2:
            content += random.randbytes(1000)
        try:
            path.write_bytes(content)
        except (OSError, ValueError):
            return Case(["dream", name, *SMALL])
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    return Case(_command(random, name), codes=(0, 2, 3))


def _command(random: Random, name: str) -> list[str]:
    given = name if name.startswith("@") or not name.startswith("-") else f"./{name}"
    kind = random.randrange(8)
    if kind == 0:
        return ["batch", ".", "-o", "out", *SMALL]
    if kind == 1:
        option = random.choice(("--guide", "--mask"))
        return ["dream", "good.png", option, given, "-o", "new.png", *SMALL]
    if kind == 2:
        return ["zoom", given, "-o", "frames", "--frames", "2", *SMALL]
    if kind == 3:
        return ["replay", given, "good.png", "-o", "new.png"]
    if kind == 4:
        quick = ["--steps", "1", "--no-transforms", "--model", "googlenet_mini", "--size", "32x32"]
        return ["visualize", "--layer", "conv1/7x7_s2", "--from", given, "-o", "new.png", *quick]
    if kind == 5:
        return ["dream", given, "good.png", "-o", "out", *SMALL]
    return ["dream", given, "-o", f"new.{random.choice(('png', 'jpg', 'gif'))}", *QUICK]


def _put_other_thing(path: Path, place: Place) -> None:
    kind = place.random.randrange(5)
    try:
        if kind == 0:
            os.mkfifo(path)
        elif kind == 1:
            path.mkdir()
        elif kind == 2:
            path.touch()
        elif kind == 3:
            with path.open("wb") as file:
                file.truncate(300 << 30)
        else:
            path.write_text("not a picture")
    except (OSError, ValueError):  # a name that no file can have
        return


def _link(path: Path, place: Place) -> None:
    targets = ("/dev/zero", "/dev/null", "/dev/full", "nowhere", path.name, "../outside/victim.txt")
    try:
        path.symlink_to(place.random.choice(targets))
    except (OSError, ValueError):
        return
