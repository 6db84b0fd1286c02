"""Picture files of many sizes, formats, colour modes and defects, and a run over them."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np
from PIL import Image
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
