"""MACO by jaxdream and by Horama, the program of its authors: the objective's value and the time.

    python scripts/compare_maco.py --horama PYTHON
    python scripts/compare_maco.py --horama PYTHON --photograph docs/pictures/chelsea.png

PYTHON is that of an environment with PyTorch, horama, numpy and tqdm. Both programs have the same
network (``googlenet_mini``), objectives, seeds, spectrum, size, steps, crops and noise, and
otherwise their own defaults: Horama NAdam with a rate of 1 and its colours, jaxdream Adam with its
rate and colours. Each picture is made by a process of its own, first one program and then the
other; the time is from the network to the finished picture, jaxdream's with compiling.

The value is that of the objective on the same 64 crops of each finished picture, as jaxdream's
network sees it. Prints a table in Markdown; the pictures are written into a folder.

With a photograph it is feature accentuation. jaxdream keeps the activations of ``3a``, and Horama
the pixels, its penalty being that of its default range of values. How far the finished picture is
from the photograph, in levels and at ``3a``, is in the table as well.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

import jaxdream as jd
from benchmark.internals import describe_subject, load_subject
from jaxdream.visualization.crops import RandomCrops
from jaxdream.visualization.natural_spectrum import power_law
from jaxdream.visualization.step import distance

SIZE, CROPS = 512, 6
# Where Horama's default says 0.20 to 0.25, its code draws from 0.25 to 0.30.
SMALLEST, LARGEST = 0.25, 0.30
NOISE = 0.05 * 255 / 5  # Horama's, of values from -2.5 to 2.5, in levels
PENALTY = (5 / 255) ** 2  # Horama's 1, of squares of such values, for squares of levels
KEPT = "3a"
TARGETS = (("inception_4c/output", 10), ("inception_5b/output", 50))
SEEN = 64  # crops of a finished picture


def crops() -> RandomCrops:
    """Those of Horama, whose noise is the sum of a normal and a uniform one."""
    noise = NOISE * (1 + 1 / 12) ** 0.5
    return RandomCrops(count=CROPS, smallest=SMALLEST, largest=LARGEST, noise=noise)


def square(path: str) -> Float[np.ndarray, "h w 3"]:
    """The largest square in the middle of a photograph, at the size of the pictures.

    Its levels are from 0 to 255: Horama stretches a photograph to them, and jaxdream does not.
    """
    photograph = jd.read_image(path)
    side = min(photograph.shape[:2])
    top, left = ((sides - side) // 2 for sides in photograph.shape[:2])
    part = photograph[top : top + side, left : left + side]
    pixels = np.clip(np.asarray(jd.resize(part, (SIZE, SIZE))), 0, 255)
    return 255 * (pixels - pixels.min()) / (pixels.max() - pixels.min())


def ours(
    output: Path, layer: str, index: int, seed: int, steps: int, photograph: str | None
) -> None:
    """Make a picture by jaxdream, and write it and the seconds that it took."""
    model = jd.load_model("googlenet_mini")
    target = jd.objectives.channel(layer, index)
    options: dict[str, Any] = {"parametrization": "maco", "size": SIZE}
    if photograph is not None:
        options = {"image": square(photograph), "keep": KEPT}
    started, used = time.perf_counter(), time.process_time()
    image = jd.visualize(seed, model, target, steps=steps, transforms=crops(), **options)
    pixels = np.asarray(image)
    seconds = [time.perf_counter() - started, time.process_time() - used]
    np.savez(output, pixels=pixels, seconds=seconds)


def theirs(
    python: str, output: Path, layer: str, index: int, seed: int, steps: int, photograph: str | None
) -> None:
    """Make a picture by Horama, likewise."""
    folder = output.parent
    subject = load_subject("googlenet_mini", Path("weights/googlenet_mini.safetensors"), layer)
    options: dict[str, Any] = {
        "total_steps": steps,
        "image_size": SIZE,
        "model_input_size": 224,
        "noise": NOISE,
    }
    options["crops_per_iteration"] = CROPS
    begin = folder / ("spectrum.npy" if photograph is None else "photograph.npy")
    np.save(
        begin, np.moveaxis(power_law(SIZE) if photograph is None else square(photograph), -1, 0)
    )
    if photograph is not None:
        options["penalty"] = PENALTY
    values = describe_subject(subject, folder) | {
        begin.stem: str(begin.resolve()),
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


def distances(
    model: jd.Network, photograph: Float[np.ndarray, "h w 3"], pixels: Float[np.ndarray, "h w 3"]
) -> list[float]:
    """How far a picture is from a photograph: in levels, and as a share of what the layer sees."""
    layer = model.graph.resolve(KEPT)
    pair = model.preprocess(np.stack([photograph, pixels]))
    before, after = model(pair, layers=(layer,))[layer]
    levels = np.abs(pixels - photograph).mean()
    return [float(levels), float(distance(after, before) / distance(0 * before, before))]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="MACO by jaxdream and by Horama")
    parser.add_argument("--photograph", help="to be accentuated, instead of MACO")
    parser.add_argument("--horama", metavar="PYTHON", help="of an environment with horama")
    parser.add_argument("--folder", type=Path, default=Path("maco_comparison"))
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # a picture of ours
    options = parser.parse_args()
    if options.one:
        layer, index, seed, output = options.one
        ours(Path(output), layer, int(index), int(seed), options.steps, options.photograph)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    model = jd.load_model("googlenet_mini")
    measured = ["value", "seconds", "CPU"]
    photograph = None
    if options.photograph is not None:
        measured += ["levels", KEPT]
        photograph = square(options.photograph)
        for layer, index in TARGETS:
            found = value(model, jd.objectives.channel(layer, index), photograph)
            print(f"value of the photograph, {layer} {index}: {found:.3g}")
        print()
    print(f"| channel | seed | {' | '.join(f'{name}: ours | Horama' for name in measured)} |")
    print(f"|---|---|{'---|---|' * len(measured)}", flush=True)
    for layer, index in TARGETS:
        target = jd.objectives.channel(layer, index)
        for seed in options.seeds:
            name = f"{layer.replace('/', '_')}_{index}_{seed}"
            own, other = (options.folder / f"{name}_{who}.npz" for who in ("jaxdream", "horama"))
            words = ["--one", layer, str(index), str(seed), str(own), "--steps", str(options.steps)]
            if photograph is not None:
                words += ["--photograph", options.photograph]
            subprocess.run([sys.executable, __file__, *words], check=True)
            theirs(options.horama, other, layer, index, seed, options.steps, options.photograph)
            cells = []
            for path in (own, other):
                made = np.load(path)
                jd.write_image(path.with_suffix(".png"), made["pixels"].clip(0, 255))
                cells.append([value(model, target, made["pixels"]), *made["seconds"]])
                if photograph is not None:
                    cells[-1] += distances(model, photograph, made["pixels"])
            pairs = zip(*cells, strict=True)
            texts = [f"{number:.3g}" for pair in pairs for number in pair]
            print(f"| {layer} {index} | {seed} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
