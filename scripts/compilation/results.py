"""What was found of each program, as data that is written down as it comes."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jaxdream import JaxdreamError
from jaxdream.files.writing import replacing


@dataclass(frozen=True)
class Found:
    """A compiled program; bytes and operations are those of each device."""

    programs: int  # of the case; seconds are of all, and the rest is of the largest
    seconds: float  # to trace, lower and compile
    shape: tuple[int, int]  # height and width of the pictures
    pictures: int
    peak_bytes: int
    kernels: int  # in a step
    hbm_bytes: int  # read and written in a step
    operations: int  # that the network's convolutions need in a step
    collectives: dict[str, int] = field(default_factory=dict)  # in a step, by kind
    collective_bytes: int = 0
    compiler_bytes: float | None = None  # in a step by the compiler's own count, where it has one
    compiler_operations: float | None = None


@dataclass(frozen=True)
class Row:
    """One case of one network in one precision on one target."""

    target: str
    network: str
    precision: str
    case: str
    compiler: str  # and its version
    found: Found | None = None
    error: str | None = None  # why it does not compile

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What was asked for."""
        return self.target, self.network, self.precision, self.case


def read_rows(path: Path | None) -> list[Row]:
    """The rows that a file has; none if there is no file yet.

    Raises:
        JaxdreamError: it has something else.
        OSError: it cannot be read.
    """
    if path is None or not path.exists():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Row])
    except msgspec.MsgspecError as error:
        raise JaxdreamError(f"--json {path}: not written by compile_for.py: {error}") from error


def write_rows(path: Path | None, rows: list[Row]) -> None:
    """Write all rows.

    Raises:
        JaxdreamError: it cannot be written.
    """
    if path is not None:
        with replacing(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(rows), indent=1))
