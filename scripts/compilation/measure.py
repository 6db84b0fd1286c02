"""Compiling one case for a target, and what is found of it."""

import time

from benchmark.internals import load_subject, step_flops
from compilation.cost import step_cost
from compilation.programs import CASES, CHIPS, Machine, Programs, traced
from compilation.results import Found, Row
from compilation.targets import Target
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.network import Network
from jaxdream.settings import Precision

_LONGEST = 200  # letters of an error


def measure(target: Target, network: str, precision: Precision, case: str) -> Row:
    """The row of a case, which has either what was found or the error."""
    key = target.name, network, precision, case
    try:
        model = load_subject(network, None, None).network().with_precision(precision)
        machine = Machine(target.kind, target.devices(CHIPS.get(case, 1)))
        found = compile_case(target, model, CASES[case](model, machine), len(machine.devices))
    except Exception as error:  # that something does not compile, whatever the reason, is a finding
        line = str(error).strip().split("\n", 1)[0][:_LONGEST]
        return Row(*key, target.compiler, error=f"{type(error).__name__}: {line}")
    return Row(*key, target.compiler, found)


def compile_case(target: Target, model: Network, programs: Programs, chips: int) -> Found:
    """Compile the programs of a case."""
    begun = time.perf_counter()
    compiled = [
        traced(call, target.kind).lower(lowering_platforms=(target.platform,)).compile()
        for call in programs.calls
    ]
    seconds = time.perf_counter() - begun
    last = compiled[-1]
    cost, memory = step_cost(last.as_text() or ""), last.memory_analysis()
    theirs = last.cost_analysis() or {}  # of one pass of the loop; XLA has none for GPUs
    assert memory is not None
    assert isinstance(model, GraphNetwork)
    operations = step_flops(model.graph, model.default_layer, programs.shape) * programs.pictures
    return Found(
        programs=len(compiled),
        seconds=round(seconds, 1),
        shape=programs.shape,
        pictures=programs.pictures,
        peak_bytes=memory.peak_memory_in_bytes,
        kernels=cost.kernels,
        hbm_bytes=cost.hbm_bytes,
        operations=operations // chips,
        collectives=cost.collectives,
        collective_bytes=cost.collective_bytes,
        compiler_bytes=theirs.get("bytes accessed"),
        compiler_operations=theirs.get("flops"),
    )
