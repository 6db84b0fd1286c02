"""Measure how strong each frequency of natural pictures is: ``visualization/natural_spectrum.py``.

    pip install scikit-image==0.26 && python scripts/natural_spectrum.py

Of the photographs that scikit-image ships, four show what a camera sees, have colours, and are
free of rights, as the docstrings of ``skimage.data`` say:

- ``astronaut``: Eileen Collins, NASA; no known copyright restrictions, public domain
- ``chelsea``: by Stefan van der Walt; CC0
- ``coffee``: by Rachel Michetti; CC0
- ``rocket``: launch of DSCOVR, by SpaceX; public domain

Each is cut to its largest square in the middle, and faded out towards its edges. Prints the
deviation of each decorrelated channel, and the exponent b of the law ``1 / f**b`` that fits the
mean magnitude in rings of frequencies: of each photograph, and the means, which are the constants.
"""

import itertools

import numpy as np
import skimage.data
from jaxtyping import Float

from jaxdream.visualization.fourier import independent_channels
from jaxdream.visualization.natural_spectrum import mean_spectrum

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
LOWEST = 3  # waves across the picture: those below are of the window
HIGHEST = 0.25  # cycles per pixel: those above are of the camera and of JPEG
RINGS = 11


def measure(picture: Float[np.ndarray, "h w 3"]) -> tuple[np.ndarray, np.ndarray]:
    """The deviation and the exponent of each channel of a picture (RGB, 0..255)."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    picture = picture[top : top + side, left : left + side].astype(np.float32)
    magnitude = mean_spectrum([picture], size=side)
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    frequency = np.hypot(rows, columns)
    edges = np.geomspace(LOWEST / side, HIGHEST, RINGS + 1)
    rings = [(a <= frequency) & (frequency < b) for a, b in itertools.pairwise(edges)]
    middles = np.log([frequency[ring].mean() for ring in rings])
    means = np.log([magnitude[ring].mean(axis=0) for ring in rings])
    deviation = np.std(np.asarray(independent_channels(picture)), axis=(0, 1))
    return deviation, -np.polyfit(middles, means, 1)[0]


def main() -> None:
    """Run from the command line."""
    measured = [measure(getattr(skimage.data, name)()) for name in PHOTOGRAPHS]
    means = tuple(np.mean(each, axis=0) for each in zip(*measured, strict=True))
    for name, (deviation, exponent) in [*zip(PHOTOGRAPHS, measured, strict=True), ("mean", means)]:
        shown = (", ".join(f"{number:.3f}" for number in each) for each in (deviation, exponent))
        print(f"{name:10} deviations {next(shown)}  exponents {next(shown)}")


if __name__ == "__main__":
    main()
