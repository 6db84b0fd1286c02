"""The operations of convolutional networks, as small frozen records.

Each operation knows its arithmetic (``apply``, on NHWC arrays) and its geometry (``output_size``,
``output_channels``), so that the interpreter, the octave planner and ``jaxdream layers`` use the
same table of a network. Definitions follow Caffe's: symmetric zero padding, pooling in ceil mode,
local response normalisation across channels. ``PadSame`` is TensorFlow's padding.
"""

from jaxdream.models.ops.base import (
    MaskedOp,
    Op,
    PlainOp,
    Side,
    SizedOp,
    WeightedOp,
    Weights,
    apply_mask,
    apply_op,
    floor_div,
)
from jaxdream.models.ops.convolution import Conv, Dense
from jaxdream.models.ops.norm import LocalResponseNorm
from jaxdream.models.ops.padding import PadSame
from jaxdream.models.ops.pointwise import Add, Channels, Concat, Identity, Input, Relu, Softmax
from jaxdream.models.ops.pooling import AveragePool, GlobalAveragePool, MaxPool

__all__ = [
    "Add",
    "AveragePool",
    "Channels",
    "Concat",
    "Conv",
    "Dense",
    "GlobalAveragePool",
    "Identity",
    "Input",
    "LocalResponseNorm",
    "MaskedOp",
    "MaxPool",
    "Op",
    "PadSame",
    "PlainOp",
    "Relu",
    "Side",
    "SizedOp",
    "Softmax",
    "WeightedOp",
    "Weights",
    "apply_mask",
    "apply_op",
    "floor_div",
]
