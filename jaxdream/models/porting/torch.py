"""PyTorch's Inception v3, by torchvision's and timm's names; and safetensors of any names.

A pickle can run code when it is opened, so ``.pth`` and ``.bin`` are left to torch's own restricted
loader, and only where torch is installed.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path

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
    return from_torch(weights) if "fc.weight" in weights else weights


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
        weights = {name: tensor.detach().numpy() for name, tensor in state.items()}
    except Exception as error:  # of many kinds, by what is in the file
        raise JaxdreamError(
            f"{path} is not a PyTorch file of plain tensors: it is damaged or holds other objects"
        ) from error
    return from_torch(weights)


def from_torch(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A state dict in our layout: BatchNorm folded, kernels transposed, auxiliary head left out.

    ``gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta`` is a convolution with a bias.
    What is missing stays missing and what is unknown keeps its name, for the strict check to list.
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
        kernel, gamma, beta, mean, variance = (rest.pop(n).astype(np.float64) for n in needed)
        rest.pop(f"{module}.bn.num_batches_tracked", None)
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        weights[f"{scope}/kernel"] = kernel.transpose(2, 3, 1, 0) * scale
        weights[f"{scope}/bias"] = beta - mean * scale
    return weights | rest
