"""Steps and layers of jaxdream and PyTorch, measured in turn in one process: A B C A B C ...

Other programs on the machine, its clock and its heat slow all of them alike, so ratios within a
round hold where times do not.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial

import bench_graph
import bench_torch
import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from bench_graph import Subject
from bench_machine import Quiet
from bench_results import LAYOUTS, OURS, THEIRS, LayerTimes, Measured

import jaxdream as jd
from jaxdream.execution.jit import Program
from jaxdream.models.graph import Node
from jaxdream.models.network import Network
from jaxdream.models.ops import Conv, Relu, Weights, apply_op

BATCHES = (1, 2, 4, 8)  # pictures at once
_SETTLE = 0.03  # seconds
_MANY = 1 << 16  # more steps than are ever taken
_IN_A_ROW = 5  # calls of a layer
Clock = Callable[[], float]  # runs once and gives the seconds it took


def interleave(clocks: Mapping[str, Clock], rounds: int, quiet: Quiet) -> dict[str, Measured]:
    """Every clock once, ``rounds`` times over."""
    values: dict[str, list[float]] = {name: [] for name in clocks}

    for _ in range(rounds):
        for name, clock in clocks.items():
            # Worker threads of the library that ran before spin for a while, on a core of ours.
            time.sleep(_SETTLE)
            values[name].append(quiet(clock))
    return {name: Measured(tuple(seconds)) for name, seconds in values.items()}


def torch_device(platform: str) -> str:
    """PyTorch's device: as JAX's if it can."""
    return "cuda" if platform == "gpu" and torch.cuda.is_available() else "cpu"


def network_of(subject: Subject) -> Network:
    """jaxdream's network."""
    return Network(
        subject.name, subject.graph, subject.pixels, subject.layer, subject.weights, "benchmark"
    )


def torch_network(subject: Subject, layout: str, device: str) -> bench_torch.Network:
    """The same network in PyTorch."""
    layers = bench_graph.description(subject.graph, subject.layer)
    needed = {layer["scope"] for layer in layers}
    weights = {n: w for n, w in subject.weights.items() if n.rpartition("/")[0] in needed}
    return bench_torch.Network(layers, weights, layout=layout, device=device)


def picture(size: tuple[int, int]) -> np.ndarray:
    """A picture with structure at all scales, RGB, 0..255."""
    random = np.random.default_rng(0)
    total = np.zeros((*size, 3), np.float32)
    for cells in (4, 16, 64):
        coarse = random.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        total += np.asarray(jd.resize(coarse, size))
    return np.clip(128 + 50 * total, 0, 255)


def matmul_clocks(n: int, device: str) -> dict[str, Clock]:
    """Square float32 matrix products: the rate they reach is what the machine can do."""
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
        bench_torch.synchronize(device)
        return time.perf_counter() - start

    jax_clock()
    torch_clock()
    return {OURS: jax_clock, "PyTorch": torch_clock}


def jax_step_clock(model: Network, image: np.ndarray, *, scan: bool) -> Clock:
    """Seconds per step of ``iterate_dream`` on one octave.

    A step at a time on CPU; on other platforms ten in the scan that runs there.
    """
    dream = partial(jd.iterate_dream, jax.random.key(0), model, jnp.asarray(image), octaves=1)
    states = iter(()) if scan else dream(steps=_MANY)

    def clock() -> float:
        nonlocal states
        if scan:
            states = dream(steps=10)
        start = time.perf_counter()
        state = next(states)
        jax.block_until_ready(state.image)
        return (time.perf_counter() - start) / (10 if scan else 1)

    return clock


def measure_batches(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, quiet: Quiet
) -> dict[str, Measured]:
    """Seconds of one step per picture, by how many are dreamed at once."""
    model, image = network_of(subject), picture(size)

    def clock(count: int) -> Clock:
        step = jax_step_clock(model, np.stack([image] * count), scan=platform != "cpu")
        step()
        step()
        return lambda: step() / count

    return interleave({str(count): clock(count) for count in BATCHES}, rounds, quiet)


def torch_step_clock(subject: Subject, image: np.ndarray, layout: str, *, device: str) -> Clock:
    """Seconds per step of PyTorch."""
    network = torch_network(subject, layout, device)
    mean, scale, reverse = bench_torch.pixel_range(vars(subject.pixels), device)
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
    x = ((x.flip(1) if reverse else x) - mean) / scale
    step = partial(
        bench_torch.ascent_step,
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
        bench_torch.synchronize(device)
        return (time.perf_counter() - start) / steps

    return clock


def measure_steps(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, quiet: Quiet
) -> tuple[dict[str, Measured], dict[str, float]]:
    """Seconds per step by program, and what the first step took more: compilation, preparation."""
    image = picture(size)
    device = torch_device(platform)
    scan = platform != "cpu"
    clocks = {OURS: jax_step_clock(network_of(subject), image, scan=scan)}
    for name, layout in zip(THEIRS, LAYOUTS, strict=True):
        clocks[name] = torch_step_clock(subject, image, layout, device=device)
    first = {}
    for name, clock in clocks.items():
        start = time.perf_counter()
        clock()
        first[name] = time.perf_counter() - start
    measured = interleave(clocks, rounds, quiet)
    # The clocks of a scan give a tenth of what they take.
    steps = 10 if scan else 1
    return measured, {n: max(0.0, first[n] - steps * measured[n].median) for n in clocks}


def measure_layers(
    subject: Subject, size: tuple[int, int], *, rounds: int, platform: str, quiet: Quiet
) -> list[LayerTimes]:
    """Every layer alone, with random inputs of the size it has in the network."""
    device = torch_device(platform)
    graph = subject.graph
    nodes = graph.needed([subject.layer])
    sizes = graph.sizes(subject.layer, size)
    flops = bench_graph.layer_flops(graph, subject.layer, size)
    networks = {
        name: torch_network(subject, layout, device)
        for name, layout in zip(THEIRS, LAYOUTS, strict=True)
    }
    random = np.random.default_rng(0)
    times = []
    for node in nodes:
        if not node.inputs or isinstance(node.op, Relu):
            continue
        relu = next((n for n in nodes if n.inputs == (node.name,) and isinstance(n.op, Relu)), None)
        unit = [node, relu] if relu and isinstance(node.op, Conv) else [node]
        shapes = [(1, *sizes[i], graph.channels[i]) for i in node.inputs]
        inputs = [np.maximum(random.normal(size=s), 0).astype(np.float32) for s in shapes]
        clocks = {OURS: _jax_layer_clocks(subject, unit, inputs)}
        for name, network in networks.items():
            clocks[name] = _torch_layer_clocks(network, unit, inputs)
        forward, gradient = (
            interleave({name: _settled(pair[i]) for name, pair in clocks.items()}, rounds, quiet)
            for i in (0, 1)
        )
        times.append(LayerTimes(unit[-1].name, flops.get(node.name, 0), forward, gradient))
    return times


def _settled(clock: Clock) -> Clock:
    """The fastest of a few calls in a row.

    The first may find its threads asleep, or the other library's still awake, for ten milliseconds:
    nothing to a step, but longer than most layers take.
    """
    return lambda: min(clock() for _ in range(_IN_A_ROW))


def _jax_layer_clocks(
    subject: Subject, unit: list[Node], inputs: list[np.ndarray]
) -> tuple[Clock, Clock]:
    scope = unit[0].scope
    weights = None
    if f"{scope}/kernel" in subject.weights:
        weights = Weights(
            *(jnp.asarray(subject.weights[f"{scope}/{part}"]) for part in Weights._fields)
        )

    def apply(weights, *inputs):
        y = apply_op(unit[0].op, inputs, weights)
        for node in unit[1:]:
            y = apply_op(node.op, [y])
        return y

    # Compiled as the steps of a dream are.
    forward = Program(apply)

    @Program
    def gradient(weights, cotangent, output, *inputs):
        # In the network the output is at hand for the ReLU's gradient; alone, recomputing it
        # would be charged to the gradient.
        if len(unit) > 1:
            cotangent = jnp.where(output > 0, cotangent, 0)
            pull = jax.vjp(lambda *x: apply_op(unit[0].op, x, weights), *inputs)[1]
        else:
            pull = jax.vjp(partial(apply, weights), *inputs)[1]
        return pull(cotangent)

    xs = [jnp.asarray(x) for x in inputs]
    y = forward(weights, *xs)
    cotangent = jnp.ones_like(y)

    def timed(function, *arguments) -> float:
        start = time.perf_counter()
        jax.block_until_ready(function(weights, *arguments))
        return time.perf_counter() - start

    clocks = partial(timed, forward, *xs), partial(timed, gradient, cotangent, y, *xs)
    for clock in clocks:
        clock()
    return clocks


def _torch_layer_clocks(
    network: bench_torch.Network, unit: list[Node], inputs: list[np.ndarray]
) -> tuple[Clock, Clock]:
    layers = {layer["name"]: layer for layer in network.layers}
    xs = [
        torch.from_numpy(x)
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=network.format)
        .to(network.device)
        .requires_grad_(True)
        for x in inputs
    ]

    def run():
        y = network.apply(layers[unit[0].name], *xs)
        for node in unit[1:]:
            y = network.apply(layers[node.name], y)
        return y

    y = run()
    cotangent = torch.ones_like(y)

    def timed(function) -> float:
        start = time.perf_counter()
        function()
        bench_torch.synchronize(network.device)
        return time.perf_counter() - start

    def gradient():
        return torch.autograd.grad(y, xs, cotangent, retain_graph=True)

    clocks = partial(timed, run), partial(timed, gradient)
    for clock in clocks:
        clock()
    return clocks
