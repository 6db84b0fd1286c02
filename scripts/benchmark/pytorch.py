"""DeepDream as a PyTorch programmer writes it: what ``bench.py`` compares jaxdream with.

The network is a list of layers (``internals.describe_layers``) and a dictionary of weights, run
with ``torch.nn.functional``. Nothing of jaxdream or JAX is imported, so as a program of its own

    python scripts/benchmark/pytorch.py SETTINGS.json IN OUT

it costs what a PyTorch program costs. SETTINGS.json holds the layers, the preprocessing, the weight
file and the options of the dream; ``processes.py`` writes it.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]

Tensor = Any  # torch.Tensor; torch is an extra, so the type checker may not have it
Layers = Sequence[Mapping[str, Any]]


class Network:
    """The layers up to the last of the list, as a function of NCHW pictures."""

    def __init__(
        self,
        layers: Layers,
        weights: Mapping[str, np.ndarray],
        *,
        layout: str = "default",
        device: str = "cpu",
    ) -> None:
        self.layers = layers
        channels_last = layout == "channels_last"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.device = device
        self.weights: dict[str, Tensor] = {}
        for name, array in weights.items():
            tensor = torch.from_numpy(np.array(array, np.float32))
            if tensor.ndim == 4:  # HWIO here, OIHW there
                tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=self.format)
            self.weights[name] = tensor.to(device)

    def __call__(self, x: Tensor) -> Tensor:
        """The activation of the last layer for preprocessed pictures, both (n, c, h, w)."""
        values = {}
        for layer in self.layers:
            inputs = [values[name] for name in layer["inputs"]] or [x]
            values[layer["name"]] = self.apply(layer, *inputs)
        return values[self.layers[-1]["name"]]

    def apply(self, layer: Mapping[str, Any], *inputs: Tensor) -> Tensor:
        """One layer."""
        x = inputs[0]
        match layer["op"]:
            case "Conv":
                kernel = self.weights[f"{layer['scope']}/kernel"]
                bias = self.weights[f"{layer['scope']}/bias"]
                padding = tuple(layer["padding"])
                return F.conv2d(x, kernel, bias, stride=layer["stride"], padding=padding)
            case "Relu":
                return F.relu(x, inplace=True)
            case "MaxPool":
                return F.max_pool2d(
                    x,
                    tuple(layer["window"]),
                    layer["stride"],
                    tuple(layer["padding"]),
                    ceil_mode=layer["ceil"],
                )
            case "AveragePool":
                return F.avg_pool2d(x, 3, 1, 1, count_include_pad=layer["counts_padding"])
            case "LocalResponseNorm":
                size = layer["channels"]
                return F.local_response_norm(
                    x, size, alpha=size * layer["scale"], beta=layer["power"], k=layer["bias"]
                )
            case "Concat":
                return torch.cat(inputs, dim=1)
            case "Input" | "Identity":
                return x
        raise NotImplementedError(layer["op"])

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Half the sum of squares of the last layer, and its gradient with respect to ``x``."""
        x = x.detach().contiguous(memory_format=self.format).requires_grad_(True)
        value = 0.5 * self(x).square().sum()
        (gradient,) = torch.autograd.grad(value, x)
        return value.detach(), gradient


def synchronize(device: str) -> None:
    """Wait until the device has finished its work."""
    if device != "cpu":
        torch.cuda.synchronize()


def ascent_step(
    network: Network, image: Tensor, offset: tuple[int, int], *, step_size: float, low, high
) -> Tensor:
    """Roll, gradient, normalise, step, roll back, clip; on preprocessed pictures."""
    ox, oy = offset
    rolled = torch.roll(image, (oy, ox), (2, 3))
    _, gradient = network.gradient(rolled)
    rolled = rolled + step_size / gradient.abs().mean() * gradient
    return torch.clamp(torch.roll(rolled, (-oy, -ox), (2, 3)), low, high)


def resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear with aligned corners."""
    return F.interpolate(image, size=tuple(size), mode="bilinear", align_corners=True)


def dream(
    network: Network,
    image: Tensor,
    *,
    steps: int,
    octaves: int,
    octave_scale: float,
    step_size: float,
    jitter: int,
    low: Tensor,
    high: Tensor,
    notify: Callable[[str], None],
) -> Tensor:
    """The whole classic dream of preprocessed pictures, (n, 3, h, w)."""
    random = np.random.default_rng(0)
    bases = [image]
    for _ in range(octaves - 1):
        size = [round(n / octave_scale) for n in bases[-1].shape[2:]]
        bases.append(resize(bases[-1], size))
    detail = torch.zeros_like(bases[-1])
    for octave, base in enumerate(reversed(bases)):
        image = base + resize(detail, base.shape[2:])
        for step in range(steps):
            ox, oy = random.integers(-jitter, jitter + 1, 2).tolist()
            image = ascent_step(network, image, (ox, oy), step_size=step_size, low=low, high=high)
            synchronize(network.device)
            notify(f"octave {octave + 1}/{octaves} step {step + 1}/{steps}")
        detail = image - base
    return image


def preprocessing(values: Mapping[str, Any], device: str) -> tuple[Tensor, Tensor, bool]:
    """Mean and scale, (1, 3, 1, 1), and whether the channels are reversed."""
    mean, scale = (
        torch.tensor(values[name], dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
        for name in ("mean", "scale")
    )
    return mean, scale, values["order"] == "BGR"


def main() -> None:
    """Read a picture, dream it, write it."""
    from PIL import Image
    from safetensors.numpy import load_file

    with open(sys.argv[1]) as file:
        settings = json.load(file)
    torch.set_num_threads(settings["threads"])
    device = settings["device"]
    layout = settings["layout"]
    network = Network(
        settings["layers"], load_file(settings["weights"]), layout=layout, device=device
    )
    mean, scale, reverse = preprocessing(settings["preprocessing"], device)
    pixels = np.array(Image.open(sys.argv[2]).convert("RGB"), np.float32)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device)
    image = ((image.flip(1) if reverse else image) - mean) / scale
    # The step size is in pixel levels; the network's input may be scaled.
    step_size = settings["dream"].pop("step_size") / float(scale.mean())
    image = dream(
        network,
        image,
        step_size=step_size,
        low=(0 - mean) / scale,
        high=(255 - mean) / scale,
        notify=lambda line: print(line, flush=True),
        **settings["dream"],
    )
    image = image * scale + mean
    image = (image.flip(1) if reverse else image)[0].permute(1, 2, 0)
    Image.fromarray(image.round().clamp(0, 255).byte().cpu().numpy()).save(sys.argv[3])


if __name__ == "__main__":
    main()
