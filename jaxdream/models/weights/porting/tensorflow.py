"""``.pb`` files of TensorFlow: the constants of inception5h's graph, read without TensorFlow.

Field numbers are those of TensorFlow's ``graph.proto`` and the messages that it imports.
"""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import read_bytes
from jaxdream.models.inception5h import tensorflow_names
from jaxdream.models.weights.porting.protobuf import Messages, message_class

# The auxiliary classifiers, used only in training.
AUXILIARY_HEADS = ("head0_", "nn0_", "softmax0_", "head1_", "nn1_", "softmax1_")
# TensorFlow's numbers of types that weights can have.
_FLOATING: dict[int, Any] = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 19: np.dtype("<f2")}
# A constant of one value may leave out the others; but no small file makes a huge array.
_MAX_REPEATED = 1 << 20

_MESSAGES: Messages = {
    "Dim": {"size": (1, "int64")},
    "TensorShape": {"dim": (2, "repeated Dim")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
    },
    "AttrValue": {"tensor": (8, "Tensor")},
    "Attr": {"key": (1, "string"), "value": (2, "AttrValue")},
    "Node": {"name": (1, "string"), "op": (2, "string"), "attr": (5, "repeated Attr")},
    "GraphDef": {"node": (1, "repeated Node")},
}


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights in a graph, by the layers of ``inception5h``.

    Floating-point constants that it does not know keep their names, so that the strict check lists
    them; whole numbers, such as shapes and axes, are left out.

    Raises:
        JaxdreamError: not a graph of TensorFlow, or a damaged one.
    """
    scopes = {theirs: ours for ours, theirs in tensorflow_names().items()}
    kinds = {"w": "kernel", "b": "bias"}
    weights = {}
    for name, array in _constants(path):
        if name.startswith(AUXILIARY_HEADS):
            continue
        layer, _, kind = name.rpartition("_")
        known = layer in scopes and kind in kinds
        key = f"{scopes[layer]}/{kinds[kind]}" if known else name
        if key in weights:
            raise JaxdreamError(f"{path} has two constants named {name!r}: a damaged file")
        weights[key] = array
    return weights


def _constants(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from google.protobuf.message import DecodeError

    damaged = JaxdreamError(f"{path} is a damaged graph of TensorFlow or none: get it again")
    graph = _graph_def()()
    try:
        graph.ParseFromString(read_bytes(path))
    except DecodeError:
        raise damaged from None
    for node in graph.node:
        if not isinstance(node.name, str) or not isinstance(node.op, str):  # not UTF-8
            raise damaged
        if node.op != "Const":
            continue
        tensors = [attr.value.tensor for attr in node.attr if attr.key == "value"]
        if len(tensors) != 1:
            raise damaged
        if tensors[0].dtype in _FLOATING:
            yield node.name, _array(tensors[0], f"{path}: {node.name!r}")


def _array(tensor: Any, where: str) -> np.ndarray:
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    dtype = _FLOATING[tensor.dtype]
    content = tensor.tensor_content
    if len(content) % dtype.itemsize:
        raise JaxdreamError(f"{where}: half a number at its end: a damaged file")
    data = np.frombuffer(content, dtype) if content else np.asarray(_listed(tensor), dtype)
    size = math.prod(shape)
    if data.size == 1 and 1 < size <= _MAX_REPEATED:
        data = np.repeat(data, size)
    if data.size != size or min(shape, default=0) < 0:
        raise JaxdreamError(f"{where}: {data.size} values for a shape of {shape}: a damaged file")
    return data.reshape(shape)


def _listed(tensor: Any) -> Any:
    return tensor.double_val if len(tensor.double_val) else tensor.float_val


@cache
def _graph_def() -> Any:
    """The message class of a graph."""
    return message_class("tensorflow_graph", _MESSAGES, "GraphDef")
