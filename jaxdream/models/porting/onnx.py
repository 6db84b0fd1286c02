"""``.onnx`` files of converted Caffe nets: initialisers ``<layer>_w_0`` and ``<layer>_b_0``."""

import re
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.porting.caffe import AUXILIARY_HEADS


def read(path: Path) -> dict[str, np.ndarray]:
    """Weights of an ONNX file; constants that are not floating-point (shapes) are left out.

    Raises:
        JaxdreamError: not an ONNX file, or a damaged one.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise JaxdreamError(f"{path} is not a whole ONNX file: get it again") from error
    weights = {}
    for initializer in model.graph.initializer:
        array = onnx.numpy_helper.to_array(initializer)
        if initializer.name.startswith(AUXILIARY_HEADS) or array.dtype.kind != "f":
            continue
        match = re.fullmatch(r"(.+)_(w|b)_0", initializer.name)
        if match is None:
            weights[initializer.name] = array  # not ours to drop: the strict check names it
        elif match[2] == "b":
            weights[f"{match[1]}/bias"] = array.reshape(-1)
        else:
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
            weights[f"{match[1]}/kernel"] = kernel
    if not weights:
        raise JaxdreamError(f"{path} holds no weights: not the ONNX file of a trained network")
    return weights
