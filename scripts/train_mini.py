"""Train the network that comes with jaxdream: a small GoogLeNet, distilled from BVLC's.

    python scripts/train_mini.py --shared ../shared --state ~/mini --hours 8
    python scripts/train_mini.py --shared ../shared --state ~/mini --export OUT.safetensors

The student begins as what least squares makes of its teacher, layer by layer (``mini_start.py``).
It matches the teacher's activations after every block through learned 1x1 adapters, and its
softened logits (``mini_model.py``). Training goes in rounds: the teacher looks at some thousand
crops once, then the student learns from them several times. The learning rate stays constant after
a warm-up, so that a run can always be continued; what is exported is an average over the last
steps. ``--decay-from`` brings the rate to zero at ``--steps`` and so ends a run.

Crops and their order are a function of the options and the step's number, and a checkpoint holds
everything else, so a run that was stopped (SIGTERM and Ctrl-C write a checkpoint) goes on exactly
as if it had not been. ``--start-from`` begins a new run with an exported network.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mini_data
import mini_model
import mini_start
import numpy as np
import optax
from jaxtyping import Array
from mini_model import Activations, Lesson, Pixels, Teacher, Tree
from mini_rounds import Rounds, whole_batch
from optax.contrib import MuonDimensionNumbers, muon
from safetensors import safe_open
from safetensors.numpy import save

from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import replacing
from jaxdream.models.googlenet import googlenet
from jaxdream.models.ops import Weights
from jaxdream.models.weights import registry
from jaxdream.models.weights.check import check_weights, write_weights
from jaxdream.models.weights.porting import read_weights

EMA_DECAY = 0.998  # of the weights that are evaluated and exported
PIXELS = 32 * 96 * 96  # in a batch
STEPS_PER_ROUND = 240
CHECKPOINT_SECONDS, REPORT_SECONDS = 300, 60
CALIBRATION_SIDE, CALIBRATION_CROPS, CALIBRATION_BATCHES = 160, 32, 8
HELD_OUT_SIDE = 160
# What must be as it was for a run to go on, and what is noted in the log when it does.
FIXED = ("widths", "seed")
NOTED = ("start_from", "sides", "reuse", "pixels", "rate", "adam_rate", "decay_from", "steps")


class TrainState(NamedTuple):
    """All that a step changes."""

    params: Tree  # {"net": by scope, "adapters": by point}
    averaged: Tree  # exponential moving average of params
    optimizer: optax.OptState
    step: Array


@dataclass(frozen=True, eq=False)  # static data of compiled functions: compared by identity
class Trainer:
    """What stays the same through a run."""

    lesson: Lesson
    optimizer: optax.GradientTransformation

    def start(self, params: Tree) -> TrainState:
        """The state before the first step."""
        averaged = jax.tree.map(jnp.copy, params)
        return TrainState(params, averaged, self.optimizer.init(params), jnp.zeros((), jnp.int32))

    @partial(jax.jit, static_argnums=0)
    def teach(self, teacher: Teacher, images: Pixels, phase: Array | None) -> Activations:
        """What the teacher sees, in half precision: it is kept for many crops."""
        made = mini_model.teach(self.lesson, teacher, images, phase)
        return {name: value.astype(jnp.float16) for name, value in made.items()}

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def step(
        self, state: TrainState, images: Pixels, theirs: Activations, phase: Array
    ) -> tuple[TrainState, Activations]:
        """One step; also the parts of the loss."""

        def loss(params: Tree):
            return mini_model.loss(self.lesson, params, images, theirs, phase)

        gradient, parts = jax.grad(loss, has_aux=True)(state.params)
        updates, optimizer = self.optimizer.update(gradient, state.optimizer, state.params)
        params: Tree = optax.apply_updates(state.params, updates)
        net = {
            scope: layer | {"kernel": mini_model.unit_columns(layer["kernel"])}
            if layer["kernel"].ndim == 4
            else layer
            for scope, layer in params["net"].items()
        }
        params = params | {"net": net}
        # A young average must not remember the random start.
        decay = jnp.minimum(EMA_DECAY, (1 + state.step) / (10 + state.step))
        averaged = optax.incremental_update(params, state.averaged, 1 - decay)
        return TrainState(params, averaged, optimizer, state.step + 1), parts

    @partial(jax.jit, static_argnums=0)
    def statistics(self, net: Tree, images: Pixels) -> Tree:
        """Means and variances of every convolution's output."""
        return mini_model.study(self.lesson, net, images)[1]

    @partial(jax.jit, static_argnums=0)
    def measure(
        self, folded: Tree, adapters: Tree, teacher: Teacher, images: Pixels
    ) -> Activations:
        """Unexplained shares of the folded student, and how often both name the same class."""
        ours = mini_model.perform(self.lesson, folded, images)
        theirs = mini_model.teach(self.lesson, teacher, images, None)
        shares = mini_model.unexplained(adapters, ours, theirs)
        logits = self.lesson.logits
        shares["agreement"] = jnp.mean(ours[logits].argmax(-1) == theirs[logits].argmax(-1))
        return shares


def learning_rate(options: argparse.Namespace, rate: float) -> optax.Schedule:
    """Warm-up, constant, and, if asked for, a linear decay to zero at the last step."""
    pieces = [optax.linear_schedule(0, rate, options.warmup), optax.constant_schedule(rate)]
    bounds = [options.warmup]
    if options.decay_from is not None:
        pieces.append(optax.linear_schedule(rate, 0, options.steps - options.decay_from))
        bounds.append(options.decay_from)
    return optax.join_schedules(pieces, bounds)


def make_optimizer(options: argparse.Namespace) -> optax.GradientTransformation:
    """Muon (Jordan et al. 2024) for the convolutions, Adam for everything else."""

    def matrices(params: Tree) -> Tree:
        convolution = MuonDimensionNumbers((0, 1, 2), 3)
        return jax.tree.map(lambda leaf: convolution if leaf.ndim == 4 else None, params)

    return muon(
        learning_rate(options, options.rate),
        adam_learning_rate=learning_rate(options, options.adam_rate),
        adam_b2=0.99,
        muon_weight_dimension_numbers=matrices,
    )


def make_trainer(options: argparse.Namespace) -> Trainer:
    """The student's and the teacher's graphs, and the optimiser."""
    early, middle, late = options.widths
    lesson = Lesson(
        googlenet(width=(early, middle, late), lrn=False),
        googlenet(),
        mini_model.POINTS,
        mini_model.LOGITS,
    )
    return Trainer(lesson, make_optimizer(options))


def calibrated(trainer: Trainer, net: Tree, data: mini_data.Pictures) -> dict[str, np.ndarray]:
    """The net with BatchNorm folded, at its mean statistics on crops of some size."""
    random = np.random.default_rng(0)
    seen = [
        trainer.statistics(net, mini_data.crops(data, random, CALIBRATION_CROPS, CALIBRATION_SIDE))
        for _ in range(CALIBRATION_BATCHES)
    ]
    mean = jax.tree.map(lambda *values: np.mean(np.stack(values), 0, dtype=np.float32), *seen)
    return mini_model.fold(net, mean)


class Examination:
    """The student as it would be exported, against the teacher on pictures it never saw."""

    def __init__(self, trainer: Trainer, shared: Path, data: mini_data.Pictures, teacher: Teacher):
        self.trainer, self.data, self.teacher = trainer, data, teacher
        self.sets = {
            "held_out": mini_data.held_out(shared, HELD_OUT_SIDE),
            "photos": mini_data.photographs(shared, HELD_OUT_SIDE),
        }

    def __call__(self, state: TrainState) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Figures by set and point, and the folded weights."""
        averaged = state.averaged
        folded = calibrated(self.trainer, averaged["net"], self.data)
        figures = {}
        for name, images in self.sets.items():
            parts = [
                self.trainer.measure(
                    folded, averaged["adapters"], self.teacher, whole_batch(images, first, 32)
                )
                for first in range(0, len(images), 32)
            ]
            figures |= {f"{name} {k}": float(np.mean([p[k] for p in parts])) for k in parts[0]}
        return figures, folded


def export(trainer: Trainer, folded: dict[str, np.ndarray], path: Path) -> None:
    """Write folded weights in our layout, float16."""
    check_weights(folded, trainer.lesson.student, source="the trained network")
    write_weights(path, folded, model=registry.BUNDLED_MODEL, dtype="float16")


def first_params(
    trainer: Trainer, options: argparse.Namespace, teacher: Teacher, data: mini_data.Pictures
) -> Tree:
    """The network of ``--start-from``, or one fitted to the teacher; and its adapters."""
    lesson, random = trainer.lesson, np.random.default_rng(0)
    crops = mini_data.crops(data, random, options.start_crops, CALIBRATION_SIDE)
    if options.start_from is None:
        folded = mini_start.approximate(lesson, teacher, crops)
    else:
        folded = read_weights(options.start_from)
    check_weights(folded, lesson.student, source=str(options.start_from or "the fitted network"))
    net = mini_model.unfold(lesson, folded, jnp.asarray(crops[: 2 * CALIBRATION_CROPS]))
    return {"net": net, "adapters": mini_start.fit_adapters(lesson, net, teacher, crops)}


def fixed(options: argparse.Namespace) -> str:
    return json.dumps({name: getattr(options, name) for name in FIXED})


def save_checkpoint(state: TrainState, path: Path, options: argparse.Namespace) -> None:
    """Every array of the state, by its place in it; the file is whole or not there."""
    leaves = jax.tree.leaves(state)
    arrays = {f"{i:04}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    with replacing(path) as file:
        file.write(save(arrays, {"step": str(int(state.step)), "options": fixed(options)}))


def load_checkpoint(trainer: Trainer, path: Path, options: argparse.Namespace) -> TrainState:
    """The state in a checkpoint of a run with the same options.

    Raises:
        JaxdreamError: it is of another network or run.
    """
    with safe_open(path, framework="np") as file:
        if (theirs := file.metadata()["options"]) != fixed(options):
            raise JaxdreamError(f"{path} is of a run with {theirs}: give the same options")
        loaded = [jnp.asarray(file.get_tensor(name)) for name in sorted(file.keys())]
    shapes = jax.eval_shape(lambda: trainer.start(mini_model.random_params(trainer.lesson, 0)))
    leaves, tree = jax.tree.flatten(shapes)
    if [x.shape for x in loaded] != [x.shape for x in leaves]:
        raise JaxdreamError(f"{path} is of another network or optimiser")
    return jax.tree.unflatten(tree, loaded)


def train(trainer: Trainer, options: argparse.Namespace) -> None:
    """Run until the last step, the last minute, or until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    (options.state / "pid").write_text(f"{os.getpid()}\n")
    data = mini_data.load(options.shared, options.state)
    teacher = load_teacher(trainer.lesson, options.shared, data)
    examine = Examination(trainer, options.shared, data, teacher)
    rounds = Rounds(partial(trainer.teach, teacher), options, data)
    checkpoint = options.state / "checkpoint.safetensors"
    if checkpoint.exists():
        state = load_checkpoint(trainer, checkpoint, options)
    else:
        state = trainer.start(first_params(trainer, options, teacher, data))
    log = Log(options.state / "log.jsonl")
    log.write(int(state.step), {name: getattr(options, name) for name in NOTED})
    end = time.monotonic() + options.hours * 3600
    saved = examined = time.monotonic()
    for step in range(int(state.step), options.steps):
        state, parts = trainer.step(state, *rounds.batch(step))
        now = time.monotonic()
        ending = stop.is_set() or step + 1 == options.steps or now > end
        log.add(step + 1, rounds.shape(step // options.round)[1], parts, now=ending)
        if now - saved > CHECKPOINT_SECONDS or ending:
            save_checkpoint(state, checkpoint, options)
            saved = now
        if now - examined > options.examine * 60 or (ending and not stop.is_set()):
            figures, folded = examine(state)
            log.write(step + 1, figures)
            keep_best(trainer, options.state, figures, folded)
            examined = now
        if ending:
            return


def keep_best(
    trainer: Trainer, folder: Path, figures: dict[str, float], folded: dict[str, np.ndarray]
) -> None:
    """Export the network if none before explained more of 4c in photographs."""
    best, note = folder / "best.safetensors", folder / "best.json"
    key = "photos inception_4c/output"
    if not note.exists() or figures[key] < json.loads(note.read_text())[key]:
        export(trainer, folded, best)
        note.write_text(json.dumps(figures, indent=1))


class Log:
    """A line of JSON a minute, on screen and in a file: the means since the line before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, float] = {}
        self.steps = self.samples = 0
        self.since = time.monotonic()

    def add(self, step: int, samples: int, parts: Activations, *, now: bool) -> None:
        """One step's figures; a line if it is time."""
        for name, value in parts.items():
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
        """One line."""
        short = {
            name.removesuffix("/output"): round(value, 4) if isinstance(value, float) else value
            for name, value in values.items()
        }
        line = json.dumps({"at": time.strftime("%d %H:%M:%S"), "step": step, **short}, default=str)
        print(line, flush=True)
        with self.path.open("a") as log:
            log.write(line + "\n")


def load_teacher(lesson: Lesson, shared: Path, data: mini_data.Pictures) -> Teacher:
    """BVLC GoogLeNet, its scales measured on a fixed set of crops."""
    arrays = read_weights(shared / "weights" / "bvlc_googlenet.caffemodel")
    scopes = {name.rpartition("/")[0] for name in arrays}
    weights = {
        scope: Weights(jnp.asarray(arrays[f"{scope}/kernel"]), jnp.asarray(arrays[f"{scope}/bias"]))
        for scope in sorted(scopes)
    }
    images = jnp.asarray(mini_data.crops(data, np.random.default_rng(0), 128, 96))
    return mini_model.introduce(lesson, weights, images)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="train the network that comes with jaxdream")
    add = parser.add_argument
    add("--shared", type=Path, required=True, help="the reference material: teacher and images")
    add("--state", type=Path, required=True, help="folder of the checkpoint, the log, the data")
    add("--export", type=Path, metavar="OUT", help="write the checkpoint's network and stop")
    add("--start-from", type=Path, metavar="FILE", help="a new run begins with this network")
    add("--start-crops", type=int, default=768, help="that the first student is fitted on")
    add("--hours", type=float, default=1e6, help="stop after so long")
    add("--steps", type=int, default=10_000_000)
    add("--decay-from", type=int, metavar="STEP", help="from here to the last step, to zero")
    add("--widths", type=float, nargs=3, default=registry.MINI_WIDTHS, help="to 3b, of 4, of 5")
    add("--sides", type=int, nargs="+", default=[128, 128, 96], help="of crops, round by round")
    add("--reuse", type=int, default=3, help="how often a crop is studied")
    add("--rate", type=float, default=0.002, help="of the convolutions: the turn of a step")
    add("--adam-rate", type=float, default=3e-4)
    add("--warmup", type=int, default=100)
    add("--examine", type=float, default=20, metavar="MINUTES", help="between examinations")
    add("--seed", type=int, default=2015)
    parser.set_defaults(pixels=PIXELS, round=STEPS_PER_ROUND)
    return parser.parse_args(arguments)


def main() -> None:
    """Run from the command line."""
    options = parse()
    options.state.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(options.state / "compiled"))
    trainer = make_trainer(options)
    if options.export is None:
        return train(trainer, options)
    checkpoint = options.state / "checkpoint.safetensors"
    if not checkpoint.exists():
        sys.exit(f"train_mini: no checkpoint in {options.state}")
    state = load_checkpoint(trainer, checkpoint, options)
    data = mini_data.load(options.shared, options.state)
    export(trainer, calibrated(trainer, state.averaged["net"], data), options.export)


if __name__ == "__main__":
    main()
