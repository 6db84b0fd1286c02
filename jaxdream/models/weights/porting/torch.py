"""PyTorch's Inception v3, by torchvision's and timm's names; and safetensors of any names.

A pickle can run code when it is opened, so ``.pth`` and ``.bin`` are left to torch's own restricted
loader, and only where torch is installed.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.models.inception_v3 import torch_names

BATCH_NORM_EPSILON = 1e-3


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Weights of a safetensors file, ours or PyTorch's.

    Raises:
        JaxdreamError: a damaged file.
    """
    from safetensors import SafetensorError, safe_open

    weights = {}
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                weights[name] = file.get_tensor(name)
    except (SafetensorError, OSError, TypeError) as error:
        raise JaxdreamError(f"{path} is not a whole safetensors file: get it again") from error
    modules = torch_names().values()
    is_torch = any(f"{m}.conv.weight" in weights for m in modules) or "fc.weight" in weights
    return from_torch(weights, path) if is_torch else weights


def read_pickled(path: Path) -> dict[str, np.ndarray]:
    """Weights of a PyTorch checkpoint, read by torch as plain tensors and nothing else.

    Raises:
        JaxdreamError: torch is not installed; a damaged file; one that holds more than tensors.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise JaxdreamError(
            f"{path}: reading this kind of file takes PyTorch, which is not installed: "
            "`pip install torch`, or use a .safetensors file"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: _to_numpy(tensor) for name, tensor in state.items()}
    except Exception as error:  # of many kinds, by what is in the file
        raise JaxdreamError(
            f"{path} is not a PyTorch file of plain tensors: it is damaged or holds other objects"
        ) from error
    return from_torch(weights, path)


def _to_numpy(tensor: Any) -> np.ndarray:
    # By way of float32, since NumPy has no bfloat16.
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def from_torch(state: Mapping[str, np.ndarray], source: Path) -> dict[str, np.ndarray]:
    """A state dict in our layout: BatchNorm folded, kernels transposed, auxiliary head left out.

    ``gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta`` is a convolution with a bias.
    What is missing stays missing and what is unknown keeps its name, for the strict check to list.

    Raises:
        JaxdreamError: a convolution and its BatchNorm do not go together.
    """
    modules = {theirs: ours for ours, theirs in torch_names().items()}
    weights = {}
    rest = {name: array for name, array in state.items() if not name.startswith("AuxLogits.")}
    for module, scope in modules.items():
        if module == "fc":
            names = {"kernel": "fc.weight", "bias": "fc.bias"}
            found = {part: rest.pop(name) for part, name in names.items() if name in rest}
            weights |= {f"{scope}/{part}": array.T for part, array in found.items()}
            continue
        norm = [f"{module}.bn.{n}" for n in ("weight", "bias", "running_mean", "running_var")]
        needed = [f"{module}.conv.weight", *norm]
        if not all(name in rest for name in needed):
            continue
        rest.pop(f"{module}.bn.num_batches_tracked", None)
        arrays = [rest.pop(name).astype(np.float64) for name in needed]
        shapes = [array.shape for array in arrays]
        if len(shapes[0]) != 4 or set(shapes[1:]) != {shapes[0][:1]}:
            raise JaxdreamError(f"{source}: {module} has shapes that do not go together: {shapes}")
        weights[f"{scope}/kernel"], weights[f"{scope}/bias"] = _fold(*arrays)
    return weights | rest


def _fold(kernel, gamma, beta, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution with its BatchNorm, in float64."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a bad variance: not finite, so refused
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale
