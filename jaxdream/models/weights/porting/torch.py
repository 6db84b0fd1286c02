"""PyTorch's networks, by the names of ``torch_tables``; and safetensors with any names.

A pickle can run code when it is opened, so ``.pth`` and ``.bin`` files are read by torch's own
restricted loader, and only if torch is installed.
"""

import importlib
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights.porting.torch_tables import table_of

# What checkpoints of trainings call the network's own state dict.
_STATES = ("state_dict", "model")
# Modules around a network: those of several devices, and of Madry's lab's robustness library.
_AROUND = ("module.", "model.")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Weights of a safetensors file, ours or PyTorch's.

    Raises:
        JaxdreamError: a damaged file.
    """
    from safetensors import safe_open

    weights = {}
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                weights[name] = file.get_tensor(name)
    except Exception as error:  # damage, and types of numbers that NumPy does not have
        raise JaxdreamError(
            f"{path} is a damaged safetensors file or none: get it again"
        ) from error
    return from_torch(weights, path) if table_of(weights) else weights


def read_pickled(path: Path) -> dict[str, np.ndarray]:
    """Weights of a PyTorch checkpoint, which torch reads as plain tensors and nothing else.

    Raises:
        JaxdreamError: torch is not installed; the file is damaged or holds more than tensors.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise JaxdreamError(
            f"{path}: reading this kind of file needs PyTorch, which is not installed: "
            "`pip install torch`, or use a .safetensors file"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about old kinds of files
            state = torch.load(path, map_location="cpu", weights_only=True)
        weights = {_checked_name(n): _to_numpy(tensor) for n, tensor in _own_state(state).items()}
    except Exception as error:  # of many kinds, depending on the file
        raise JaxdreamError(
            f"{path} is not a PyTorch file of plain tensors: it is damaged or holds other objects"
        ) from error
    return from_torch(weights, path)


def _own_state(state: Any) -> Mapping[Any, Any]:
    """The network's own tensors, from a state dict or a checkpoint that has one inside."""
    for key in _STATES:
        if isinstance(state.get(key), Mapping):
            return state[key]
    return state


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a tensor is named {name!r}")
    for module in _AROUND:
        name = name.removeprefix(module)
    return name


def _to_numpy(tensor: Any) -> np.ndarray:
    # A tensor may repeat its values, and so be many times as large as the file.
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor repeats its values")
    # Through float32, since NumPy has no bfloat16.
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def from_torch(state: Mapping[str, np.ndarray], source: Path) -> dict[str, np.ndarray]:
    """A state dict in our layout: BatchNorm folded, kernels transposed, auxiliary heads left out.

    ``gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta`` is a convolution with a bias.
    Missing arrays stay missing and unknown ones keep their names, so that the strict check lists
    them.

    Raises:
        JaxdreamError: the shapes of a convolution and its BatchNorm do not match.
    """
    table = table_of(state)
    if table is None:
        return dict(state)
    rest = {name: array for name, array in state.items() if not name.startswith(table.left_out)}
    kernels = table.build().kernel_shapes
    weights = {}
    for scope, layer in table.layers.items():
        if layer.norm is not None:
            folded = _take_folded(rest, layer.modules[0], layer.norm, table.epsilon, source)
            if folded is not None:
                weights[f"{scope}/kernel"], weights[f"{scope}/bias"] = folded
            continue
        for module in layer.modules:
            if f"{module}.weight" in rest:
                kernel = _as_convolution(rest.pop(f"{module}.weight"), kernels[scope])
                weights[f"{scope}/kernel"] = _transposed(kernel)
            if f"{module}.bias" in rest:
                weights[f"{scope}/bias"] = rest.pop(f"{module}.bias")
    return weights | rest


def _take_folded(
    rest: dict[str, np.ndarray], conv: str, norm: str, epsilon: float, source: Path
) -> tuple[np.ndarray, np.ndarray] | None:
    """Kernel and bias of a convolution with its BatchNorm, taken out; None if one is missing."""
    norms = [f"{norm}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    needed = [f"{conv}.weight", *norms]
    if not all(name in rest for name in needed):
        return None
    rest.pop(f"{norm}.num_batches_tracked", None)
    arrays = [rest.pop(name).astype(np.float64) for name in needed]
    shapes = [array.shape for array in arrays]
    if len(shapes[0]) != 4 or set(shapes[1:]) != {shapes[0][:1]}:
        module = conv.removesuffix(".conv")
        raise JaxdreamError(f"{source}: {module} has shapes that do not match: {shapes}")
    return _fold(*arrays, epsilon=epsilon)


def _as_convolution(kernel: np.ndarray, ours: tuple[int, ...]) -> np.ndarray:
    """A dense layer that is a convolution in our table, as VGG's first one, as such a kernel."""
    if kernel.ndim == 2 and len(ours) == 4 and kernel.shape == (ours[3], math.prod(ours[:3])):
        return kernel.reshape(ours[3], ours[2], *ours[:2])
    return kernel


def _transposed(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T


def _fold(kernel, gamma, beta, mean, variance, *, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution with its BatchNorm, in float64."""
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a bad variance gives values that are not finite, and are refused
        scale = gamma / np.sqrt(variance + epsilon)
        return kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale
