"""``jaxdream visualize``; returns the exit code."""

import argparse
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

import jaxdream
from jaxdream.cli import session
from jaxdream.cli.main import INTERRUPTED
from jaxdream.cli.targets import parse_targets
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import make_folder
from jaxdream.images import picture_files
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import parse_size
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.visualization.transforms import Robustness
from jaxdream.visualization.visualize import VisualizeState, iterate_visualize

_SIDE = "224"  # what the networks were trained at
_DIVERSITY = 0.5  # of several pictures of one thing, if nothing else is said


class _Plan(NamedTuple):
    """Everything but the network, checked."""

    options: argparse.Namespace
    labels: list[str]  # one for every picture
    size: tuple[int, int]  # height and width
    start: Picture | None
    diversity: float


def visualize(options: argparse.Namespace) -> int:
    targets = parse_targets(options)
    plan = _plan(options, [target.label for target in targets])
    outputs = _outputs(plan)
    session.start_jax(options.device)
    model = session.load(options.model, options.weights, options.precision)
    objectives = [target.objective(model) for target in targets]
    last: dict[tuple[int, ...], VisualizeState] = {}  # by the pictures of a batch
    finished = False
    with warnings.catch_warnings(record=True) as said, session.bar(outputs[0].name) as show:
        warnings.simplefilter("always")
        try:
            for state in _states(plan, model, objectives):
                last[state.places] = state
                # Waits for the state, so that an interrupted run has one that is finished.
                value = float(np.mean(state.info.loss))
                show(f"step {state.step}/{state.steps} value {value:.3g}", state.done, said)
            finished = True
        except KeyboardInterrupt:
            session.say(f"interrupted {_progress(last, len(plan.labels))}")
        for warning in said:
            session.say(str(warning.message))
    if last:
        with session.uninterrupted():
            _write(plan, outputs, last, _settings(plan, model) if finished else None)
    return 0 if finished else INTERRUPTED


def _progress(last: dict[tuple[int, ...], VisualizeState], pictures: int) -> str:
    """How far an interrupted run has got, and what becomes of it."""
    if not last:
        return "before the first step: nothing written"
    state = list(last.values())[-1]
    at = f"at step {state.step} of {state.steps}"
    if pictures == 1:
        return f"{at}: the picture is kept as far as it got"
    begun = sum(map(len, last))
    return f"{at}, {begun} of {pictures} pictures begun: these are kept as far as they got"


def _plan(options: argparse.Namespace, names: list[str]) -> _Plan:
    """The pictures to make.

    Raises:
        JaxdreamError: a count, diversity, grid or size where it means nothing, or a bad photograph.
    """
    count = options.count
    if count < 1:
        raise JaxdreamError(f"--count must be at least 1, not {count}")
    if count > 1 and len(names) > 1:
        raise JaxdreamError(f"--count is of one thing to show, not of {len(names)}")
    if options.diversity is not None and count == 1:
        raise JaxdreamError("--diversity is between pictures of one thing: ask for more by --count")
    if options.grid and count == len(names) == 1:
        raise JaxdreamError(
            "--grid is of several pictures: name several classes, layers or channels, or a --count"
        )
    if options.columns is not None and not options.grid:
        raise JaxdreamError("--columns is of a --grid")
    diversity = _DIVERSITY if options.diversity is None else options.diversity
    start = session.read(options.start, options.size) if options.start else None
    if start is None:
        size = parse_size(options.size or _SIDE, 1, 1)
    else:
        size = (start.pixels.shape[0], start.pixels.shape[1])
    labels = names if count == 1 else [f"{names[0]} {i + 1}" for i in range(count)]
    return _Plan(options, labels, size, start, diversity if count > 1 else 0.0)


def _outputs(plan: _Plan) -> list[Path]:
    """The files to write, checked before anything is computed; with a grid, one."""
    options, size = plan.options, plan.size
    names = [re.sub(r"[^0-9A-Za-z._-]+", "_", label) + ".png" for label in plan.labels]
    if options.grid:
        targets = [Path(options.output or names[0].replace(".png", "_grid.png"))]
        blank = np.broadcast_to(np.float32(0), (*size, 3))
        sheet = contact_sheet([blank] * len(names), plan.labels, columns=options.columns)
        size = (sheet.shape[0], sheet.shape[1])
    elif len(names) == 1:
        targets = [Path(options.output or names[0])]
        if targets[0].is_dir():
            targets = [targets[0] / names[0]]
    else:
        targets = [make_folder(options.output or ".") / name for name in names]
    for target in targets:
        if targets.count(target) > 1:
            raise JaxdreamError(f"two pictures would be written to {target}: make them apart")
        picture_files.check_writable(target, size=size)
        session.check_not_input(target, [options.start] if options.start else [])
    return targets


def _states(
    plan: _Plan, model: Network, objectives: Sequence[Objective]
) -> Iterator[VisualizeState]:
    options = plan.options
    return iterate_visualize(
        jax.random.key(options.seed),
        model,
        objectives if options.count == 1 else objectives[0],
        count=None if options.count == 1 else options.count,
        size=plan.size,
        image=plan.start.pixels if plan.start else None,
        steps=options.steps,
        learning_rate=options.learning_rate,
        robustness=None if options.no_robustness else Robustness(),
        total_variation=options.total_variation,
        diversity=plan.diversity,
    )


def _write(
    plan: _Plan,
    outputs: list[Path],
    last: dict[tuple[int, ...], VisualizeState],
    note: str | None,
) -> None:
    """The pictures there are, each to its file or all onto the grid."""
    made = [
        (place, image)
        for state in last.values()
        for place, image in zip(state.places, np.asarray(state.images), strict=True)
    ]
    pictures = dict(sorted(made, key=lambda pair: pair[0]))
    if plan.options.grid:
        labels = [plan.labels[i] for i in pictures]
        sheet = contact_sheet(list(pictures.values()), labels, columns=plan.options.columns)
        pictures = {0: sheet}
    for i, picture in pictures.items():
        picture_files.write_image(outputs[i], picture, recipe=note)
        print(f"wrote {outputs[i]}", flush=True)


def _settings(plan: _Plan, model: Network) -> str:
    """What the pictures were made with, as one line of ASCII JSON; for reading, not for replay."""
    jax_version, platform = session.platform()
    options = plan.options
    values = {
        "recipe": "visualize",
        "jaxdream": jaxdream.__version__,
        "model": model.name,
        "weights_sha256": model.weights_sha256,
        "precision": model.precision,
        "pictures": plan.labels,
        "input_sha256": plan.start.sha256 if plan.start else None,
        "size": plan.size,
        "seed": options.seed,
        "steps": options.steps,
        "learning_rate": options.learning_rate,
        "total_variation": options.total_variation,
        "diversity": plan.diversity,
        "robustness": not options.no_robustness,
        "jax": jax_version,
        "platform": platform,
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
