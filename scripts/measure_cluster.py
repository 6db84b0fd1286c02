"""What a run over a cluster costs: beside plain ``batch`` on this machine, and for a long list.

``python scripts/measure_cluster.py overhead --pictures 40`` dreams the same pictures both ways, in
turn, and prints seconds; ``listing --entries 100000`` prints what the list of so many pictures
takes of the driver's memory, and of Ray's object store, without dreaming any.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description="measure what a cluster costs")
    commands = parser.add_subparsers(required=True)
    overhead = commands.add_parser("overhead")
    overhead.add_argument("--pictures", type=int, default=40)
    overhead.add_argument("--size", type=int, default=256)
    overhead.add_argument("--model", default="googlenet_mini")
    overhead.set_defaults(run=_overhead)
    listing = commands.add_parser("listing")
    listing.add_argument("--entries", type=int, default=100_000)
    listing.set_defaults(run=_listing)
    options = parser.parse_args()
    options.run(options)


def _overhead(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "in").mkdir()
        random = np.random.default_rng(0)
        for number in range(options.pictures):
            small = random.integers(0, 255, (8, 8, 3), np.uint8)
            side = (options.size, options.size)
            Image.fromarray(small).resize(side).save(base / "in" / f"{number:04}.jpg")
        common = ["--model", options.model]
        # Once each beforehand, so that programs are compiled.
        for name, more in (("batch", []), ("cluster", ["--cluster"])):
            _dream(base, f"{name}-first", [*common, *more])
        for name, more in (("batch", []), ("cluster", ["--cluster"])) * 2:
            seconds, said = _dream(base, name, [*common, *more, "--overwrite"])
            print(f"{name}: {seconds:.1f} s as a process; {said}", flush=True)


def _dream(base: Path, out: str, more: list[str]) -> tuple[float, str]:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "jaxdream", "batch", "in", "-o", out, *more]
    done = subprocess.run(command, cwd=base, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, done.stdout.strip()


def _listing(options: argparse.Namespace) -> None:
    from jaxdream.cluster.entries import Entry, as_input, checked_entries
    from jaxdream.cluster.run import PART
    from jaxdream.cluster.stages import Work
    from jaxdream.folder.inputs import output_names
    from jaxdream.folder.run import picture_seed
    from jaxdream.folder.worker import PictureFile

    begun, before = time.perf_counter(), psutil.Process().memory_info().rss
    names = (f"{n // 1000:05}/photo-{n:09}.jpg" for n in range(options.entries))
    entries = checked_entries((Entry(f"s3://bucket/{name}", name) for name in names), "")
    outputs = output_names([as_input(entry) for entry in entries], "s3://bucket/out")
    files = [
        PictureFile(as_input(e), name, picture_seed(0, e.name))
        for e, name in zip(entries, outputs, strict=True)
    ]
    parts = [
        Work(tuple(entries[n : n + PART]), tuple(files[n : n + PART])).dumps()
        for n in range(0, len(entries), PART)
    ]
    taken = psutil.Process().memory_info().rss - before
    seconds, objects = time.perf_counter() - begun, sum(map(len, parts))
    print(
        f"{options.entries} entries: {seconds:.1f} s, {taken / 1e6:.0f} MB of the driver, "
        f"{objects / 1e6:.0f} MB of objects in {len(parts)} parts"
    )


if __name__ == "__main__":
    main()
