"""The settings of a training run, and the command line of ``scripts/train_mini.py``."""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distillation.internals import MINI_WIDTHS


@dataclass(frozen=True)
class TrainSettings:
    """How the student is trained. All but ``widths`` and ``seed`` may change when a run goes on."""

    widths: tuple[float, ...] = MINI_WIDTHS  # shares of the teacher's channels: to 3b, of 4, of 5
    seed: int = 2015
    start_from: Path | None = None  # a new run begins with this exported network
    start_crops: int = 768  # that the first student is fitted on
    hours: float = 1e6
    steps: int = 10_000_000
    decay_from: int | None = None  # from this step to the last the rates fall to zero
    sides: tuple[int, ...] = (128, 128, 96)  # of crops, round by round
    pixels: int = 32 * 96 * 96  # in a batch
    steps_per_round: int = 240
    reuse: int = 3  # how often a crop is used
    rate: float = 0.002  # of Muon, for convolutions
    adam_rate: float = 3e-4  # for everything else
    warmup: int = 100  # steps
    evaluate_minutes: float = 20  # between evaluations


@dataclass(frozen=True)
class Command:
    """A command line."""

    shared: Path  # the reference material: teacher and pictures
    state: Path  # folder of the checkpoint, the log and the decoded pictures
    export: Path | None  # write the network to this file instead of training it
    settings: TrainSettings


def parse(arguments: Sequence[str] | None = None) -> Command:
    """Read a command line; ends the program if it is wrong."""
    parser = argparse.ArgumentParser(description="train the network that comes with jaxdream")
    add, default = parser.add_argument, TrainSettings()
    add("--shared", type=Path, required=True, help="the reference material: teacher and images")
    add("--state", type=Path, required=True, help="folder of the checkpoint, the log, the data")
    add("--export", type=Path, metavar="OUT", help="write the checkpoint's network and stop")
    add("--start-from", type=Path, metavar="FILE", help="a new run begins with this network")
    add("--start-crops", type=int, default=default.start_crops,
        help="number of crops that the first student is fitted on")  # fmt: skip
    add("--hours", type=float, default=default.hours, help="stop after this time")
    add("--steps", type=int, default=default.steps)
    add("--decay-from", type=int, metavar="STEP",
        help="let the rates fall to zero from this step to the last")  # fmt: skip
    add("--widths", type=float, nargs=3, default=default.widths,
        help="shares of the teacher's channels: up to 3b, in 4, in 5")  # fmt: skip
    add("--sides", type=int, nargs="+", default=default.sides, help="of crops, round by round")
    add("--reuse", type=int, default=default.reuse, help="how often a crop is used")
    add("--rate", type=float, default=default.rate, help="learning rate of the convolutions (Muon)")
    add("--adam-rate", type=float, default=default.adam_rate, help="of everything else (Adam)")
    add("--warmup", type=int, default=default.warmup, help="steps")
    add("--evaluate", type=float, default=default.evaluate_minutes, metavar="MINUTES",
        dest="evaluate_minutes", help="time between evaluations")  # fmt: skip
    add("--seed", type=int, default=default.seed)
    given = vars(parser.parse_args(arguments))
    shared, state, export = (given.pop(name) for name in ("shared", "state", "export"))
    given["widths"], given["sides"] = tuple(given["widths"]), tuple(given["sides"])
    return Command(shared, state, export, dataclasses.replace(default, **given))
