"""``.caffemodel`` files: a protobuf message of which a few fields are needed.

Field numbers are those of Caffe's ``caffe.proto``.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import read_bytes
from jaxdream.models.weights.porting.protobuf import Messages, message_class

# GoogLeNet's auxiliary classifiers, used only in training.
AUXILIARY_HEADS = ("loss1/", "loss2/")

_MESSAGES: Messages = {
    "BlobShape": {"dim": (1, "repeated int64")},
    "BlobProto": {
        "num": (1, "int32"),
        "channels": (2, "int32"),
        "height": (3, "int32"),
        "width": (4, "int32"),
        "data": (5, "repeated float"),
        "double_data": (8, "repeated double"),
        "shape": (7, "BlobShape"),
    },
    "V1LayerParameter": {"name": (4, "string"), "blobs": (6, "repeated BlobProto")},
    "LayerParameter": {"name": (1, "string"), "blobs": (7, "repeated BlobProto")},
    "NetParameter": {
        "layers": (2, "repeated V1LayerParameter"),
        "layer": (100, "repeated LayerParameter"),
    },
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Weights of a caffemodel, with new (``layer``) or old (``layers``) records.

    Raises:
        JaxdreamError: not a caffemodel, or a damaged one.
    """
    from google.protobuf.message import DecodeError

    net = _net_parameter()()
    try:
        net.ParseFromString(read_bytes(path))
    except DecodeError:
        raise JaxdreamError(f"{path} is a damaged caffemodel or none: get it again") from None
    weights = {}
    for layer in [*net.layer, *net.layers]:
        if not isinstance(layer.name, str):  # bytes, if they are not UTF-8
            raise JaxdreamError(f"{path} is a damaged caffemodel or none: get it again")
        if not layer.blobs or layer.name.startswith(AUXILIARY_HEADS):
            continue
        if f"{layer.name}/kernel" in weights:
            raise JaxdreamError(f"{path} has two layers named {layer.name!r}: a damaged file")
        kernel, *rest = (_array(blob, f"{path}: {layer.name!r}") for blob in layer.blobs)
        weights[f"{layer.name}/kernel"] = _kernel(kernel)
        # Blobs after the bias are kept: the strict check names them.
        for number, array in enumerate(rest):
            kind = f"blob_{number + 1}" if number else "bias"
            weights[f"{layer.name}/{kind}"] = array.reshape(-1)
    return weights


def _array(blob: Any, where: str) -> np.ndarray:
    data = np.asarray(blob.double_data if blob.double_data else blob.data, np.float32)
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    if data.size != math.prod(shape) or min(shape) < 0:
        raise JaxdreamError(f"{where}: {data.size} values for a shape of {shape}: a damaged file")
    return data.reshape(shape)


def _kernel(array: np.ndarray) -> np.ndarray:
    """Our order of the axes, from Caffe's (out, in, height, width) or (out, in)."""
    if array.ndim == 4 and array.shape[:2] == (1, 1):  # a dense layer of the old records
        array = array[0, 0]
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


@cache
def _net_parameter() -> Any:
    """The message class of a caffemodel."""
    return message_class("caffemodel", _MESSAGES, "NetParameter")
