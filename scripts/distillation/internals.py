"""The inner parts of jaxdream that the distillation uses; other modules import them from here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

import jaxdream as jd
from jaxdream.models.googlenet import INCEPTION_WIDTHS, googlenet
from jaxdream.models.graph import Graph, Node
from jaxdream.models.graph_network import GraphNetwork, WeightArrays, evaluate
from jaxdream.models.ops import (
    Concat,
    Conv,
    Dense,
    GlobalAveragePool,
    Op,
    Relu,
    Weights,
    apply_op,
)
from jaxdream.models.weights.check import check_weights, weights_sha256, write_weights
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.registry import (
    BUNDLED_MODEL,
    CAFFE,
    MINI_WIDTHS,
    NOTEBOOK_2015,
    record_of,
)

__all__ = [
    "INCEPTION_WIDTHS",
    "MINI_WIDTHS",
    "Concat",
    "Conv",
    "Dense",
    "GlobalAveragePool",
    "Graph",
    "Node",
    "Op",
    "Relu",
    "WeightArrays",
    "Weights",
    "apply_op",
    "check_weights",
    "evaluate",
    "export_student",
    "googlenet",
    "load_student",
    "read_weights",
    "student_graph",
    "student_input",
    "teacher_input",
]


def student_graph(widths: Sequence[float]) -> Graph:
    """A GoogLeNet with these shares of its channels: up to 3b, in 4 and in 5."""
    early, middle, late = widths
    return googlenet(width=(early, middle, late), lrn=False)


def student_input(images: UInt8[Array, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """The student's input for pictures (RGB, 0..255)."""
    return _centred(images, CAFFE.mean)


def teacher_input(images: UInt8[Array, "n h w 3"]) -> Float[Array, "n h w 3"]:
    """The teacher's input for pictures (RGB, 0..255)."""
    return _centred(images, NOTEBOOK_2015.mean)


def _centred(images: Array, mean: Sequence[float]) -> Array:
    return images[..., ::-1].astype(jnp.float32) - jnp.asarray(mean, jnp.float32)


def export_student(folded: Mapping[str, np.ndarray], graph: Graph, path: Path) -> None:
    """Write folded weights as jaxdream's file of the bundled network, float16.

    Raises:
        JaxdreamError: they do not fit the graph, or the file cannot be written.
    """
    check_weights(folded, graph, source="the trained network")
    write_weights(path, folded, model=BUNDLED_MODEL, dtype="float16")


def load_student(path: Path | None, widths: Sequence[float] | None, layer: str) -> GraphNetwork:
    """The bundled network, or one that ``train_mini.py`` exported, of other widths if given.

    Raises:
        JaxdreamError: widths without a file, or a file that does not fit.
    """
    if widths is None:
        return jd.load_model(BUNDLED_MODEL, weights=path)
    if path is None:
        raise jd.JaxdreamError("--widths needs --weights FILE: the weights of that network")
    graph, record, arrays = student_graph(widths), record_of(BUNDLED_MODEL), read_weights(path)
    check_weights(arrays, graph, source=path)
    return GraphNetwork(
        record.model, graph, record.preprocessing, layer, arrays, weights_sha256(arrays)
    )
