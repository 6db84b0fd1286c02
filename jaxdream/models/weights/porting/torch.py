"""PyTorch's Inception v3, by torchvision's and timm's names; and safetensors with any names.

A pickle can run code when it is opened, so ``.pth`` and ``.bin`` files are read by torch's own
restricted loader, and only if torch is installed.
"""

import importlib
import warnings
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
    modules = torch_names().values()
    is_torch = any(f"{m}.conv.weight" in weights for m in modules) or "fc.weight" in weights
    return from_torch(weights, path) if is_torch else weights


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
        weights = {_checked_name(name): _to_numpy(tensor) for name, tensor in state.items()}
    except Exception as error:  # of many kinds, depending on the file
        raise JaxdreamError(
            f"{path} is not a PyTorch file of plain tensors: it is damaged or holds other objects"
        ) from error
    return from_torch(weights, path)


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a tensor is named {name!r}")
    return name


def _to_numpy(tensor: Any) -> np.ndarray:
    # A tensor may repeat its values, and so be many times as large as the file.
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor repeats its values")
    # Through float32, since NumPy has no bfloat16.
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def from_torch(state: Mapping[str, np.ndarray], source: Path) -> dict[str, np.ndarray]:
    """A state dict in our layout: BatchNorm folded, kernels transposed, auxiliary head left out.

    ``gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta`` is a convolution with a bias.
    Missing arrays stay missing and unknown ones keep their names, so that the strict check lists
    them.

    Raises:
        JaxdreamError: the shapes of a convolution and its BatchNorm do not match.
    """
    modules = {theirs: ours for ours, theirs in torch_names().items()}
    weights = {}
    rest = {name: array for name, array in state.items() if not name.startswith("AuxLogits.")}
    for module, scope in modules.items():
        if module == "fc":
            names = {"kernel": "fc.weight", "bias": "fc.bias"}
            found = {kind: rest.pop(name) for kind, name in names.items() if name in rest}
            weights |= {f"{scope}/{kind}": array.T for kind, array in found.items()}
            continue
        norm = [f"{module}.bn.{n}" for n in ("weight", "bias", "running_mean", "running_var")]
        needed = [f"{module}.conv.weight", *norm]
        if not all(name in rest for name in needed):
            continue
        rest.pop(f"{module}.bn.num_batches_tracked", None)
        arrays = [rest.pop(name).astype(np.float64) for name in needed]
        shapes = [array.shape for array in arrays]
        if len(shapes[0]) != 4 or set(shapes[1:]) != {shapes[0][:1]}:
            raise JaxdreamError(f"{source}: {module} has shapes that do not match: {shapes}")
        weights[f"{scope}/kernel"], weights[f"{scope}/bias"] = _fold(*arrays)
    return weights | rest


def _fold(kernel, gamma, beta, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution with its BatchNorm, in float64."""
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a bad variance gives values that are not finite, and are refused
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale
