"""``.onnx`` files of converted Caffe nets: initialisers ``<layer>_w_0`` and ``<layer>_b_0``."""

import re
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights.porting.caffe import AUXILIARY_HEADS

# Raised by onnx for a damaged file, besides its own errors.
_DAMAGE = (OSError, ValueError, TypeError, LookupError)


def read(path: Path) -> dict[str, np.ndarray]:
    """Weights of an ONNX file, without the shapes of reshape operations (lists of integers).

    Raises:
        JaxdreamError: not an ONNX file, or a damaged one.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        tensors = onnx.load(path).graph.initializer
        arrays = {str(tensor.name): onnx.numpy_helper.to_array(tensor) for tensor in tensors}
    except (*_DAMAGE, DecodeError, onnx.checker.ValidationError) as error:
        raise JaxdreamError(f"{path} is a damaged ONNX file or none: get it again") from error
    weights = {}
    for name, array in arrays.items():
        is_shape = array.dtype == np.int64 and array.ndim <= 1
        if name.startswith(AUXILIARY_HEADS) or is_shape:
            continue
        match = re.fullmatch(r"(.+)_(w|b)_0", name)
        if match is None:
            weights[name] = array  # kept: the strict check names it
        elif match[2] == "b":
            weights[f"{match[1]}/bias"] = array.reshape(-1)
        else:
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
            weights[f"{match[1]}/kernel"] = kernel
    return weights
