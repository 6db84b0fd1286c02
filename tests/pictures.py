"""Picture files of many sizes, formats, colour modes and defects, and a run over them."""

import itertools
import os
import signal
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from tiny_network import tiny_network

FORMATS = ("png", "jpg", "webp", "tif", "bmp", "gif")
MODES = ("RGB", "L", "P", "RGBA", "CMYK", "I;16")
SIZES = ((24, 30), (17, 21), (40, 12), (33, 28))
DEFECTS = ("cut short", "empty", "text", "too small", "no such file", "a folder")
SETTINGS = {"steps": 2, "octaves": 1, "jitter": 3, "seed": 5, "batch": 4}


def make_pictures(folder: Path, count: int) -> dict[str, str]:
    """Write ``count`` pictures into folders; returns the defects of those that have one."""
    random = np.random.default_rng(0)
    defects = {}
    for number in range(count):
        suffix = FORMATS[number % len(FORMATS)]
        name = f"{number % 7}/{number:03}.{suffix}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = SIZES[number % len(SIZES)]
        y, x = np.mgrid[:height, :width]
        waves = [
            128 + 90 * np.sin(random.uniform(0.1, 1, 2) @ [x.ravel(), y.ravel()]) for _ in "rgb"
        ]
        image = Image.fromarray(np.stack(waves, -1).reshape(height, width, 3).astype(np.uint8))
        mode = MODES[number // 4 % len(MODES)]
        if (mode, suffix) in (("CMYK", "jpg"), ("CMYK", "tif"), ("I;16", "png"), ("L", "jpg")) or (
            suffix in ("png", "webp") and mode in ("RGBA", "P", "L")
        ):
            image = image.convert("L" if mode == "I;16" else mode).convert(mode)
        exif = Image.Exif()
        exif[0x112] = 1 + number % 8  # the orientation
        image.save(path, **({"exif": exif} if suffix in ("jpg", "png", "webp", "tif") else {}))
        if number % 9 == 4:
            defects[name] = _damage(path, DEFECTS[number // 9 % len(DEFECTS)])
    return defects


def _damage(path: Path, defect: str) -> str:
    content = path.read_bytes()
    path.unlink()
    if defect == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif defect == "empty":
        path.touch()
    elif defect == "text":
        path.write_text("not a picture")
    elif defect == "too small":
        Image.new("RGB", (1, 40), "red").save(path)
    elif defect == "no such file":
        path.symlink_to("nowhere")
    elif defect == "a folder":
        path.mkdir()
    return defect


def dream_all(folder: Path, out: Path, **options) -> list:
    """All results of a run."""
    from jaxdream.folder.run import dream_files

    return list(dream_files(tiny_network(), [folder], out, **SETTINGS | options))


def dream_all_or_die(cache: Path, folder: Path, out: Path, moment: str | None, **options) -> None:
    """A run in a process of its own, which compiles nothing that another one has.

    With a ``moment`` it is killed right before or right after a picture gets its name.
    """
    import jax

    if moment is not None:
        replace, calls = os.replace, itertools.count()

        def dying(*paths) -> None:
            last = next(calls) == 5
            if last and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*paths)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = dying
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    dream_all(folder, out, **options)


def linear_rgb() -> bytes:
    """sRGB's own profile with a linear curve: mid-grey in it is a lighter grey in sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    for tag in range(count):
        name, offset, _ = struct.unpack(">4sII", profile[132 + 12 * tag : 144 + 12 * tag])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A "para" curve of type 0 with gamma 1.
            profile[offset : offset + 16] = b"para" + bytes(8) + struct.pack(">i", 1 << 16)
    return bytes(profile)


D50 = struct.pack(">iii", 63190, 65536, 54061)


def icc(space: bytes, connection: bytes, **tags: bytes) -> bytes:
    """A minimal ICC profile, version 2."""
    tags = {"wtpt": b"XYZ " + bytes(4) + D50, **tags}
    table, data = b"", b""
    for name, value in tags.items():
        offset = 132 + 12 * len(tags) + len(data)
        table += name.encode() + struct.pack(">II", offset, len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4xI4s4s4s", 128 + len(body), 0x02400000, b"mntr", space, connection)
    return head + bytes(12) + b"acsp" + bytes(28) + D50 + bytes(48) + body


def linear_grey() -> bytes:
    return icc(b"GRAY", b"XYZ ", kTRC=b"curv" + bytes(4) + struct.pack(">IH", 1, 256))


def black_ink_alone() -> bytes:
    """CMYK in which only black prints."""
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    # Two grid points an ink, black varying fastest; Lab: L, then a = b = 0.
    grid = b"".join(bytes([0 if corner % 2 else 255, 128, 128]) for corner in range(16))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    return icc(b"CMYK", b"Lab ", A2B0=lut)
