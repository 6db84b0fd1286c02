"""Weight files of other programs, read into our layout.

Ours: float32 arrays by scope, ``inception_3a/1x1/kernel`` as (height, width, in, out), or (in, out)
for a dense layer, and ``inception_3a/1x1/bias`` as (out,). A reader renames and transposes; whether
the names and values are right for a network is the strict loader's question.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights.porting import caffe, onnx, torch

_READERS = {
    ".caffemodel": caffe.read,
    ".onnx": onnx.read,
    ".safetensors": torch.read_safetensors,
    ".pth": torch.read_pickled,
    ".pt": torch.read_pickled,
    ".bin": torch.read_pickled,
}


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights in a file, by name, float32.

    What is not floating-point stays as it is, and what is too large for float32 becomes infinite,
    for the strict check to refuse.

    Raises:
        JaxdreamError: no such file, an unknown kind of file, or a damaged one.
    """
    try:
        weights = _reader(path)(path)
    except OSError as error:
        raise JaxdreamError(f"cannot read {path}: {error.strerror or error}") from error
    if not weights:
        raise JaxdreamError(f"{path} holds no weights: it is not the file of a trained network")
    with np.errstate(over="ignore"):
        return {name: _as_float32(array) for name, array in weights.items()}


def _reader(path: Path) -> Callable[[Path], dict[str, np.ndarray]]:
    if path.is_dir():
        raise JaxdreamError(f"{path} is a folder: name the weight file itself")
    if not path.is_file():
        raise JaxdreamError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise JaxdreamError(f"{path}: not a weight file jaxdream knows ({known})")
    if path.stat().st_size == 0:
        raise JaxdreamError(f"{path} is empty")
    return _READERS[suffix]


def _as_float32(array: np.ndarray) -> np.ndarray:
    # bfloat16 is not one of NumPy's own kinds.
    floating = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    return np.ascontiguousarray(array, np.float32) if floating else array
