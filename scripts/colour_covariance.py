"""Measure the colours of natural pictures: the constants of ``visualization/fourier.py``.

    python scripts/colour_covariance.py ../shared/train/small_84px

The folder holds tars of photographs; every fourth photograph and every seventh pixel is used.
Prints the covariance of the logits of R, G and B, log(p / (1 - p)) for p = value / 255 kept half a
level off 0 and 255.
"""

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image


def main(folder: Path) -> None:
    logits = np.concatenate([_logits(pixels) for pixels in _pixels(folder)])
    print(f"{len(logits):,} pixels")
    for row in np.cov(logits.T):
        print("  ".join(f"{value:.3f}" for value in row))


def _pixels(folder: Path) -> Iterator[Float[np.ndarray, "n 3"]]:
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive.getmembers()[::4]:
                file = archive.extractfile(member)
                if file is not None:
                    image = Image.open(io.BytesIO(file.read())).convert("RGB")
                    yield np.asarray(image, np.float32).reshape(-1, 3)[::7]


def _logits(pixels: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    share = pixels.clip(0.5, 254.5) / 255
    return np.log(share) - np.log1p(-share)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
