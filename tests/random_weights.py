"""Weights and a picture that anyone can make again, by the names of a network's arrays.

The recordings of other libraries (``scripts/record_networks.py``) were made with them, and so this
module needs NumPy only.
"""

import math
import zlib
from pathlib import Path

import numpy as np

RECORDED = Path(__file__).resolve().parent / "models" / "recorded"
_LENGTH = 65_521  # a prime, so that a repeated row of values lies in no two rows in the same place
_SAMPLES = 200


def random_array(name: str, shape: tuple[int, ...], *, inputs: int | None = None) -> np.ndarray:
    """The array of this name, float32, such that activations keep their size.

    Args:
        name: the end tells what it is, as in PyTorch.
        shape: large arrays repeat the same values.
        inputs: that each output of a kernel sums; by default those of PyTorch's (out, in, ...).
    """
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) >= 2:
        scale = np.sqrt(2 / (inputs or math.prod(shape[1:])))
        values = random.normal(0, scale, min(math.prod(shape), _LENGTH))
    elif name.endswith("num_batches_tracked"):
        values = np.zeros(1)
    elif name.endswith(("running_var", ".weight")):  # a BatchNorm's
        values = random.uniform(0.5, 1.5, shape)
        if name.endswith("bn3.weight"):  # of a residual branch, so that the sum does not grow
            values *= 0.3
    else:
        values = random.normal(0, 0.1, shape)
    return np.resize(values, shape).astype(np.float32)


def random_picture(height: int, width: int) -> np.ndarray:
    """RGB, 0..255, (h, w, 3), in large and small spots."""
    random = np.random.RandomState(height * 1000 + width)
    coarse = random.randint(0, 180, (-(-height // 8), -(-width // 8), 3))
    large = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return (large + random.randint(0, 76, (height, width, 3))).astype(np.float32)


def samples(array: np.ndarray) -> np.ndarray:
    """Some values of an array, always at the same places."""
    flat = np.asarray(array).reshape(-1)
    places = np.random.RandomState(flat.size).randint(0, flat.size, _SAMPLES)
    return flat[places]
