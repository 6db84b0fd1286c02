"""The text of a compiled program, as data: computations, instructions, and arrays in memory."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%([\w.\-]+) = (.*?) ([\w\-]+)\((.*)$")
_BUFFER = re.compile(r"\b(pred|[a-z]+\d+)\w*\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?")
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(r"(?:calls|to_apply|body|true_computation|false_computation)=%([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


@dataclass(frozen=True)
class Buffer:
    """An array as it lies in memory."""

    size: int  # in bytes
    on_chip: bool  # in a TPU's own memory (VMEM), say, and not in its HBM

    @property
    def moved(self) -> int:
        """Bytes of HBM that are touched when all of it is read or written."""
        return 0 if self.on_chip else self.size


@dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    op: str
    buffers: tuple[Buffer, ...]  # of its result
    operands: tuple[str, ...]
    called: tuple[str, ...]  # computations; of a loop its body
    trips: int  # of a loop, 1 where that is not known
    is_root: bool  # whether its result is that of the computation
    number: int | None  # of a parameter

    @property
    def size(self) -> int:
        """Bytes of its result."""
        return sum(buffer.size for buffer in self.buffers)

    @property
    def moved(self) -> int:
        """Bytes of its result that are in HBM."""
        return sum(buffer.moved for buffer in self.buffers)


Computation = dict[str, Instruction]  # by name


def parse(text: str) -> dict[str, Computation]:
    """The computations of a program, by name."""
    program: dict[str, Computation] = {}
    current: Computation = {}
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            current = program[head[1]] = {}
        elif found := _INSTRUCTION.match(line):
            instruction = _instruction(*found.groups())
            current[instruction.name] = instruction
    return program


def _instruction(root: str | None, name: str, result: str, op: str, rest: str) -> Instruction:
    arguments = rest.split(")", 1)[0]
    called = _CALLED.findall(rest)
    for branches in _BRANCHES.findall(rest):
        called += _NAME.findall(branches)
    trips = _TRIPS.search(rest)
    return Instruction(
        name,
        op,
        buffers=tuple(_buffers(result)),
        operands=tuple(_NAME.findall(arguments)),
        called=tuple(called),
        trips=int(trips[1]) if trips else 1,
        is_root=root is not None,
        number=int(arguments) if op == "parameter" else None,
    )


def _buffers(text: str) -> Iterable[Buffer]:
    """The arrays of a type, such as ``(f32[2,3]{1,0:T(8,128)S(1)}, u32[])``."""
    for kind, sides, order, tiles in _BUFFER.findall(text):
        shape, minor_first = ([int(n) for n in part.split(",") if n] for part in (sides, order))
        bits = 8 if kind == "pred" else int(re.sub(r"\D", "", kind))
        size = math.prod(_tiled(shape, minor_first, tiles)) * bits // 8
        yield Buffer(size, on_chip="S(" in tiles)


def _tiled(shape: list[int], minor_first: list[int], tiles: str) -> list[int]:
    """The sides as they lie in memory: a TPU's minor ones are filled up to whole tiles.

    Args:
        minor_first: the order of the sides in memory.
        tiles: what the layout says of them, such as "T(8,128)(2,1)S(1)".
    """
    found = re.match(r"T\(([\d,]+)\)", tiles)
    if not found:
        return shape
    tile = [int(n) for n in found[1].split(",")]
    sides = [shape[axis] for axis in minor_first] + [1] * (len(tile) - len(minor_first))
    for i, length in enumerate(reversed(tile)):
        sides[i] = -(-sides[i] // length) * length
    return sides
