"""The one strict door for weights: names, shapes, dtypes and values, or one line that says why not.

Also their identity (a hash of the values, whatever file they came in) and the file we write.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import replacing
from jaxdream.models.graph import Graph
from jaxdream.models.weights.registry import RECORDS

_LISTED = 8  # names shown of a long list


def expected_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array that a network needs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for scope, kernel in graph.kernel_shapes.items():
        shapes[f"{scope}/kernel"] = kernel
        shapes[f"{scope}/bias"] = kernel[-1:]
    return shapes


def check_weights(weights: Mapping[str, np.ndarray], graph: Graph, *, source: str | Path) -> None:
    """Weights must be all that the network needs and nothing else, well shaped and finite.

    Raises:
        JaxdreamError: what is missing, extra, misshapen, not floating-point or not finite.
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
    """The model whose names and shapes these are; of equals the registry's first.

    Raises:
        JaxdreamError: none; names the nearest and what differs.
    """
    shapes = {(name, array.shape) for name, array in weights.items()}

    def difference(record) -> int:
        return len(shapes ^ set(expected_shapes(record.build()).items()))

    nearest = min(RECORDS, key=difference)
    if difference(nearest):
        check_weights(weights, nearest.build(), source=f"{source} (nearest to {nearest.model})")
    return nearest.model


def weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """Hash of names, shapes and float32 values: the same for any file that holds the same."""
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
    """Write weights in our layout as safetensors; the file is whole or not there.

    Raises:
        JaxdreamError: it cannot be written, or a value is too large for the dtype.
    """
    from safetensors.numpy import save

    with np.errstate(over="ignore"):
        arrays = {name: np.ascontiguousarray(weights[name], dtype) for name in sorted(weights)}
    if wrong := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise JaxdreamError(f"{path}: not finite as {dtype}: {_list(wrong)}")
    metadata = {"jaxdream_model": model, "weights_sha256": weights_sha256(arrays)}
    with replacing(path) as file:
        file.write(save(arrays, metadata))


def read_model_name(path: Path) -> str | None:
    """The model that a file of ours says it holds; None for other files."""
    if path.suffix.lower() != ".safetensors":
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("jaxdream_model")
    except (SafetensorError, OSError):
        return None


def _list(names: Iterable[str]) -> str:
    names = sorted(name if name.isprintable() else repr(name) for name in names)
    rest = len(names) - _LISTED
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {rest} more" if rest > 0 else shown
