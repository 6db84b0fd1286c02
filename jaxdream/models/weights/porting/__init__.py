"""Weight files of other programs, read into our layout.

Our layout has float32 arrays by scope: ``inception_3a/1x1/kernel`` is (height, width, in, out), or
(in, out) for a dense layer, and ``inception_3a/1x1/bias`` is (out,). A reader renames and
transposes; ``check`` tells whether names and values are right for a network.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import open_regular, reason
from jaxdream.models.weights.porting import caffe, onnx, tensorflow, torch

_READERS = {
    ".caffemodel": caffe.read,
    ".onnx": onnx.read,
    ".safetensors": torch.read_safetensors,
    ".pth": torch.read_pickled,
    ".pt": torch.read_pickled,
    ".bin": torch.read_pickled,
    ".tar": torch.read_pickled,  # .pth.tar, which is no archive
    ".ckpt": torch.read_pickled,
    ".pb": tensorflow.read,
}


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights in a file, by name, float32.

    Arrays that are not floating-point stay as they are, and values too large for float32 become
    infinite; the strict check refuses both.

    Raises:
        JaxdreamError: no such file, an unknown kind of file, or a damaged file.
    """
    reader = _reader(path)
    try:
        weights = reader(path)
    except OSError as error:
        raise JaxdreamError(f"cannot read {path}: {reason(error)}") from error
    except MemoryError as error:
        raise JaxdreamError(f"{path} does not fit into memory") from error
    if not weights:
        raise JaxdreamError(f"{path} holds no weights: it is not the file of a trained network")
    with np.errstate(over="ignore"):
        return {name: _as_float32(array) for name, array in weights.items()}


def _reader(path: Path) -> Callable[[Path], dict[str, np.ndarray]]:
    with open_regular(path) as file:  # which refuses whatever is not a file
        is_empty = not file.read(1)
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise JaxdreamError(f"{path}: not a kind of weight file that jaxdream knows ({known})")
    if is_empty:
        raise JaxdreamError(f"{path} is empty")
    return _READERS[suffix]


def _as_float32(array: np.ndarray) -> np.ndarray:
    # NumPy has no bfloat16 of its own, so its kind is not "f".
    floating = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    return np.ascontiguousarray(array, np.float32) if floating else array
