"""Visualisations of many channels, by jaxdream and one at a time by lucent: channels an hour.

    python scripts/compare_lucent.py --lucent PYTHON

PYTHON is that of an environment with PyTorch and torch-lucent. Both programs show channels of one
layer of one network, as pictures of the same size with the same number of steps, each with its own
default transformations and optimiser. jaxdream runs ``jaxdream visualize --channels`` as users do:
its time is that of the whole process, with Python's start and all compiling. lucent's time is that
of its calls of ``render_vis`` alone. It makes one half of its channels before jaxdream, the other
half after, so that a machine that becomes slower or faster counts for both.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmark.internals import describe_subject, load_subject


def ours(options: argparse.Namespace, channels: str) -> tuple[float, float]:
    """Seconds of time and of the processors for jaxdream."""
    words = [
        "visualize", "--model", options.model, "--weights", str(options.weights),
        "--layer", options.layer, "--channels", channels, "--size", str(options.size),
        "--steps", str(options.steps), "-o", str(options.folder / "jaxdream"), "--overwrite",
    ]  # fmt: skip
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "jaxdream", *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, used


def theirs(options: argparse.Namespace, channels: list[int]) -> tuple[float, float]:
    """Seconds of time and of the processors for lucent."""
    subject = load_subject(options.model, options.weights, options.layer)
    values = describe_subject(subject, options.folder) | {
        "folder": str(options.folder / "lucent"),
        "channels": channels, "size": options.size, "steps": options.steps,
        "threads": os.cpu_count(),
    }  # fmt: skip
    settings = options.folder / "lucent.json"
    settings.write_text(json.dumps(values), "utf-8")
    program = Path(__file__).with_name("run_lucent.py")
    done = subprocess.run(
        [options.lucent, str(program), str(settings)], check=True, stdout=subprocess.PIPE
    )
    seconds, used = json.loads(done.stdout.splitlines()[-1])
    return seconds, used


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="many channels by jaxdream and by lucent")
    add = parser.add_argument
    add("--lucent", metavar="PYTHON", required=True, help="of an environment with torch-lucent")
    add("--model", default="googlenet_mini")
    add("--weights", type=Path, default=Path("weights/googlenet_mini.safetensors"))
    add("--layer", default="inception_4c/output")
    add("--size", type=int, default=128)
    add("--steps", type=int, default=128)
    add("--ours", type=int, default=32, help="so many channels by jaxdream")
    add("--theirs", type=int, default=4, help="so many by lucent")
    add("--folder", type=Path, default=Path("lucent_comparison"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.folder = options.folder.resolve()
    half = options.theirs // 2
    before = theirs(options, list(range(half)))
    own = ours(options, f"0-{options.ours - 1}")
    after = theirs(options, list(range(half, options.theirs)))
    other = [sum(pair) for pair in zip(before, after, strict=True)]
    print("| program | channels | seconds each | CPU seconds each | channels an hour |")
    print("|---|---|---|---|---|")
    rows = (("jaxdream", options.ours, own), ("lucent", options.theirs, other))
    for name, count, (seconds, used) in rows:
        each = seconds / count
        print(f"| {name} | {count} | {each:.2f} | {used / count:.2f} | {3600 / each:.0f} |")
    print(f"ratio: {other[0] / options.theirs / (own[0] / options.ours):.2f}")


if __name__ == "__main__":
    main()
