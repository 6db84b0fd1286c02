"""The options of ``scripts/bench.py``."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Size = tuple[int, int]  # height, width

DESCRIPTION = """\
jaxdream against the same network in PyTorch, on this machine.

Measures, in one run and in turns: one step (a picture rolled, the gradient, the normalised step) at
three sizes with GoogLeNet to inception_4c/output and Inception v3 to mixed_4; whole dreams of a
photograph as processes, from start to the written picture, with an empty and with a filled cache;
a step of ever larger pictures in one amount of memory, of several pictures at once, and of several
channels and step sizes at once; what Python does between two steps; the start-up; how coherent
dreamed videos are, and the time of a frame (--only video needs no PyTorch). Prints medians
with quartiles, and ratios taken round by round. Without weight files the
weights are random: the speed does not depend on their values.

With --against PATH: jaxdream against another checkout of it, with GoogLeNet (or the bundled network
if no weights are given). Steps at two sizes, whole dreams with an empty and with a filled cache,
and their peak memory, in turns; prints the ratios new / old. Needs no PyTorch."""

NETWORKS = ("googlenet", "inception_v3_2015")
QUICK_LAYERS = ("inception_3a/output", "mixed")
PARTS = ("steps", "runs", "large", "batches", "variants", "host", "startup", "video")
COMPARED = ("steps", "runs")  # the parts of a comparison with another commit
SIZES = ((224, 224), (384, 512), (575, 1024))
WITHOUT_PYTORCH = ("video",)
LARGE = ((512, 512), (1024, 1024), (2048, 2048), (4096, 4096))
LARGE_MEMORY = "2.8GB"
PHOTO = Path(__file__).parents[2] / "docs" / "pictures" / "rocket.jpg"
DREAM = {"steps": 10, "octaves": 4, "octave_scale": 1.4, "step_size": 1.5, "jitter": 32}


@dataclass(frozen=True)
class Options:
    """What to measure, and how often."""

    weights: Mapping[str, Path | None]  # by network to be measured; None: random weights
    parts: tuple[str, ...]
    photo: Path
    rounds: int
    runs: int
    each_layer: bool
    threads: int | None
    memory: str
    rerun_seconds: float
    against: Path | None
    json: Path | None
    markdown: Path | None
    sizes: tuple[Size, ...] = SIZES
    photo_size: Size = (575, 1024)
    layers_size: Size = (384, 512)
    large: tuple[Size, ...] = LARGE
    matmul: int = 2048
    layers: Mapping[str, str] = field(default_factory=dict)  # by network, if not its default
    dream: Mapping[str, Any] = field(default_factory=lambda: dict(DREAM))
    clips: tuple[Path, ...] = ()  # videos to be dreamed, beside those that are made
    video_frames: int = 16
    video_longest: int = 320  # pixels of the longer side
    video_timed: int = 640  # the same where the time of a frame is measured

    @property
    def compared_sizes(self) -> tuple[Size, ...]:
        """The sizes of the steps that are compared with those of another commit."""
        return self.sizes[-2:]


_QUICK = {
    "sizes": ((96, 128),),
    "photo_size": (90, 120),
    "layers_size": (96, 128),
    "large": ((96, 96), (192, 192)),
    "matmul": 256,
    "layers": dict(zip(NETWORKS, QUICK_LAYERS, strict=True)),
    "video_frames": 4,
    "video_longest": 96,
    "video_timed": 96,
    "dream": DREAM | {"steps": 2, "octaves": 1, "jitter": 8},
}


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program if it is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    networks = [name for name in NETWORKS if name in given.only] or NETWORKS
    parts = tuple(name for name in PARTS if name in given.only)
    if given.against is not None:
        networks = NETWORKS[:1]
        if not_compared := sorted(set(given.only) - {*networks, *COMPARED}):
            parser.error(f"--only {not_compared[0]}: --against compares {', '.join(COMPARED)}")
        parts = parts or COMPARED
    paths = {"googlenet": given.googlenet, "inception_v3_2015": given.inception}
    quick: dict[str, Any] = _QUICK if given.quick else {}
    return Options(
        weights={name: paths[name] for name in networks},
        parts=parts or PARTS,
        photo=given.photo,
        rounds=min(given.rounds, 2) if given.quick else given.rounds,
        runs=1 if given.quick else given.runs,
        each_layer=given.layers,
        threads=given.threads,
        memory=given.memory,
        rerun_seconds=min(given.rerun_seconds, 5) if given.quick else given.rerun_seconds,
        against=given.against,
        json=given.json,
        markdown=given.markdown,
        clips=tuple(given.clips),
        **quick,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    names = (*NETWORKS, *PARTS)
    add("--googlenet", type=Path, metavar="PATH", help="weights (default: random ones)")
    add("--inception", type=Path, metavar="PATH", help="weights (default: random ones)")
    add("--photo", type=Path, default=PHOTO, help="dreamed by the whole runs, at 1024x575")
    add("--rounds", type=int, default=9, help="of the steps (default: %(default)s)")
    add("--runs", type=int, default=3, help="rounds of the whole runs (default: %(default)s)")
    add("--only", nargs="+", choices=names, default=[], metavar="NAME",
        help=f"networks and parts to measure, of {', '.join(names)}")  # fmt: skip
    add("--layers", action="store_true", help="time every layer alone, at 384x512, and stop")
    add("--against", type=Path, metavar="PATH",
        help="compare with another checkout, or with the jaxdream of another Python: the folder "
        "of the checkout, or the Python (or virtual environment) it is installed in")  # fmt: skip
    add("--threads", type=int, help="processors to use (default: all)")
    add("--memory", default=LARGE_MEMORY, metavar="LIMIT",
        help="the memory limit of large pictures (default: %(default)s)")  # fmt: skip
    add("--rerun-seconds", type=float, default=120, metavar="SECONDS",
        help="limit, for each part, on the time lost by repeating measurements that other programs "
        "disturbed (default: %(default)s)")  # fmt: skip
    add("--clips", nargs="+", type=Path, default=[], metavar="FILE",
        help="videos to dream, beside a panned photograph and a still one")  # fmt: skip
    add("--quick", action="store_true", help="tiny sizes and few rounds: only to see it run")
    add("--json", type=Path, metavar="OUT", help="write all measurements")
    add("--markdown", type=Path, metavar="OUT", help="write the tables")
    return parser
