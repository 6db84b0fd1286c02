"""The tables of what was found, in Markdown."""

from collections.abc import Sequence

from benchmark.report import table
from compilation.results import Found, Row
from compilation.targets import TARGETS

_HEADER = [
    "network, precision, program", "compiled in s", "peak memory", "of the device's",
    "kernels a step", "memory moved a step", "by the compiler's count", "GFLOP a step",
    "collectives a step",
]  # fmt: skip
_TITLES = {
    "dream": "the default dream of a 1024x575 photograph",
    "batch-8": "8 pictures of 384x224",
    "batch-32": "32 pictures of 384x224",
    "largest": "a picture of 4096x4096, whole",
    "rows-4": "the rows of 1024x1024 over 4 devices",
    "rows-8": "the rows of 1024x1024 over 8 devices",
    "visualize": "`visualize`, 16 channels at 224x224",
    "video": "`video`, one frame of each of 4 scenes, 640x360",
}


def to_markdown(rows: Sequence[Row]) -> str:
    """A table for each target; with several devices, the figures are those of each."""
    parts = []
    for target in TARGETS.values():
        of_target = [row for row in rows if row.target == target.name]
        if not of_target:
            continue
        compilers = ", ".join(sorted({row.compiler for row in of_target}))
        parts.append(
            f"### {target.title}, {target.memory / 1e9:.0f} GB ({compilers})\n\n"
            + table(_HEADER, [_cells(row, target.memory) for row in of_target])
        )
    return "\n\n".join(parts) + "\n"


def describe(row: Row) -> str:
    """A row in a line, for the progress."""
    name = f"{row.target}, {row.network}, {row.precision}, {row.case}"
    return f"{name}: {f'{row.found.seconds} s' if row.found else row.error}"


def _cells(row: Row, memory: int) -> list[str]:
    name = f"{row.network}, {row.precision}, {_TITLES[row.case]}"
    if row.found is None:
        return [
            name,
            f"does not compile: {row.error}".replace("|", "/"),
            *[""] * (len(_HEADER) - 2),
        ]
    found = row.found
    if found.programs > 1:
        name += f" ({found.programs} programs)"
    theirs = found.compiler_bytes
    return [
        name,
        f"{found.seconds:.1f}",
        f"{found.peak_bytes / 1e6:.0f} MB",
        f"{found.peak_bytes / memory:.1%}",
        f"{found.kernels}",
        f"{found.hbm_bytes / 1e9:.2f} GB",
        "" if theirs is None else f"{theirs / 1e9:.2f} GB",
        f"{found.operations / 1e9:.0f}",
        _exchanges(found),
    ]


def _exchanges(found: Found) -> str:
    if not found.collectives:
        return "none"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.collectives.items()))
    return f"{kinds}: {found.collective_bytes / 1e6:.1f} MB"
