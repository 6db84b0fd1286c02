"""A case of the attack, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

# A dream that takes no time, of the network that comes with jaxdream.
QUICK = [
    "--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--steps", "1", "--octaves", "1",
]  # fmt: skip
SMALL = [*QUICK, "--size", "32x32"]


@dataclass
class Case:
    """A command line in a folder with odd files."""

    arguments: list[str]
    may_change: tuple[str, ...] = ()  # patterns of files that the command writes again
    codes: tuple[int, ...] = (0, 2, 3)
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 30.0
    memory: int = 2_500_000_000  # bytes


class Outcome(NamedTuple):
    """How a command ended."""

    code: int | None  # None: it did not end in time
    stdout: bytes
    stderr: bytes
    seconds: float
    memory: int  # most bytes that it had at once


class Place(NamedTuple):
    """Where a case lies: ``work`` is the current folder, and ``outside`` nobody may write into."""

    work: Path
    outside: Path
    templates: Path  # made once, to be copied
    random: Random


def make_place(root: Path, templates: Path, random: Random) -> Place:
    """A new place, with a file outside that nobody may read or write."""
    place = Place(root / "work", root / "outside", templates, random)
    place.work.mkdir(parents=True)
    place.outside.mkdir()
    (place.outside / "victim.txt").write_text("the user's own")
    return place
