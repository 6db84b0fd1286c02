"""The parts of a comparison with PyTorch: each measures one thing and adds it to the results."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import torch  # pyright: ignore[reportMissingImports]

from benchmark import internals, layers, runs, steps, video
from benchmark.background import RerunIfDisturbed, interleave
from benchmark.internals import Subject, load_subject, step_flops
from benchmark.log import log
from benchmark.machine import describe_machine
from benchmark.options import Options
from benchmark.processes import write_photo
from benchmark.results import Batches, Host, Large, Results, Runs, Steps, Variants


@dataclass(frozen=True)
class Context:
    """What every part needs."""

    options: Options
    results: Results  # added to
    subjects: list[Subject]
    platform: str  # of JAX
    device: str  # of PyTorch
    threads: int


def measured_parts(
    options: Options, threads: int
) -> tuple[Results, dict[str, Callable[[RerunIfDisturbed], None]]]:
    """Empty results, and the functions that fill them, by name.

    Raises:
        JaxdreamError: a weight file cannot be read or is of another network.
    """
    torch.set_num_threads(threads)
    platform = jax.default_backend()
    device = steps.torch_device(platform)
    subjects = [
        load_subject(name, path, options.layers.get(name)) for name, path in options.weights.items()
    ]
    weights = {subject.name: subject.source for subject in subjects}
    results = Results(describe_machine(device), time.strftime("%Y-%m-%d"), weights)
    context = Context(options, results, subjects, platform, device, threads)
    if options.each_layer:
        return results, {"layers": partial(_layers, context)}
    parts = {
        "steps": _steps,
        "runs": _runs,
        "large": _large,
        "batches": _batches,
        "variants": _variants,
        "host": _host,
        "startup": _startup,
        "video": _video,
    }
    return results, {name: partial(parts[name], context) for name in options.parts}


def _steps(context: Context, rerun: RerunIfDisturbed) -> None:
    options, results = context.options, context.results
    n = options.matmul
    results.matmul_flops = 2 * n**3
    clocks = steps.matmul_clocks(n, context.device)
    results.matmul = interleave(clocks, options.rounds, rerun)
    for subject in context.subjects:
        for size in options.sizes:
            log(f"steps of {subject.name} at {size[0]}x{size[1]}")
            seconds, preparation = steps.measure_steps(
                subject, size, rounds=options.rounds, platform=context.platform, rerun=rerun
            )
            flops = step_flops(subject.graph, subject.layer, size)
            results.steps.append(
                Steps(subject.name, subject.layer, size, flops, seconds, preparation)
            )


def _layers(context: Context, rerun: RerunIfDisturbed) -> None:
    size = context.options.layers_size
    for subject in context.subjects:
        log(f"layers of {subject.name}")
        times = layers.measure_layers(
            subject, size, rounds=context.options.rounds, device=context.device, rerun=rerun
        )
        context.results.layers.append((subject.name, size, times))


def _runs(context: Context, rerun: RerunIfDisturbed) -> None:
    options, size = context.options, context.options.photo_size
    with tempfile.TemporaryDirectory() as folder:
        photo = write_photo(Path(folder), options.photo, size)
        for subject in context.subjects:
            log(f"whole runs of {subject.name} at {size[0]}x{size[1]}")
            measured = runs.measure_runs(
                subject,
                photo,
                rounds=options.runs,
                threads=context.threads,
                device=context.device,
                dream=options.dream,
                rerun=rerun,
            )
            context.results.runs.append(Runs(subject.name, subject.layer, size, measured))


def _large(context: Context, rerun: RerunIfDisturbed) -> None:
    options = context.options
    for subject in context.subjects:
        for size in options.large:
            log(f"{subject.name} at {size[0]}x{size[1]} in {options.memory}")
            few, many = runs.measure_large(
                subject, options.photo, size, memory=options.memory, rerun=rerun
            )
            large = Large(subject.name, subject.layer, size, options.memory, few, many)
            context.results.large.append(large)


def _batches(context: Context, rerun: RerunIfDisturbed) -> None:
    options, size = context.options, context.options.sizes[0]
    for subject in context.subjects:
        log(f"batches of {subject.name} at {size[0]}x{size[1]}")
        seconds = steps.measure_batches(
            subject, size, rounds=options.rounds, platform=context.platform, rerun=rerun
        )
        context.results.batches.append(Batches(subject.name, subject.layer, size, seconds))


def _variants(context: Context, rerun: RerunIfDisturbed) -> None:
    options, size = context.options, context.options.sizes[0]
    for subject in context.subjects:
        log(f"variants of {subject.name} at {size[0]}x{size[1]}")
        seconds = steps.measure_variants(
            subject, size, rounds=options.rounds, platform=context.platform, rerun=rerun
        )
        found = Variants(subject.name, size, steps.VARIANTS, seconds)
        context.results.variants.append(found)


def _host(context: Context, rerun: RerunIfDisturbed) -> None:
    for subject in context.subjects:
        log(f"host work of a step of {subject.name}")
        clock = internals.host_clock(subject)
        measured = interleave({subject.name: clock}, 10 * context.options.rounds, rerun)
        context.results.host.append(Host(subject.name, measured[subject.name]))


def _startup(context: Context, rerun: RerunIfDisturbed) -> None:
    log("start-up")
    context.results.startup = runs.measure_startup(min(context.options.rounds, 5), rerun)


def _video(context: Context, rerun: RerunIfDisturbed) -> None:
    video.measure(context.options, context.results, rerun)
