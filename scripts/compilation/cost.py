"""What a step of a compiled program does: its kernels, bytes of memory, and collectives.

Read from the program's text, since the compiler's own count is no use for it: on GPUs there is
none, and on TPUs it counts what stays on the chip, and every reading of it, like bytes of HBM.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from compilation.hlo import Computation, Instruction, parse

# Names for what is there already.
_FREE = {"parameter", "get-tuple-element", "tuple", "constant", "bitcast", "after-all",
         "partition-id", "opt-barrier"}  # fmt: skip
_PREFETCHES = {"copy-start", "slice-start"}  # by DMA, beside the kernels
_CONTROL = {"call", "while", "conditional", "async-start"}  # what they call runs as it is there
_SLICES = {"slice", "dynamic-slice"}
_COLLECTIVE = re.compile(
    r"(all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)(-start)?"
)

Program = dict[str, Computation]


@dataclass(frozen=True)
class StepCost:
    """What one pass of a program's main loop does, on each device."""

    kernels: int  # without prefetches
    hbm_bytes: int  # read and written
    collectives: dict[str, int]  # exchanges between the devices, by kind
    collective_bytes: int  # of what they give


def step_cost(text: str) -> StepCost:
    """What a step does, for the text of a program that takes the steps in a loop.

    Raises:
        ValueError: there is no loop in it.
    """
    program = parse(text)
    loops = [i for computation in program.values() for i in computation.values() if i.op == "while"]
    if not loops:
        raise ValueError("the program has no loop over steps")
    body = max((loop.called[0] for loop in loops), key=lambda name: len(program[name]))
    exchanges = list(_exchanges(program, body))
    return StepCost(
        kernels=_kernels(program, body),
        hbm_bytes=_bytes(program, body),
        collectives=dict(Counter(op for op, _ in exchanges)),
        collective_bytes=sum(size for _, size in exchanges),
    )


def _exchanges(program: Program, name: str) -> Iterable[tuple[str, int]]:
    """The collectives of a computation and of all that it calls (some are in fusions).

    Gives the kind, and the bytes of the result.
    """
    computation = program[name]
    for i in computation.values():
        if found := _COLLECTIVE.fullmatch(i.op):
            # Until it is done, the result of most has the operands before it.
            repeated = found[2] and found[1] != "all-reduce"
            operands = sum(computation[operand].size for operand in i.operands)
            yield found[1], i.size - operands if repeated else i.size
        for called in i.called:
            yield from _exchanges(program, called)


def _runs(instruction: Instruction) -> bool:
    """Whether it is a kernel."""
    return not (
        instruction.op in _FREE | _PREFETCHES | _CONTROL or instruction.op.endswith("-done")
    )


def _kernels(program: Program, name: str) -> int:
    count = 0
    for i in program[name].values():
        if i.op in _CONTROL:
            count += i.trips * sum(_kernels(program, called) for called in i.called)
        count += _runs(i)
    return count


def _bytes(program: Program, name: str) -> int:
    computation = program[name]
    total = 0
    for i in computation.values():
        if i.op in _CONTROL:
            total += i.trips * sum(_bytes(program, called) for called in i.called)
        elif i.op in _PREFETCHES:
            ends = i.buffers[:2]  # from where to where; one may be larger than what is moved
            total += min(end.size for end in ends) * sum(not end.on_chip for end in ends)
        elif _runs(i):
            total += _kernel_bytes(program, computation, i)
    return total


def _kernel_bytes(program: Program, computation: Computation, kernel: Instruction) -> int:
    """Bytes that a kernel reads and writes: its operands and results, each once."""
    inside, last = {kernel.name: kernel}, kernel
    names = dict(enumerate(kernel.operands))  # of the operands, inside of the kernel
    if kernel.op == "fusion":
        inside = program[kernel.called[0]]
        (last,) = (i for i in inside.values() if i.is_root)
        names = {i.number: i.name for i in inside.values() if i.number is not None}
    reads = {}
    for number, operand in enumerate(kernel.operands):
        whole = computation[operand].moved
        read = min(whole, _read(inside, names[number], whole))
        reads[operand] = max(read, reads.get(operand, 0))
    written = kernel.moved
    if last.op == "dynamic-update-slice":  # in place
        update = last.operands[1]
        written = min(written, (inside.get(update) or computation[update]).size)
    return sum(reads.values()) + written


def _read(inside: Computation, name: str, whole: int) -> int:
    """Bytes of an array that a kernel reads: of slices only their part, for an update nothing."""
    total = 0
    for i in inside.values():
        if name not in i.operands:
            continue
        if i.op == "bitcast":
            total += _read(inside, i.name, whole)
        elif i.op in _SLICES and i.operands[0] == name:
            total += i.size
        elif i.op != "dynamic-update-slice" or i.operands[0] != name:
            return whole
    return total
