"""jaxdream against the same network in PyTorch, on the machine it runs on.

    pip install '.[bench]' && python scripts/bench.py --markdown table.md --json table.json

Measures, in one run and in turns: one step (a picture rolled, the gradient, the normalised step) at
three sizes with GoogLeNet to inception_4c/output and Inception v3 to mixed_4; whole dreams of a
photograph as processes, from start to the written picture, with an empty and with a filled cache;
a step of ever larger pictures in one amount of memory, and of several pictures at once; the
start-up. Prints medians with quartiles, and ratios taken round by round. Without weight files the
weights are random: the speed does not depend on their values.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench_graph import Subject
    from bench_results import Results

INTERRUPTED = 130  # the exit code
NETWORKS = ("googlenet", "inception_v3_2015")
QUICK_LAYERS = ("inception_3a/output", "mixed")
PARTS = ("steps", "runs", "large", "batches", "startup")
SIZES = ((224, 224), (384, 512), (575, 1024))
LARGE = ((512, 512), (1024, 1024), (2048, 2048), (4096, 4096))
LARGE_MEMORY = "2.8GB"
PHOTO = Path(__file__).parents[1] / "docs" / "pictures" / "rocket.jpg"
DREAM = {"steps": 10, "octaves": 4, "octave_scale": 1.4, "step_size": 1.5, "jitter": 32}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="jaxdream against PyTorch, on this machine")
    add = parser.add_argument
    add("--googlenet", type=Path, metavar="PATH", help="weights (default: random ones)")
    add("--inception", type=Path, metavar="PATH", help="weights (default: random ones)")
    add("--photo", type=Path, default=PHOTO, help="dreamed by the whole runs, at 1024x575")
    add("--rounds", type=int, default=9, help="of the steps (default: %(default)s)")
    add("--runs", type=int, default=3, help="rounds of the whole runs (default: %(default)s)")
    add("--only", nargs="+", choices=(*NETWORKS, *PARTS), default=[], metavar="NAME",
        help=f"networks and parts to measure, of {', '.join((*NETWORKS, *PARTS))}")  # fmt: skip
    add("--layers", action="store_true", help="time every layer alone, at 384x512, and stop")
    add("--threads", type=int, help="processors to use (default: all)")
    add("--memory", default=LARGE_MEMORY, metavar="LIMIT",
        help="what a large picture may take (default: %(default)s)")  # fmt: skip
    add("--patience", type=float, default=120, metavar="SECONDS",
        help="lost at most, in each part, on measuring again what other programs disturbed "
        "(default: %(default)s)")  # fmt: skip
    add("--quick", action="store_true", help="tiny sizes and few rounds: only to see it run")
    add("--json", type=Path, metavar="OUT", help="write all measurements")
    add("--markdown", type=Path, metavar="OUT", help="write the tables")
    options = parser.parse_args(arguments)
    options.networks = [name for name in NETWORKS if name in options.only] or list(NETWORKS)
    options.parts = [name for name in PARTS if name in options.only] or list(PARTS)
    options.sizes, options.photo_size, options.matmul = SIZES, (575, 1024), 2048
    options.layers_size, options.large = (384, 512), LARGE
    options.dream, options.ends = dict(DREAM), {}
    if options.quick:
        options.sizes, options.photo_size, options.matmul = ((96, 128),), (90, 120), 256
        options.layers_size, options.large = (96, 128), ((96, 96), (192, 192))
        options.rounds, options.runs = min(options.rounds, 2), 1
        options.patience = min(options.patience, 5)
        options.ends = dict(zip(NETWORKS, QUICK_LAYERS, strict=True))
        options.dream |= {"steps": 2, "octaves": 1, "jitter": 8}
    return options


def subjects(options: argparse.Namespace) -> "list[Subject]":
    """The networks to be measured, with their weights."""
    from bench_graph import Subject, random_weights

    from jaxdream.models.weights.load import load_file
    from jaxdream.models.weights.registry import record_of

    paths = dict(zip(NETWORKS, (options.googlenet, options.inception), strict=True))
    found = []
    for name in options.networks:
        record, path = record_of(name), paths[name]
        if path is None:
            weights, source = random_weights(record.build()), "random"
        else:
            weights, source = load_file(name, path)[1].arrays, path.name
        end = options.ends.get(name, record.default_layer)
        found.append(Subject(name, record.build(), record.preprocessing, end, weights, source))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    options = parse(arguments)
    # JAX otherwise takes most of a GPU's memory at once, and leaves PyTorch none.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.exit("bench: needs PyTorch: pip install '.[bench]'")
    import bench_machine
    import bench_report

    threads = bench_machine.use_threads(options.threads)
    torch.set_num_threads(threads)
    from jaxdream.errors import JaxdreamError

    try:
        results = measure(options, threads)
    except (JaxdreamError, OSError, RuntimeError) as error:
        sys.exit(f"bench: {error}")
    markdown = bench_report.to_markdown(results)
    print(markdown)
    if options.markdown:
        options.markdown.write_text(markdown)
    if options.json:
        options.json.write_text(results.to_json())
    sys.exit(INTERRUPTED if results.interrupted else 0)


def measure(options: argparse.Namespace, threads: int) -> "Results":
    """All that was asked for."""
    import bench_machine
    import bench_steps
    import jax
    from bench_results import Results

    platform = jax.default_backend()
    device = bench_steps.torch_device(platform)
    networks = subjects(options)
    results = Results(
        bench_machine.describe_machine(device),
        time.strftime("%Y-%m-%d"),
        {subject.name: subject.source for subject in networks},
    )
    _say(bench_machine.load_now())
    parts = {
        "steps": _steps,
        "runs": _runs,
        "large": _large,
        "batches": _batches,
        "startup": _startup,
    }
    chosen = {"layers": _layers} if options.layers else {n: parts[n] for n in options.parts}
    for name, part in chosen.items():
        quiet = bench_machine.Quiet(options.patience)
        context = {"platform": platform, "device": device, "threads": threads, "quiet": quiet}
        try:
            part(options, results, networks, **context)
        except KeyboardInterrupt:
            results.interrupted = True
            _say(f"interrupted in {name}: here is what was measured")
            break
        finally:
            results.others[name] = quiet.share
    return results


def _steps(options, results: "Results", networks: "list[Subject]", *, platform, device, quiet, **_):
    import bench_steps
    from bench_results import Steps

    from bench_graph import step_flops  # isort: skip

    n = options.matmul
    results.matmul_flops = 2 * n**3
    results.matmul = bench_steps.interleave(
        bench_steps.matmul_clocks(n, device), options.rounds, quiet
    )
    for subject in networks:
        for size in options.sizes:
            _say(f"steps of {subject.name} at {size[0]}x{size[1]}")
            seconds, preparation = bench_steps.measure_steps(
                subject, size, rounds=options.rounds, platform=platform, quiet=quiet
            )
            flops = step_flops(subject.graph, subject.layer, size)
            results.steps.append(
                Steps(subject.name, subject.layer, size, flops, seconds, preparation)
            )


def _layers(options, results: "Results", networks: "list[Subject]", *, platform, quiet, **_):
    import bench_steps

    for subject in networks:
        _say(f"layers of {subject.name}")
        times = bench_steps.measure_layers(
            subject, options.layers_size, rounds=options.rounds, platform=platform, quiet=quiet
        )
        results.layers.append((subject.name, options.layers_size, times))


def _runs(options, results: "Results", networks: "list[Subject]", *, device, threads, quiet, **_):
    import bench_processes
    from bench_results import Runs

    from jaxdream.images.picture_files import read_picture, resize_picture, write_image

    size = options.photo_size
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        write_image(photo, resize_picture(read_picture(options.photo), size).pixels)
        for subject in networks:
            _say(f"whole runs of {subject.name} at {size[0]}x{size[1]}")
            runs = bench_processes.measure_runs(
                subject,
                photo,
                rounds=options.runs,
                threads=threads,
                device=device,
                dream=options.dream,
                quiet=quiet,
            )
            results.runs.append(Runs(subject.name, subject.layer, size, runs))


def _large(options, results: "Results", networks: "list[Subject]", *, quiet, **_):
    import bench_processes
    from bench_results import Large

    for subject in networks:
        for size in options.large:
            _say(f"{subject.name} at {size[0]}x{size[1]} in {options.memory}")
            few, many = bench_processes.measure_large(
                subject, options.photo, size, memory=options.memory, quiet=quiet
            )
            large = Large(subject.name, subject.layer, size, options.memory, few, many)
            results.large.append(large)


def _batches(options, results: "Results", networks: "list[Subject]", *, platform, quiet, **_):
    import bench_steps
    from bench_results import Batches

    size = options.sizes[0]
    for subject in networks:
        _say(f"batches of {subject.name} at {size[0]}x{size[1]}")
        seconds = bench_steps.measure_batches(
            subject, size, rounds=options.rounds, platform=platform, quiet=quiet
        )
        results.batches.append(Batches(subject.name, subject.layer, size, seconds))


def _startup(options, results: "Results", networks, *, quiet, **_):
    import bench_processes

    del networks
    _say("start-up")
    results.startup = bench_processes.measure_startup(min(options.rounds, 5), quiet)


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
