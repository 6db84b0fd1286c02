"""Steps of jaxdream and of PyTorch, timed in turn in one process."""

import time
from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

import jaxdream as jd
from benchmark import pytorch
from benchmark.background import Clock, RerunIfDisturbed, interleave
from benchmark.internals import Subject, describe_layers
from benchmark.results import IN_TURN, LAYOUTS, OURS, THEIRS, TOGETHER, Measured

BATCHES = (1, 2, 4, 8)  # pictures at once
VARIANTS = 8  # of step sizes and channels, in one program
_MANY_STEPS = 1 << 16  # more than are ever taken


def torch_device(platform: str) -> str:
    """PyTorch's device: as JAX's if it can."""
    return "cuda" if platform == "gpu" and torch.cuda.is_available() else "cpu"


def torch_network(subject: Subject, layout: str, device: str) -> pytorch.Network:
    """The same network in PyTorch."""
    layers = describe_layers(subject.graph, subject.layer)
    needed = {layer["scope"] for layer in layers}
    weights = {n: w for n, w in subject.weights.items() if n.rpartition("/")[0] in needed}
    return pytorch.Network(layers, weights, layout=layout, device=device)


def picture(size: tuple[int, int]) -> np.ndarray:
    """A picture with structure at all scales, RGB, 0..255."""
    random = np.random.default_rng(0)
    total = np.zeros((*size, 3), np.float32)
    for cells in (4, 16, 64):
        coarse = random.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        total += np.asarray(jd.resize(coarse, size))
    return np.clip(128 + 50 * total, 0, 255)


def matmul_clocks(n: int, device: str) -> dict[str, Clock]:
    """Square float32 matrix products: their speed is the machine's limit."""
    a = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    ours, multiply = jnp.asarray(a), jax.jit(jnp.matmul)
    theirs = torch.from_numpy(a).to(device)

    def jax_clock() -> float:
        start = time.perf_counter()
        multiply(ours, ours).block_until_ready()
        return time.perf_counter() - start

    def torch_clock() -> float:
        start = time.perf_counter()
        torch.matmul(theirs, theirs)
        pytorch.synchronize(device)
        return time.perf_counter() - start

    jax_clock()
    torch_clock()
    return {OURS: jax_clock, "PyTorch": torch_clock}


def jax_step_clock(model: jd.Network, image: np.ndarray, *, scan: bool) -> Clock:
    """Seconds per step of ``iterate_dream`` on one octave.

    On CPU a single step is timed; on other platforms ten, because a scan runs them there.
    """
    dream = partial(jd.iterate_dream, jax.random.key(0), model, jnp.asarray(image), octaves=1)
    states = iter(()) if scan else dream(steps=_MANY_STEPS)

    def clock() -> float:
        nonlocal states
        if scan:
            states = dream(steps=10)
        start = time.perf_counter()
        state = next(states)
        jax.block_until_ready(state.array)
        return (time.perf_counter() - start) / (10 if scan else 1)

    return clock


def measure_batches(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, rerun: RerunIfDisturbed
) -> dict[str, Measured]:
    """Seconds of one step per picture, by the number of pictures dreamed at once."""
    model, image = subject.network(), picture(size)

    def clock(count: int) -> Clock:
        step = jax_step_clock(model, np.stack([image] * count), scan=platform != "cpu")
        step()
        step()
        return lambda: step() / count

    return interleave({str(count): clock(count) for count in BATCHES}, rounds, rerun)


def measure_variants(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, rerun: RerunIfDisturbed
) -> dict[str, Measured]:
    """Seconds of one step per variant: of channels and step sizes, together and one at a time."""
    model, image = subject.network(), picture(size)
    steps = 10 if platform != "cpu" else _MANY_STEPS
    settings = jd.DreamSettings(octaves=1, steps=steps)
    variants = [
        jd.Variant(f"channel({subject.layer}, {n})", settings.replace(step_size=1.0 + n / 10))
        for n in range(VARIANTS)
    ]

    def clock(group: Sequence[jd.Variant]) -> Clock:
        states: Iterator[jd.VariantsState] = iter(())

        def seconds() -> float:
            nonlocal states
            if platform != "cpu":
                states = jd.iterate_variants(model, image, group)
            start = time.perf_counter()
            state = next(states)
            jax.block_until_ready(state.dream.array)
            taken = time.perf_counter() - start
            # A CPU computes some of the variants at once, and then the others.
            return taken / (len(state.indices) * (1 if platform == "cpu" else steps))

        if platform == "cpu":
            states = jd.iterate_variants(model, image, group)
        seconds()
        seconds()
        return seconds

    one_after_the_other = [clock([variant]) for variant in variants]

    def in_turn() -> float:
        return sum(one() for one in one_after_the_other) / VARIANTS

    return interleave({TOGETHER: clock(variants), IN_TURN: in_turn}, rounds, rerun)


def torch_step_clock(subject: Subject, image: np.ndarray, layout: str, *, device: str) -> Clock:
    """Seconds per step of PyTorch."""
    network = torch_network(subject, layout, device)
    mean, scale, reverse = pytorch.preprocessing(vars(subject.preprocessing), device)
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
    x = ((x.flip(1) if reverse else x) - mean) / scale
    step = partial(
        pytorch.ascent_step,
        network,
        offset=(7, -5),
        step_size=1.5 / float(scale.mean()),
        low=(0 - mean) / scale,
        high=(255 - mean) / scale,
    )
    steps = 1 if device == "cpu" else 10

    def clock() -> float:
        nonlocal x
        start = time.perf_counter()
        for _ in range(steps):
            x = step(x)
        pytorch.synchronize(device)
        return (time.perf_counter() - start) / steps

    return clock


def measure_steps(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, rerun: RerunIfDisturbed
) -> tuple[dict[str, Measured], dict[str, float]]:
    """Seconds per step by program, and how much longer its first step took (compilation)."""
    image = picture(size)
    device = torch_device(platform)
    scan = platform != "cpu"
    clocks = {OURS: jax_step_clock(subject.network(), image, scan=scan)}
    for name, layout in zip(THEIRS, LAYOUTS, strict=True):
        clocks[name] = torch_step_clock(subject, image, layout, device=device)
    first = {}
    for name, clock in clocks.items():
        start = time.perf_counter()
        clock()
        first[name] = time.perf_counter() - start
    measured = interleave(clocks, rounds, rerun)
    # The clock of a scan of ten steps returns the time of one.
    steps = 10 if scan else 1
    return measured, {n: max(0.0, first[n] - steps * measured[n].median) for n in clocks}
