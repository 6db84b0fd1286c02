"""The measurements of a benchmark as data: seconds, bytes, and the ratios between programs."""

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

LAYOUTS = ("default", "channels_last")  # of PyTorch
OURS = "jaxdream"
THEIRS = tuple(f"PyTorch {layout}" for layout in LAYOUTS)
TOGETHER, IN_TURN = "in one program", "one at a time"
FIRST, SECOND = "jaxdream, first run", "jaxdream, second run"


@dataclass(frozen=True)
class Machine:
    """The machine that a benchmark runs on."""

    processor: str
    cores: int  # that this process may use
    memory_bytes: int
    system: str
    device: str  # JAX's: its platform and kind
    torch_device: str | None  # None where PyTorch is not measured
    versions: dict[str, str]


@dataclass(frozen=True)
class Measured:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile."""
        low, high = np.quantile(self.values, (0.25, 0.75))
        return float(low), float(high)


def best(measured: Mapping[str, Measured], names: Iterable[str] = THEIRS) -> str:
    """The fastest of those that were measured."""
    return min((name for name in names if name in measured), key=lambda n: measured[n].median)


def ratio(ours: Measured, theirs: Measured) -> Measured:
    """Ours to theirs, round by round."""
    pairs = zip(ours.values, theirs.values, strict=True)
    return Measured(tuple(a / b for a, b in pairs))


@dataclass(frozen=True)
class Run:
    """One process."""

    seconds: float
    first_step: float | None  # seconds until a first step was shown
    peak_bytes: int  # resident


@dataclass(frozen=True)
class LayerTimes:
    """One layer's seconds by program, forward and gradient; a convolution with its ReLU."""

    name: str
    flops: int  # forward
    forward: dict[str, Measured]
    gradient: dict[str, Measured]


@dataclass(frozen=True)
class Steps:
    """One step of one network at one size."""

    network: str
    layer: str
    size: tuple[int, int]  # height, width
    flops: int
    seconds: dict[str, Measured]
    preparation: dict[str, float]  # seconds that the first step took longer

    @property
    def ratio(self) -> Measured:
        """jaxdream's time to that of the best PyTorch layout."""
        return ratio(self.seconds[OURS], self.seconds[best(self.seconds)])


@dataclass(frozen=True)
class Runs:
    """Whole runs of one network on one photograph."""

    network: str
    layer: str
    size: tuple[int, int]
    runs: dict[str, list[Run]]

    def seconds(self, kind: str) -> Measured:
        return Measured(tuple(run.seconds for run in self.runs[kind]))

    def ratio(self, kind: str) -> Measured:
        """Of one kind of run to the best PyTorch layout, round by round."""
        measured = {name: self.seconds(name) for name in self.runs}
        return ratio(measured[kind], measured[best(measured)])


@dataclass(frozen=True)
class Large:
    """Dreams of one octave of one size, compiled before: one of 1 step, and one of 4."""

    network: str
    layer: str
    size: tuple[int, int]
    memory: str  # the limit it was given
    few: Run
    many: Run

    @property
    def step(self) -> float:
        """Seconds."""
        return (self.many.seconds - self.few.seconds) / 3

    @property
    def step_per_pixel(self) -> float:
        return self.step / (self.size[0] * self.size[1])


@dataclass(frozen=True)
class Batches:
    """One step of one network on several pictures at once."""

    network: str
    layer: str
    size: tuple[int, int]
    seconds: dict[str, Measured]  # per picture, by the number of pictures at once


@dataclass(frozen=True)
class Variants:
    """One step of one network with several step sizes and channels, in one program or in turn."""

    network: str
    size: tuple[int, int]
    count: int
    seconds: dict[str, Measured]  # per variant: TOGETHER, IN_TURN


@dataclass(frozen=True)
class Host:
    """What Python does between two steps."""

    network: str
    seconds: Measured


@dataclass(frozen=True)
class Coherence:
    """How much the dream of a video changes where its content does not."""

    clip: str
    way: str  # to dream it
    warp_error: float  # mean square of frame minus warped frame before, levels**2
    own_error: float  # the same of the frames before they are dreamed
    detail_change: float  # mean |detail minus warped detail before|, levels
    strength: float  # mean |detail|, levels
    seconds: float  # of a frame, with all that is compiled


@dataclass(frozen=True)
class FrameTime:
    """Where the time of a frame of a video goes, in seconds."""

    clip: str
    size: tuple[int, int]
    flow: float
    frame: float  # from frame to frame, with the flow, which is computed beside the dream before
    codec: float  # to read and to write it


@dataclass(frozen=True)
class Compared:
    """One quantity of two versions of jaxdream, measured in turn."""

    name: str
    unit: str  # ms, s or MiB
    old: Measured
    new: Measured

    @property
    def ratio(self) -> Measured:
        """New to old, round by round: below 1 the new version is better."""
        return ratio(self.new, self.old)


@dataclass(frozen=True)
class Comparison:
    """Two versions of jaxdream on one network."""

    old: str  # which version this is, and where it is installed
    new: str
    network: str
    rows: list[Compared] = field(default_factory=list)


@dataclass
class Results:
    """Everything one run of the benchmark measured."""

    machine: Machine
    date: str
    weights: dict[str, str]  # by network: where they came from
    matmul_flops: int = 0  # of one product
    matmul: dict[str, Measured] = field(default_factory=dict)
    steps: list[Steps] = field(default_factory=list)
    layers: list[tuple[str, tuple[int, int], list[LayerTimes]]] = field(default_factory=list)
    runs: list[Runs] = field(default_factory=list)
    large: list[Large] = field(default_factory=list)
    batches: list[Batches] = field(default_factory=list)
    variants: list[Variants] = field(default_factory=list)
    host: list[Host] = field(default_factory=list)
    startup: dict[str, list[Run]] = field(default_factory=dict)
    coherence: list[Coherence] = field(default_factory=list)
    frame_times: list[FrameTime] = field(default_factory=list)
    comparison: Comparison | None = None
    background: dict[str, float | None] = field(default_factory=dict)  # load by part, 0..1
    interrupted: bool = False  # before everything was measured

    @property
    def rate(self) -> float | None:
        """The machine's matrix-multiply rate, in operations a second: the better of the two."""
        if not self.matmul:
            return None
        return self.matmul_flops / min(m.median for m in self.matmul.values())

    def to_json(self) -> str:
        """All measurements in seconds and bytes, and the ratios."""
        values = asdict(self)
        for data, steps in zip(values["steps"], self.steps, strict=True):
            data["ratio"] = steps.ratio.median
        for data, runs in zip(values["runs"], self.runs, strict=True):
            data["ratio"] = {kind: runs.ratio(kind).median for kind in (FIRST, SECOND)}
        if self.comparison is not None:
            rows = values["comparison"]["rows"]
            for data, compared in zip(rows, self.comparison.rows, strict=True):
                data["ratio"] = compared.ratio.median
        return json.dumps(values, indent=1)
