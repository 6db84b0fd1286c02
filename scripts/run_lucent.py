"""Visualisations by lucent, one channel at a time: what ``compare_lucent.py`` compares.

    python scripts/run_lucent.py SETTINGS.json

Needs PyTorch and torch-lucent, and nothing of jaxdream or JAX. Prints the seconds and the seconds
of the processors, as a list in JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from benchmark.pytorch import Network, preprocessing

Tensor = Any  # torch.Tensor


class Hooked(torch.nn.Module):
    """The network as lucent wants it: RGB of 0..1, and a module whose output is the layer."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.network = Network(settings["layers"], dict(np.load(settings["weights"])))
        self.prepared = preprocessing(settings["preprocessing"], "cpu")
        self.layer = torch.nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The activation of the layer."""
        mean, scale, reverse = self.prepared
        x = 255 * x
        return self.layer(self.network(((x.flip(1) if reverse else x) - mean) / scale))


def main() -> None:
    """Make the pictures and write them."""
    settings = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(settings["threads"])
    from lucent.optvis import param, render  # pyright: ignore[reportMissingImports]

    render.tqdm = lambda steps, **_: steps
    model = Hooked(settings).eval()
    folder = Path(settings["folder"])
    folder.mkdir(exist_ok=True)
    started, used = time.perf_counter(), time.process_time()
    for channel in settings["channels"]:
        images = render.render_vis(
            model, f"layer:{channel}", lambda: param.image(settings["size"]),
            thresholds=(settings["steps"],), preprocess=False, show_image=False,
        )  # fmt: skip
        np.save(folder / f"{channel}.npy", images[-1][0])
    print(json.dumps([time.perf_counter() - started, time.process_time() - used]))


if __name__ == "__main__":
    main()
