"""What a run over a cluster costs: beside plain ``batch`` on this machine, and for a long list.

``python scripts/measure_cluster.py overhead --pictures 12 36`` dreams so few and so many pictures
both ways, in turn, and prints what each took, and from the difference what a picture costs once a
run has begun; ``listing --entries 100000`` prints what the list of so many pictures
takes of the driver's memory, and of Ray's object store, without dreaming any.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description="measure what a cluster costs")
    commands = parser.add_subparsers(required=True)
    overhead = commands.add_parser("overhead")
    overhead.add_argument("--pictures", type=int, nargs=2, default=(12, 36))
    overhead.add_argument("--size", type=int, default=256)
    overhead.add_argument("--model", default="googlenet_mini")
    overhead.add_argument("--batch", type=int, default=4)
    overhead.add_argument("--rounds", type=int, default=1)
    overhead.set_defaults(run=_overhead)
    listing = commands.add_parser("listing")
    listing.add_argument("--entries", type=int, default=100_000)
    listing.set_defaults(run=_listing)
    options = parser.parse_args()
    options.run(options)


def _overhead(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base, counts = Path(folder), options.pictures
        for count in (options.batch, *counts):
            make_pictures(base / f"in-{count}", count, options.size)
        ways = {"batch": [], "cluster": ["--cluster"]}
        common = ["--model", options.model, "--batch", str(options.batch)]
        for name, more in ways.items():  # one batch beforehand, so that programs are compiled
            _say(name, options.batch, *_dream(base, options.batch, name, [*common, *more]))
        for number in range(options.rounds):
            costs: dict[str, list[Cost]] = {name: [] for name in ways}
            for count in counts:
                for name, more in ways.items():
                    out = f"{name}-{number}"
                    cost, said = _dream(base, count, out, [*common, *more])
                    costs[name].append(cost)
                    _say(name, count, cost, said)
            each = {name: _each(costs[name], counts[1] - counts[0]) for name in ways}
            for kind, label in enumerate(("seconds", "seconds of processors")):
                plain, cluster = (each[name][kind] for name in ways)
                print(
                    f"each picture more: {plain:.3f} {label}, with --cluster {cluster:.3f}: "
                    f"{cluster / plain - 1:+.0%}",
                    flush=True,
                )


def _say(name: str, count: int, cost: "Cost", said: str) -> None:
    print(f"{name}, {count} pictures: {cost.text()}; {said}", flush=True)


def _each(costs: "list[Cost]", more: int) -> tuple[float, float]:
    """Seconds of a clock and of processors for each of so many pictures more."""
    few, many = costs
    return (
        (many.seconds - few.seconds) / more,
        (many.cpu_seconds - few.cpu_seconds) / more,
    )


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float  # of its process and all that come from it
    first: float  # seconds until there was the first picture

    def text(self) -> str:
        return (
            f"{self.seconds:.1f} s as a process, {self.first:.1f} s to the first picture, "
            f"{self.cpu_seconds:.1f} s of processors"
        )


def make_pictures(folder: Path, count: int, size: int) -> None:
    """So many pictures of smooth colours, squares of so many pixels."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        small = random.integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(small).resize((size, size)).save(folder / f"{number:04}.jpg")


def _dream(base: Path, count: int, out: str, more: list[str]) -> tuple[Cost, str]:
    begun, first, folder, out = time.perf_counter(), 0.0, f"in-{count}", f"{out}-{count}"
    command = [sys.executable, "-m", "jaxdream", "batch", folder, "-o", out, *more]
    used: dict[int, float] = {}
    with subprocess.Popen(command, cwd=base, stdout=subprocess.PIPE, text=True) as process:
        # What is printed is one line, which the pipe holds.
        while process.poll() is None:
            _add_used(used, process.pid)
            if not first and next((base / out).glob("*.jpg"), None):
                first = time.perf_counter() - begun
            time.sleep(0.25)  # looking takes some of the same cores
        seconds = time.perf_counter() - begun
        said = (process.stdout.read() if process.stdout else "").strip()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(seconds, sum(used.values()), first), said


def _add_used(used: dict[int, float], pid: int) -> None:
    """Note the processor seconds of a process and of all that come from it, by their numbers."""
    with suppress(psutil.Error):
        for one in [(parent := psutil.Process(pid)), *parent.children(recursive=True)]:
            with suppress(psutil.Error):
                times = one.cpu_times()
                used[one.pid] = times.user + times.system


def _listing(options: argparse.Namespace) -> None:
    _listed(10)  # so that nothing is imported later
    before = psutil.Process().memory_info().rss
    said = _listed(options.entries)
    # The most that it was, by Linux; what ``resource`` knows may be of the process before this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    taken = int(status.partition("VmHWM:")[2].split()[0]) * 1024 - before
    print(f"{options.entries} entries: {taken / 1e6:.0f} MB of the driver at most, {said}")


def _listed(entries: int) -> str:
    """List so many pictures, have a row of each come out, and merge the manifest of these."""
    from jaxdream.cluster.entries import iterate_places
    from jaxdream.cluster.listing import PART, Listing, PartsOf, Seen, add_apart
    from jaxdream.cluster.manifest import Row, merge_parts, write_part

    with tempfile.TemporaryDirectory() as folder, closing(Listing()) as listing:
        places = Path(folder) / "list.txt"
        with places.open("w") as file:
            for n in range(entries):
                number = n * 7919 % entries  # not in order
                file.write(f"s3://bucket/{number // 1000:05}/photo-{number:09}.jpg\n")
        begun = time.perf_counter()
        add_apart(listing, iterate_places([], lists=[str(places)]))
        listing.check("", "s3://bucket/out")
        listed, size = time.perf_counter(), listing.path.stat().st_size
        parts, seen, longest = PartsOf(str(listing.path), listing.size), Seen(listing), 0
        for number in range(listing.parts()):
            part = parts.part(number)
            longest = max(longest, len(pickle.dumps(part)))
            assert all(seen.add(number, one.entry.name) for one in part)
            write_part(folder, (_row(Row, one) for one in part))
        assert not seen.missing()
        merge_parts(folder)
        ended = time.perf_counter()
        manifest = sum(one.stat().st_size for one in Path(folder).glob("jaxdream-manifest/*"))
    return (
        f"{size / 1e6:.0f} MB of disk for the list, {manifest / 1e6:.0f} MB of manifest, "
        f"{longest / 1e6:.2f} MB of objects for each part of {PART} on its way; "
        f"{listed - begun:.1f} s to list, {ended - listed:.1f} s for the manifest"
    )


def _row(kind: type, one: Any) -> Any:
    """A row of the manifest as a dream has it: two hashes that cannot be compressed."""
    name = one.entry.name
    one_hash, other = (sha256(f"{n}{name}".encode()).hexdigest() for n in range(2))
    return kind(
        name, one.entry.place, one_hash, one.output, other, "0123456789abcdef", 7, "dreamed", "",
        0.5, "host:1", time.time(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
