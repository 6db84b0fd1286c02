"""Top-1 and top-5 of a network over a folder of pictures, one sub-folder per synset.

    python scripts/accuracy.py FOLDER --labels SYNSETS [--model googlenet] [--weights PATH]

SYNSETS is a text file with one line per class in the network's order, the synset first
(``n01440764 tench, Tinca tinca``). Pictures are resized so that the shorter side is the network's
training size and cropped to the centre.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxdream as jd
from jaxdream.images.picture_files import read_picture, resize_picture


def centre_crop(path: Path, side: int) -> Float[np.ndarray, "side side 3"]:
    """The picture's centre square, RGB, 0..255, after resizing its shorter side to ``side``."""
    picture = read_picture(path)
    height, width, _ = picture.pixels.shape
    scale = side / min(height, width)
    if scale != 1:
        picture = resize_picture(picture, (round(height * scale), round(width * scale)))
    height, width, _ = picture.pixels.shape
    top, left = (height - side) // 2, (width - side) // 2
    return picture.pixels[top : top + side, left : left + side]


def batches(
    files: list[tuple[Path, int]], side: int, size: int
) -> Iterator[tuple[Float[np.ndarray, "n side side 3"], list[int]]]:
    """Pictures and their classes, ``size`` at a time."""
    for first in range(0, len(files), size):
        chunk = files[first : first + size]
        yield np.stack([centre_crop(path, side) for path, _ in chunk]), [c for _, c in chunk]


@partial(jax.jit, static_argnames="layer")
def top_five(
    model: jd.Network, images: Float[Array, "n h w 3"], *, layer: str
) -> Float[Array, "n 5"]:
    """The five most probable classes of each picture, best first."""
    return jax.lax.top_k(model(model.preprocess(images), layers=(layer,))[layer], 5)[1]


def find_files(folder: Path, labels: Path) -> list[tuple[Path, int]]:
    """Every picture below the folder with its class's place in the labels."""
    synsets = [line.split()[0] for line in labels.read_text().splitlines() if line.strip()]
    index = {synset: i for i, synset in enumerate(synsets)}
    files = []
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        if sub.name not in index:
            raise jd.JaxdreamError(f"{sub}: {sub.name} is not a synset in {labels}")
        files += [(path, index[sub.name]) for path in sorted(sub.iterdir()) if path.is_file()]
    if not files:
        raise jd.JaxdreamError(f"{folder} holds no folders of pictures")
    return files


def accuracy(model: jd.Network, files: list[tuple[Path, int]], *, size: int) -> tuple[float, float]:
    """Shares of the pictures whose class is the first, and among the first five."""
    inception = model.name.startswith("inception")
    layer, side = ("softmax/logits", 299) if inception else ("loss3/classifier", 224)
    model.graph.resolve(layer)
    first = five = 0
    for images, classes in batches(files, side, size):
        best = np.asarray(top_five(model, jnp.asarray(images), layer=layer))
        hits = best == np.asarray(classes)[:, None]
        first += int(hits[:, 0].sum())
        five += int(hits.any(axis=1).sum())
    return first / len(files), five / len(files)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="top-1 and top-5 over a folder of pictures")
    parser.add_argument("folder", type=Path, help="with one sub-folder per synset")
    parser.add_argument("--labels", type=Path, required=True, help="synsets in network order")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--weights")
    parser.add_argument("--batch", type=int, default=25)
    options = parser.parse_args()
    try:
        model = jd.load_model(options.model, weights=options.weights, notify=print)
        files = find_files(options.folder, options.labels)
        first, five = accuracy(model, files, size=options.batch)
    except (jd.JaxdreamError, OSError) as error:
        sys.exit(f"accuracy: {error}")
    print(f"{model.name}: top-1 {first:.1%}, top-5 {five:.1%} on {len(files)} pictures")


if __name__ == "__main__":
    main()
