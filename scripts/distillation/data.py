"""Training pictures: decoded once, cropped at random scales, always the same for a seed.

Photographs of 160 pixels and pictures of 84 are shrunk to 0.6 or enlarged to 2.4 times their size:
detail is then as sharp as in a thumbnail or as soft as in a large photograph.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

import jaxdream as jd

Random = np.random.Generator
Picture = UInt8[np.ndarray, "h w 3"]

LARGE, SMALL = 160, 84
SHRUNK, ENLARGED = 0.6, 2.4  # the smallest and largest scale of a crop
MIXED = 0.1  # share of crops that are two blended


class Pictures(NamedTuple):
    """Every training picture, RGB, 0..255."""

    large: UInt8[np.ndarray, "n 160 160 3"]
    small: UInt8[np.ndarray, "m 84 84 3"]


def load(shared: Path, cache: Path) -> Pictures:
    """The training pictures; decoded into ``cache`` the first time."""
    return Pictures(
        _decoded(shared / "train" / "large_160px", cache / "large.npy", LARGE),
        _decoded(shared / "train" / "small_84px", cache / "small.npy", SMALL),
    )


def crops(data: Pictures, random: Random, count: int, side: int) -> UInt8[np.ndarray, "n s s 3"]:
    """Random crops of training pictures, augmented, RGB, 0..255."""
    cut = np.empty((count, side, side, 3), np.uint8)
    for i in range(count):
        crop = _crop(data, random, side)
        if random.random() < MIXED:
            crop += random.uniform(0.2, 0.8) * (_crop(data, random, side) - crop)
        cut[i] = np.clip(_relit(crop, random) + 0.5, 0, 255)
    return cut


def held_out(shared: Path, side: int, count: int = 96) -> UInt8[np.ndarray, "n s s 3"]:
    """Pictures of the trained classes that are not trained on: the centre, at their own scale."""
    archives = sorted((shared / "train" / "large_160px_heldout").glob("*.tar"))
    each = -(-count // len(archives))
    pictures = [p for archive in archives for p in list(_pictures(archive, LARGE))[:each]]
    first = (LARGE - side) // 2
    centre = slice(first, first + side)
    return np.stack(pictures)[:count, centre, centre]


def photographs(shared: Path, side: int, each: int = 9) -> UInt8[np.ndarray, "n s s 3"]:
    """Crops of real photographs at their natural scale, on a grid."""
    cut = []
    for path in sorted((shared / "photos").iterdir()):
        if path.suffix not in (".jpg", ".png"):
            continue
        pixels = jd.read_image(path)
        grid = np.linspace(0, 1, round(each**0.5) + 2)[1:-1]
        for row, column in np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2):
            top = int(row * (pixels.shape[0] - side))
            left = int(column * (pixels.shape[1] - side))
            cut.append(pixels[top : top + side, left : left + side])
    return np.stack(cut).round().astype(np.uint8)


def _crop(data: Pictures, random: Random, side: int) -> Float[np.ndarray, "s s 3"]:
    """A square at a random position and scale, flipped half the time."""
    # Small pictures are blurred in large crops, or too small for them.
    share = 0.45 if side < SMALL * 1.3 else 0.75 if side < SMALL * 1.7 else 1.0
    from_large = random.random() < share
    pictures = data.large if from_large else data.small
    picture = pictures[random.integers(len(pictures))]
    full = picture.shape[0]
    length = side / np.exp(random.uniform(np.log(max(SHRUNK, side / full)), np.log(ENLARGED)))
    left, top = random.uniform(0, full - length, 2)
    box = (left, top, left + length, top + length)
    crop = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(crop, np.float32)
    return pixels[:, ::-1].copy() if random.random() < 0.5 else pixels.copy()


def _relit(crop: Float[np.ndarray, "s s 3"], random: Random) -> Float[np.ndarray, "s s 3"]:
    """Contrast, brightness and colour balance changed a little."""
    mean = crop.mean()
    gain = random.uniform(0.7, 1.35) * random.uniform(0.93, 1.07, 3)
    return (crop - mean) * gain.astype(np.float32) + np.float32(mean + random.uniform(-20, 20))


def _decoded(folder: Path, cache: Path, side: int) -> UInt8[np.ndarray, "n side side 3"]:
    if not cache.exists():
        archives = sorted(folder.glob("*.tar"))
        pictures = [p for archive in archives for p in _pictures(archive, side)]
        temporary = cache.with_suffix(".part.npy")
        np.save(temporary, np.stack(pictures))
        temporary.replace(cache)
    return np.load(cache, mmap_mode="r")


def _pictures(archive: Path, side: int) -> Iterator[Picture]:
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            if (file := tar.extractfile(member)) is None:
                continue
            image = Image.open(io.BytesIO(file.read())).convert("RGB")
            if image.size != (side, side):
                image = image.resize((side, side), Image.Resampling.BICUBIC)
            yield np.asarray(image)
