"""MACO by jaxdream and by Horama, the program of its authors: the objective's value and the time.

    python scripts/compare_maco.py --horama PYTHON

PYTHON is that of an environment with PyTorch, horama, numpy and tqdm. Both programs have the same
network (``googlenet_mini``), objectives, seeds, spectrum, size, steps, crops and noise, and
otherwise their own defaults: Horama NAdam with a rate of 1 and its colours, jaxdream Adam with its
rate and colours. Each picture is made by a process of its own, first one program and then the
other; the time is from the network to the finished picture, jaxdream's with compiling.

The value is that of the objective on the same 64 crops of each finished picture, as jaxdream's
network sees it. Prints a table in Markdown; the pictures are written into a folder.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

import jaxdream as jd
from benchmark.internals import describe_subject, load_subject
from jaxdream.visualization.crops import RandomCrops
from jaxdream.visualization.natural_spectrum import power_law

SIZE, CROPS = 512, 6
# Where Horama's default says 0.20 to 0.25, its code draws from 0.25 to 0.30.
SMALLEST, LARGEST = 0.25, 0.30
NOISE = 0.05 * 255 / 5  # Horama's, of values from -2.5 to 2.5, in levels
TARGETS = (("inception_4c/output", 10), ("inception_5b/output", 50))
SEEN = 64  # crops of a finished picture


def crops() -> RandomCrops:
    """Those of Horama, whose noise is the sum of a normal and a uniform one."""
    noise = NOISE * (1 + 1 / 12) ** 0.5
    return RandomCrops(count=CROPS, smallest=SMALLEST, largest=LARGEST, noise=noise)


def ours(output: Path, layer: str, index: int, seed: int, steps: int) -> None:
    """Make a picture by jaxdream, and write it and the seconds that it took."""
    model = jd.load_model("googlenet_mini")
    target = jd.objectives.channel(layer, index)
    started, used = time.perf_counter(), time.process_time()
    image = jd.visualize(
        seed, model, target, parametrization="maco", size=SIZE, steps=steps, transforms=crops()
    )
    pixels = np.asarray(image)
    seconds = [time.perf_counter() - started, time.process_time() - used]
    np.savez(output, pixels=pixels, seconds=seconds)


def theirs(python: str, output: Path, layer: str, index: int, seed: int, steps: int) -> None:
    """Make a picture by Horama, likewise."""
    folder = output.parent
    subject = load_subject("googlenet_mini", Path("weights/googlenet_mini.safetensors"), layer)
    np.save(folder / "spectrum.npy", np.moveaxis(power_law(SIZE), -1, 0))
    options = {"total_steps": steps, "image_size": SIZE, "model_input_size": 224, "noise": NOISE}
    options["crops_per_iteration"] = CROPS
    values = describe_subject(subject, folder) | {
        "spectrum": str((folder / "spectrum.npy").resolve()),
        "output": str(output.resolve()),
        "channel": index, "seed": seed, "threads": os.cpu_count(), "options": options,
    }  # fmt: skip
    settings = folder / "horama.json"
    settings.write_text(json.dumps(values), "utf-8")
    program = Path(__file__).with_name("run_horama.py")
    subprocess.run([python, str(program), str(settings)], check=True, stderr=subprocess.DEVNULL)


def value(model: jd.Network, target: jd.Objective, pixels: Float[np.ndarray, "h w 3"]) -> float:
    """The mean of the objective on crops of a picture, the same for all pictures."""
    views = RandomCrops(count=SEEN, smallest=SMALLEST, largest=LARGEST, noise=0.0)
    look = jax.jit(lambda key: target.value(model, views(key, pixels)))
    return float(np.mean([look(key) for key in jax.random.split(jax.random.key(2026), SEEN)]))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="MACO by jaxdream and by Horama")
    parser.add_argument("--horama", metavar="PYTHON", help="of an environment with horama")
    parser.add_argument("--folder", type=Path, default=Path("maco_comparison"))
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # a picture of ours
    options = parser.parse_args()
    if options.one:
        layer, index, seed, output = options.one
        ours(Path(output), layer, int(index), int(seed), options.steps)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    model = jd.load_model("googlenet_mini")
    print("| channel | seed | value: ours | Horama | seconds: ours | Horama | CPU: ours | Horama |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for layer, index in TARGETS:
        target = jd.objectives.channel(layer, index)
        for seed in options.seeds:
            name = f"{layer.replace('/', '_')}_{index}_{seed}"
            own, other = (options.folder / f"{name}_{who}.npz" for who in ("jaxdream", "horama"))
            words = ["--one", layer, str(index), str(seed), str(own), "--steps", str(options.steps)]
            subprocess.run([sys.executable, __file__, *words], check=True)
            theirs(options.horama, other, layer, index, seed, options.steps)
            cells = []
            for path in (own, other):
                made = np.load(path)
                jd.write_image(path.with_suffix(".png"), made["pixels"].clip(0, 255))
                cells.append([value(model, target, made["pixels"]), *made["seconds"]])
            pairs = zip(*cells, strict=True)
            texts = [f"{number:.3g}" for pair in pairs for number in pair]
            print(f"| {layer} {index} | {seed} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
