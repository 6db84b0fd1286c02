"""Layers of jaxdream and of PyTorch, each alone, timed in turn in one process."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from benchmark import pytorch
from benchmark.background import Clock, RerunIfDisturbed, interleave
from benchmark.internals import LayerUnit, Subject, compile_unit, layer_units
from benchmark.results import LAYOUTS, OURS, THEIRS, LayerTimes
from benchmark.steps import torch_network

_IN_A_ROW = 5  # calls of a layer


def measure_layers(
    subject: Subject, size: tuple[int, int], *, rounds: int, device: str, rerun: RerunIfDisturbed
) -> list[LayerTimes]:
    """Every layer alone, with random inputs of the size it has for pictures (height, width)."""
    networks = {
        name: torch_network(subject, layout, device)
        for name, layout in zip(THEIRS, LAYOUTS, strict=True)
    }
    random = np.random.default_rng(0)
    times = []
    for unit in layer_units(subject, size):
        inputs = [
            np.maximum(random.normal(size=shape), 0).astype(np.float32)
            for shape in unit.input_shapes
        ]
        clocks = {OURS: _jax_clocks(subject, unit, inputs)}
        for name, network in networks.items():
            clocks[name] = _torch_clocks(network, unit, inputs)
        forward, gradient = (
            interleave({name: _fastest(pair[i]) for name, pair in clocks.items()}, rounds, rerun)
            for i in (0, 1)
        )
        times.append(LayerTimes(unit.name, unit.flops, forward, gradient))
    return times


def _fastest(clock: Clock) -> Clock:
    """The fastest of a few calls in a row.

    In the first call the threads may still be asleep, or those of the other library still awake,
    for ten milliseconds: nothing for a step, but longer than most layers take.
    """
    return lambda: min(clock() for _ in range(_IN_A_ROW))


def _jax_clocks(subject: Subject, unit: LayerUnit, inputs: list[np.ndarray]) -> tuple[Clock, Clock]:
    forward, gradient = compile_unit(subject, unit)
    xs = [jnp.asarray(x) for x in inputs]
    y = forward(*xs)
    cotangent = jnp.ones_like(y)

    def timed(function, *arguments) -> float:
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        return time.perf_counter() - start

    return _compiled(partial(timed, forward, *xs), partial(timed, gradient, cotangent, y, *xs))


def _torch_clocks(
    network: pytorch.Network, unit: LayerUnit, inputs: list[np.ndarray]
) -> tuple[Clock, Clock]:
    layers = {layer["name"]: layer for layer in network.layers}
    first, *following = [layers[name] for name in unit.node_names]
    xs = [
        torch.from_numpy(x)
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=network.format)
        .to(network.device)
        .requires_grad_(True)
        for x in inputs
    ]

    def forward():
        y = network.apply(first, *xs)
        for layer in following:
            y = network.apply(layer, y)
        return y

    y = forward()
    cotangent = torch.ones_like(y)

    def timed(function) -> float:
        start = time.perf_counter()
        function()
        pytorch.synchronize(network.device)
        return time.perf_counter() - start

    def gradient():
        return torch.autograd.grad(y, xs, cotangent, retain_graph=True)

    return _compiled(partial(timed, forward), partial(timed, gradient))


def _compiled(forward: Clock, gradient: Clock) -> tuple[Clock, Clock]:
    """The clocks, each called once: the first call compiles."""
    forward()
    gradient()
    return forward, gradient
