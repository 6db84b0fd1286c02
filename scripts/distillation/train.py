"""Train the network that comes with jaxdream: a small GoogLeNet, distilled from BVLC's.

The student begins with weights that least squares fits to its teacher, layer by layer
(``start.py``). It is trained to match the teacher's activations after every block through learned
1x1 adapters, and its softened logits (``model.py``). Training goes in rounds: the teacher computes
its features of some thousand crops once, and the student is trained on each of them several times.
The learning rate stays constant after a warm-up, so that a run can always be continued; an average
over the last steps is exported. ``--decay-from`` lets the rate fall to zero at ``--steps`` and so
ends a run.

Crops and their order are a function of the settings and the step's number, and a checkpoint holds
everything else, so a run that was stopped (SIGTERM and Ctrl-C write a checkpoint) goes on exactly
as if it had not been. ``--start-from`` begins a new run with an exported network.
"""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from distillation import data, model, start
from distillation.checkpoints import Checkpoints
from distillation.evaluation import (
    CALIBRATION_CROPS,
    CALIBRATION_SIDE,
    Evaluator,
    calibrate,
)
from distillation.internals import (
    Weights,
    check_weights,
    export_student,
    googlenet,
    read_weights,
    student_graph,
)
from distillation.log import Log
from distillation.model import DistillSpec, Teacher, Tree
from distillation.rounds import Rounds
from distillation.settings import Command, TrainSettings, parse
from distillation.steps import (
    TrainState,
    half_precision_targets,
    make_optimizer,
    start_state,
    train_step,
)
from jaxdream import JaxdreamError

CHECKPOINT_SECONDS = 300


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = parse(arguments)
    command.state.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(command.state / "compiled"))
    settings = command.settings
    spec = DistillSpec(student_graph(settings.widths), googlenet(), model.POINTS, model.LOGITS)
    optimizer = make_optimizer(settings)
    try:
        with Checkpoints(command.state / "checkpoints", settings) as checkpoints:
            state = checkpoints.load(state_shapes(spec, optimizer))
            if command.export is None:
                train(command, spec, optimizer, checkpoints, state)
            elif state is None:
                raise JaxdreamError(f"--export: there is no checkpoint in {command.state}")
            else:
                pictures = data.load(command.shared, command.state)
                folded = calibrate(spec, state.averaged["net"], pictures)
                export_student(folded, spec.student, command.export)
    except (JaxdreamError, OSError) as error:
        sys.exit(f"train_mini: {error}")


def state_shapes(spec: DistillSpec, optimizer: optax.GradientTransformation) -> TrainState:
    """The tree of a state, without its values."""
    return jax.eval_shape(lambda: start_state(model.random_params(spec, 0), optimizer))


def train(
    command: Command,
    spec: DistillSpec,
    optimizer: optax.GradientTransformation,
    checkpoints: Checkpoints,
    resumed: TrainState | None,
) -> None:
    """Run until the last step, the last minute, or until told to stop.

    Args:
        resumed: the state to go on from; None begins a new run.
    """
    settings = command.settings
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    (command.state / "pid").write_text(f"{os.getpid()}\n")
    pictures = data.load(command.shared, command.state)
    teacher = load_teacher(spec, command.shared, pictures)
    evaluate = Evaluator(spec, command.shared, pictures, teacher)
    rounds = Rounds(partial(half_precision_targets, teacher, spec=spec), settings, pictures)
    state = resumed or start_state(first_params(spec, settings, teacher, pictures), optimizer)
    log = Log(command.state / "log.jsonl")
    log.write(int(state.step), dataclasses.asdict(settings))
    end = time.monotonic() + settings.hours * 3600
    saved = evaluated = time.monotonic()
    for step in range(int(state.step), settings.steps):
        state, terms = train_step(state, *rounds.batch(step), spec=spec, optimizer=optimizer)
        now = time.monotonic()
        ending = stop.is_set() or step + 1 == settings.steps or now > end
        log.add(step + 1, rounds.batch_size(step), terms, now=ending)
        if now - saved > CHECKPOINT_SECONDS or ending:
            checkpoints.save(step + 1, state)
            saved = now
        if now - evaluated > settings.evaluate_minutes * 60 or (ending and not stop.is_set()):
            figures, folded = evaluate(state)
            log.write(step + 1, figures)
            keep_best(spec, command.state, figures, folded)
            evaluated = now
        if ending:
            return


def first_params(
    spec: DistillSpec, settings: TrainSettings, teacher: Teacher, pictures: data.Pictures
) -> Tree:
    """The network of ``start_from``, or one fitted to the teacher; and its adapters."""
    random = np.random.default_rng(0)
    crops = data.crops(pictures, random, settings.start_crops, CALIBRATION_SIDE)
    if settings.start_from is None:
        folded = start.approximate(spec, teacher, crops)
    else:
        folded = read_weights(settings.start_from)
    check_weights(folded, spec.student, source=str(settings.start_from or "the fitted network"))
    net = model.unfold(spec, folded, jnp.asarray(crops[: 2 * CALIBRATION_CROPS]))
    return {"net": net, "adapters": start.fit_adapters(spec, net, teacher, crops)}


def load_teacher(spec: DistillSpec, shared: Path, pictures: data.Pictures) -> Teacher:
    """BVLC GoogLeNet, its scales measured on a fixed set of crops."""
    arrays = read_weights(shared / "weights" / "bvlc_googlenet.caffemodel")
    scopes = {name.rpartition("/")[0] for name in arrays}
    weights = {
        scope: Weights(jnp.asarray(arrays[f"{scope}/kernel"]), jnp.asarray(arrays[f"{scope}/bias"]))
        for scope in sorted(scopes)
    }
    images = jnp.asarray(data.crops(pictures, np.random.default_rng(0), 128, 96))
    return model.measure_teacher(spec, weights, images)


def keep_best(
    spec: DistillSpec, folder: Path, figures: dict[str, float], folded: dict[str, np.ndarray]
) -> None:
    """Export the network if it explains more of 4c in photographs than all before."""
    best, note = folder / "best.safetensors", folder / "best.json"
    key = "photos inception_4c/output"
    if not note.exists() or figures[key] < json.loads(note.read_text())[key]:
        export_student(folded, spec.student, best)
        note.write_text(json.dumps(figures, indent=1))
