"""The strict check of weights: names, shapes, dtypes and values.

Also the hash of their values, which is the same for every kind of file, and the writer of our own
files.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.safetensors_bytes import safetensors_bytes
from jaxdream.files.writing import replacing
from jaxdream.models.graph import Graph
from jaxdream.models.weights.registry import RECORDS, WeightsRecord

_LISTED = 8  # names shown in a long list
_MAX_CLASSES = 10**6


def expected_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array that a network needs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for scope, kernel in graph.kernel_shapes.items():
        shapes[f"{scope}/kernel"] = kernel
        shapes[f"{scope}/bias"] = kernel[-1:]
    return shapes


def graph_for(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with the classifier that these weights have: of other classes, or none.

    Networks of one architecture are trained on many data sets, and most dreams need no classifier.
    """
    if "logits" not in graph.aliases:
        return graph
    scope = graph.nodes[graph.aliases["logits"]].scope
    bias = weights.get(f"{scope}/bias")
    if bias is None:
        return graph if f"{scope}/kernel" in weights else graph.with_classes(None)
    if bias.ndim != 1 or not 0 < len(bias) < _MAX_CLASSES:
        return graph
    return graph if graph.kernel_shapes[scope][-1:] == bias.shape else graph.with_classes(len(bias))


def check_weights(weights: Mapping[str, np.ndarray], graph: Graph, *, source: str | Path) -> None:
    """Make sure that weights are those that the network needs, of the right shapes and finite.

    Raises:
        JaxdreamError: some are missing, extra, misshapen, not floating-point or not finite; the
            message lists them.
    """
    expected = expected_shapes(graph)
    missing, extra = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    problems = []
    if missing:
        problems.append(f"missing {_list(missing)}")
    if extra:
        problems.append(f"extra {_list(extra)}")
    common = sorted(expected.keys() & weights.keys())
    if wrong := [n for n in common if weights[n].shape != expected[n]]:
        shown = [f"{n} is {weights[n].shape}, not {expected[n]}" for n in wrong]
        problems.append(f"misshapen: {_list(shown)}")
    if wrong := [n for n in common if weights[n].dtype.kind != "f"]:
        problems.append(f"not floating-point: {_list(wrong)}")
    elif wrong := [n for n in common if not np.isfinite(weights[n]).all()]:
        problems.append(f"not finite: {_list(wrong)}")
    if problems:
        raise JaxdreamError(f"{source} does not fit the network: {'; '.join(problems)}")


def identify(weights: Mapping[str, np.ndarray], *, source: str | Path) -> str:
    """The model that has these names, shapes and classes; of several, the registry's first.

    Raises:
        JaxdreamError: no model has them; the message names the nearest and the differences.
    """
    found = _names_and_shapes({name: array.shape for name, array in weights.items()})

    def distance(record: WeightsRecord) -> tuple[float, bool, bool]:
        graph = record.build()
        fitted = graph_for(graph, weights)
        wanted = _names_and_shapes(expected_shapes(fitted))
        has_own_classes = record.classes is not None
        # One with its own classes is meant where the weights have these, and nowhere else.
        differences = len(found ^ wanted) / len(found | wanted)
        return differences, has_own_classes and fitted is not graph, not has_own_classes

    nearest = min(RECORDS, key=distance)
    if distance(nearest)[0]:
        graph = graph_for(nearest.build(), weights)
        check_weights(weights, graph, source=f"{source} (nearest to {nearest.model})")
    return nearest.model


def _names_and_shapes(shapes: Mapping[str, tuple[int, ...]]) -> set[object]:
    return {*shapes, *shapes.items()}


def weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """Hash of names, shapes and float32 values: the same for every file that holds the same."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], "<f4")
        digest.update(json.dumps([name, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()


def write_weights(
    path: Path,
    weights: Mapping[str, np.ndarray],
    *,
    model: str,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Write weights in our layout as safetensors.

    Raises:
        JaxdreamError: it cannot be written, or a value is too large for the dtype. Then ``path`` is
            as it was before.
    """
    with np.errstate(over="ignore"):
        arrays = {name: np.ascontiguousarray(weights[name], dtype) for name in sorted(weights)}
    if wrong := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise JaxdreamError(f"{path}: not finite as {dtype}: {_list(wrong)}")
    metadata = {"jaxdream_model": model, "weights_sha256": weights_sha256(arrays)}
    with replacing(path) as file:
        file.write(safetensors_bytes(arrays, metadata))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata that ``write_weights`` puts into a file; empty for other files."""
    if path.suffix.lower() != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def _list(names: Iterable[str]) -> str:
    names = sorted(name if name.isprintable() else repr(name) for name in names)
    rest = len(names) - _LISTED
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {rest} more" if rest > 0 else shown
