"""Pictures by Horama, MACO or feature accentuation: what ``compare_maco.py`` compares with.

    python scripts/run_horama.py SETTINGS.json

Needs PyTorch, horama, numpy and tqdm, and nothing of jaxdream or JAX. Horama's own code runs as it
is, with two things in its way replaced. The spectrum that it downloads is a file that
SETTINGS.json names, so that both programs have the same. Of torchvision it needs ``roi_align``
alone, whose compiled part has to fit the PyTorch that is installed: where it does not, the same
bilinear samples are taken by PyTorch's ``grid_sample``.
"""

import importlib
import json
import os
import shutil
import sys
import time
import types
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]

from benchmark.pytorch import Network, preprocessing

Tensor = Any  # torch.Tensor


def roi_align(image: Tensor, boxes: Tensor, output_size: tuple[int, int]) -> Tensor:
    """One sample in the middle of each bin, which is what torchvision takes of small boxes."""
    rows, columns = output_size
    height, width = image.shape[2:]
    left, top, right, bottom = (boxes[:, i, None] for i in (1, 2, 3, 4))
    y = top + (torch.arange(rows) + 0.5) / rows * (bottom - top)
    x = left + (torch.arange(columns) + 0.5) / columns * (right - left)
    # The middle of the first pixel is 0 there, and of the last one 1 here.
    grid = torch.stack(
        torch.broadcast_tensors(
            (2 * x / (width - 1) - 1)[:, None, :], (2 * y / (height - 1) - 1)[:, :, None]
        ),
        dim=-1,
    )
    images = image.expand(len(boxes), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bilinear", align_corners=True)


def without_torchvision() -> None:
    """Put ``roi_align`` in the place of torchvision where that cannot be used."""
    try:
        importlib.import_module("torchvision.ops")
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        for name in ("", ".ops", ".datasets", ".datasets.utils"):
            sys.modules[f"torchvision{name}"] = types.ModuleType(f"torchvision{name}")
        sys.modules["torchvision.ops"].roi_align = roi_align  # pyright: ignore
        sys.modules["torchvision.datasets.utils"].download_url = None  # pyright: ignore


def main() -> None:
    """Make a picture, and write it and the seconds that it took."""
    settings = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(settings["seed"])
    without_torchvision()
    import horama  # pyright: ignore[reportMissingImports]

    weights = dict(np.load(settings["weights"]))
    network = Network(settings["layers"], weights)
    mean, scale, reverse = preprocessing(settings["preprocessing"], "cpu")
    channel = settings["channel"]

    def objective(images: Tensor) -> Tensor:
        x = ((images.flip(1) if reverse else images) - mean) / scale
        return network(x)[:, channel].mean()

    folder = Path(settings["output"]).parent
    options = {"values_range": (0.0, 255.0), "device": "cpu", **settings["options"]}
    if "photograph" in settings:
        photograph = torch.from_numpy(np.load(settings["photograph"]))
        make = partial(horama.accentuation, objective, photograph, **options)
    else:
        shutil.copy(settings["spectrum"], folder / "spectrum_decorrelated.npy")
        os.chdir(folder)  # where Horama looks for the spectrum
        make = partial(horama.maco, objective, **options)
    started, used = time.perf_counter(), time.process_time()
    image, _ = make()
    seconds = [time.perf_counter() - started, time.process_time() - used]
    pixels = image.detach().permute(1, 2, 0).numpy()
    np.savez(settings["output"], pixels=pixels, seconds=seconds)


if __name__ == "__main__":
    main()
