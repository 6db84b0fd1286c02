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
from jaxdream.models.googlenet import googlenet
from jaxdream.models.inception_v3 import torch_names
from jaxdream.models.weights.porting.caffe import AUXILIARY_HEADS

BATCH_NORM_EPSILON = 1e-3
FIRST = "conv1/7x7_s2"  # by which GoogLeNet is known


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
    marks = [f"{module}.conv.weight" for module in modules]
    marks += ["fc.weight", f"{_torch_name(FIRST)}.weight"]
    is_torch = any(mark in weights for mark in marks)
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
    if f"{_torch_name(FIRST)}.weight" in state:
        return _of_googlenet(state)
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


def _of_googlenet(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """BVLC's layers in PyTorch, under Caffe's names with underscores."""
    heads = tuple(map(_torch_name, AUXILIARY_HEADS))
    rest = {name: array for name, array in state.items() if not name.startswith(heads)}
    weights = {}
    for scope in googlenet().kernel_shapes:
        # The main classifier is the third, and so named by some.
        for module in (_torch_name(scope), f"{_torch_name(scope)}_3"):
            if f"{module}.weight" in rest:
                kernel = rest.pop(f"{module}.weight")
                kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
                weights[f"{scope}/kernel"] = kernel
            if f"{module}.bias" in rest:
                weights[f"{scope}/bias"] = rest.pop(f"{module}.bias")
    return weights | rest


def _torch_name(name: str) -> str:
    return name.replace("/", "_")


def _fold(kernel, gamma, beta, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution with its BatchNorm, in float64."""
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a bad variance gives values that are not finite, and are refused
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale
