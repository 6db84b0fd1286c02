"""How a run over a cluster ends, and what a very large one needs: by simulation, without pictures.

``python scripts/simulate_cluster.py slow`` deals batches to workers of which one is slow, as the
engine does: each has one batch at work and others waiting. It prints when the run ends, as a
multiple of the shortest time that is possible. ``size`` prints what the list, the manifest and the
driver have to do for so many pictures, from what ``measure_cluster.py listing`` measured.
"""

import argparse
import heapq
import math
from typing import NamedTuple

AHEAD = 2  # batches that a worker has at once, as in ``jaxdream.cluster.run``
PART = 4096  # pictures that are planned together
PART_ROWS, MERGED_ROWS = 5_000, 50_000  # of a part of the manifest, when written and when merged


class Costs(NamedTuple):
    """What was measured for a picture, or for a task."""

    list_seconds: float = 32e-6  # of the driver, to list and sort
    list_bytes: float = 240  # of its disk
    manifest_seconds: float = 34e-6  # of the driver, to write and merge
    manifest_bytes: float = 163
    part_bytes: float = 520_000  # of the object store, for a part on its way


def main() -> None:
    parser = argparse.ArgumentParser(description="simulate runs over clusters")
    commands = parser.add_subparsers(required=True)
    slow = commands.add_parser("slow")
    slow.add_argument("--workers", type=int, default=8)
    slow.add_argument("--factor", type=float, default=3.0, help="how slow the slow one is")
    slow.set_defaults(run=_slow)
    size = commands.add_parser("size")
    size.add_argument("--pictures", type=float, default=1e9)
    size.add_argument("--accelerators", type=int, default=1000)
    size.add_argument("--rate", type=float, default=9.0, help="pictures a second of each")
    size.add_argument("--batch", type=int, default=32)
    size.set_defaults(run=_size)
    options = parser.parse_args()
    options.run(options)


def end_of_run(speeds: list[float], batches: int, *, ahead: int = AHEAD) -> float:
    """When the last of so many equal batches is done, in batches of a worker of speed 1.

    Each worker is given another batch as soon as one of its ``ahead`` is done; at the beginning
    they are dealt in turn.
    """
    left = batches
    waiting = [0] * len(speeds)
    for _ in range(ahead):
        for worker in range(len(speeds)):
            if left:
                waiting[worker] += 1
                left -= 1
    events = [(1 / speed, n) for n, speed in enumerate(speeds) if waiting[n]]
    heapq.heapify(events)
    now = 0.0
    while events:
        now, worker = heapq.heappop(events)
        waiting[worker] -= 1
        if left:
            left, waiting[worker] = left - 1, waiting[worker] + 1
        if waiting[worker]:
            heapq.heappush(events, (now + 1 / speeds[worker], worker))
    return now


def in_shares(speeds: list[float], batches: int) -> float:
    """When it is done if every worker has the same share from the beginning."""
    return math.ceil(batches / len(speeds)) / min(speeds)


def _slow(options: argparse.Namespace) -> None:
    speeds = [1.0] * (options.workers - 1) + [1 / options.factor]
    for each in (2, 5, 10, 20, 50, 100, 1000):
        batches = each * options.workers
        ideal = batches / sum(speeds)
        ends = [end_of_run(speeds, batches, ahead=n) / ideal for n in (1, AHEAD, 4)]
        print(
            f"{each} batches for each worker: {ends[0]:.2f} of the ideal with 1 batch at once, "
            f"{ends[1]:.2f} with {AHEAD}, {ends[2]:.2f} with 4; "
            f"{in_shares(speeds, batches) / ideal:.2f} in equal shares"
        )


def _size(options: argparse.Namespace) -> None:
    costs, pictures = Costs(), options.pictures
    for runs in (1, 10, 20, 100):
        each, workers = pictures / runs, options.accelerators / runs
        rate = workers * options.rate
        hours = each / rate / 3600
        driver = each * (costs.list_seconds + costs.manifest_seconds) / 3600
        batches = each / options.batch
        end = end_of_run([1.0] * round(workers), min(round(batches), 10**6))
        ideal = min(round(batches), 10**6) / round(workers)
        print(
            f"{runs} runs of {each:.2g} pictures on {workers:.0f} accelerators: {hours:.1f} h, "
            f"{rate / options.batch:.0f} batches/s; the driver is busy for {driver:.1f} h "
            f"({driver / hours:.0%}), {each * costs.list_bytes / 1e9:.0f} GB of its disk, "
            f"{each * costs.manifest_bytes / 1e9:.0f} GB of manifest in {each / PART_ROWS:.0f} "
            f"parts, {each / MERGED_ROWS:.0f} when merged; {each / PART:.0f} parts of the list; "
            f"end after {end / ideal:.3f} of the ideal"
        )


if __name__ == "__main__":
    main()
