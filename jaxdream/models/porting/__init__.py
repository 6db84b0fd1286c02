"""Weight files of other programs, read into our layout.

Ours: float32 arrays by scope, ``inception_3a/1x1/kernel`` as (height, width, in, out), or (in, out)
for a dense layer, and ``inception_3a/1x1/bias`` as (out,). A reader renames and transposes; whether
the names are right for a network is the strict loader's question.
"""

from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.porting import caffe, onnx, torch

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

    Raises:
        JaxdreamError: no such file, an unknown kind of file, or a damaged one.
    """
    if path.is_dir():
        raise JaxdreamError(f"{path} is a folder: name the weight file itself")
    if not path.is_file():
        raise JaxdreamError(f"{path}: no such file")
    if path.suffix not in _READERS:
        known = ", ".join(_READERS)
        raise JaxdreamError(f"{path}: not a weight file jaxdream knows ({known})")
    if path.stat().st_size == 0:
        raise JaxdreamError(f"{path} is empty")
    weights = _READERS[path.suffix](path)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}
