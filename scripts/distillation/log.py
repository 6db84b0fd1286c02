"""The log of a training run."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from jaxtyping import Array

REPORT_SECONDS = 60


class Log:
    """A line of JSON a minute, on screen and in a file: the means since the line before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, float] = {}
        self.steps = self.samples = 0
        self.since = time.monotonic()

    def add(self, step: int, samples: int, terms: Mapping[str, Array], *, now: bool) -> None:
        """Add one step's terms of the loss; writes a line if it is time, or ``now``."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0) + float(value)
        self.steps, self.samples = self.steps + 1, self.samples + samples
        seconds = time.monotonic() - self.since
        if seconds < REPORT_SECONDS and not now:
            return
        means = {name: value / self.steps for name, value in self.sums.items()}
        speed = {"crops": self.samples, "crops_per_second": self.samples / seconds}
        self.write(step, {**speed, **means})
        self.sums, self.steps, self.samples, self.since = {}, 0, 0, time.monotonic()

    def write(self, step: int, values: Mapping[str, object]) -> None:
        """Write one line."""
        short = {
            name.removesuffix("/output"): round(value, 4) if isinstance(value, float) else value
            for name, value in values.items()
        }
        line = json.dumps({"at": time.strftime("%d %H:%M:%S"), "step": step, **short}, default=str)
        print(line, flush=True)
        with self.path.open("a") as log:
            log.write(line + "\n")
