"""``jaxdream visualize``; returns the exit code."""

import argparse
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxdream.cli import session
from jaxdream.cli.all_channels import ALL, visualize_all
from jaxdream.cli.exit_codes import INTERRUPTED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.cli.run_log import asked_log, check_asked_log
from jaxdream.cli.targets import parse_targets
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import check_place, make_folder
from jaxdream.folder.inputs import find_inputs
from jaxdream.images import picture_files
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.formats import picture_format
from jaxdream.images.picture_files import Picture, read_image
from jaxdream.images.pixels import parse_size
from jaxdream.models.network import Network
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.recipe import UNFINISHED
from jaxdream.settings import Compute, VisualizeSettings
from jaxdream.visualization.natural_spectrum import mean_spectrum
from jaxdream.visualization.record import visualize_record
from jaxdream.visualization.targets import (
    Target,
    grid_labels,
    picture_labels,
    picture_name,
    with_diversity,
)
from jaxdream.visualization.visualize import VisualizeState, iterate_visualize

# The last state of each batch, by the indices of its pictures.
_States = dict[tuple[int, ...], VisualizeState]


class _Plan(NamedTuple):
    """The checked options: everything except the network."""

    options: argparse.Namespace
    labels: list[str]  # of every picture: files are named by them
    grid_labels: list[str]  # of every picture, as a grid shows them
    size: tuple[int, int]  # height and width
    start: Picture | None
    settings: VisualizeSettings


def visualize(options: argparse.Namespace) -> int:
    if options.channels == ALL:
        return visualize_all(options)
    if options.cluster is not None:
        raise JaxdreamError("--cluster is for --channels all: leave it out, or give that")
    targets = parse_targets(options)
    plan = _plan(options, targets)
    outputs = _outputs(plan)
    compute = read_settings(options, Compute)
    session.start_jax(options.device)
    spectrum = _spectrum(plan)
    model = session.load(options, compute)
    crops = plan.settings.parametrization == "maco" and plan.settings.transforms
    if options.size is plan.start is None and not crops and model.graph.fixed_size is not None:
        plan = plan._replace(size=model.graph.fixed_size)
    files = ObjectiveFiles(notify=session.say)
    objectives = [target.objective(model, files) for target in targets] * options.count
    named = files.by_name()
    if objectives[0].needs_batch and len(objectives) == 1:
        raise JaxdreamError(
            f"{objectives[0]} is of several pictures: add --count N, such as --count 6"
        )
    plan = plan._replace(settings=with_diversity(plan.settings, objectives))
    states = iterate_visualize(
        jax.random.key(options.seed),
        model,
        objectives,
        settings=plan.settings,
        size=plan.size,
        image=plan.start.pixels if plan.start else None,
        spectrum=spectrum,
    )
    last: _States = {}
    record = _record(plan, model, named, spectrum)
    with (
        asked_log(options, model, json.loads(record)) as log,
        session.running(outputs[0].name) as run,
    ):
        for state in states:
            last[state.indices] = state
            if log is not None:
                log(state, names=dict(enumerate(plan.labels)))
            # Waits for the state, so that an interrupted run has one that is finished.
            value = float(np.mean(state.info.value))
            run.show(f"step {state.step}/{state.steps} value {value:.3g}", state.done)
    if run.interrupted:
        session.say(f"interrupted {_progress(last, len(plan.labels))}")
    if last:
        with session.uninterrupted():
            _write(plan, outputs, last, UNFINISHED if run.interrupted else record)
    return INTERRUPTED if run.interrupted else 0


def _progress(last: _States, pictures: int) -> str:
    """At which step a run was interrupted, and which pictures it keeps."""
    if not last:
        return "before the first step: nothing written"
    state = list(last.values())[-1]
    step = f"at step {state.step} of {state.steps}"
    if pictures == 1:
        return f"{step}: the unfinished picture is kept"
    begun = sum(map(len, last))
    return f"{step}, with {begun} of {pictures} pictures begun: these are kept, unfinished"


def _plan(options: argparse.Namespace, targets: Sequence[Target]) -> _Plan:
    """Check what needs no network.

    Raises:
        JaxdreamError: a setting out of range, a count, diversity, grid or size that does not fit
            what is shown, or a photograph that cannot be read.
    """
    count = options.count
    if count > 1 and len(targets) > 1:
        raise JaxdreamError(
            f"--count {count} makes several pictures of one thing, but {len(targets)} are named"
        )
    if options.diversity is not None and count == 1:
        raise JaxdreamError("--diversity is between pictures of one thing: add a --count of them")
    if options.grid and count == len(targets) == 1:
        raise JaxdreamError(
            "--grid needs several pictures: name several classes, layers or channels, or a --count"
        )
    if options.alpha and options.grid:
        raise JaxdreamError("--alpha is for pictures of their own: leave out --grid")
    if options.columns is not None and not options.grid:
        raise JaxdreamError("--columns needs --grid")
    settings = read_settings(options, VisualizeSettings)
    if settings.keep is not None and not options.start:
        raise JaxdreamError("--keep is of a photograph to begin from: add --from PHOTO")
    if options.spectrum is not None and (settings.parametrization != "maco" or options.start):
        raise JaxdreamError("--spectrum is for --parametrization maco, without --from")
    start = session.read(options.start, options.size) if options.start else None
    if start is None:
        size = parse_size(options.size or str(settings.side), 1, 1)
    else:
        size = (start.pixels.shape[0], start.pixels.shape[1])
    labels, shown = picture_labels(targets, count), grid_labels(targets, count)
    return _Plan(options, labels, shown, size, start, settings)


def _spectrum(plan: _Plan) -> Float[np.ndarray, "h f 3"] | None:
    """The magnitudes of the pictures of ``--spectrum``, where it is given.

    Raises:
        JaxdreamError: there is no such folder, no picture in it, or one that cannot be read.
    """
    if plan.options.spectrum is None:
        return None
    found = find_inputs([plan.options.spectrum])
    try:
        return mean_spectrum((read_image(one.path) for one in found), size=plan.size)
    except JaxdreamError as error:
        raise JaxdreamError(f"--spectrum {plan.options.spectrum}: {error}") from None


def _outputs(plan: _Plan) -> list[Path]:
    """The files to write, checked before anything is computed; with a grid, one."""
    options, size = plan.options, plan.size
    names = [picture_name(label) for label in plan.labels]
    if options.grid:
        paths = [Path(options.output or picture_name(plan.labels[0], grid=True))]
        blank = np.broadcast_to(np.float32(0), (*size, 3))
        sheet = contact_sheet([blank] * len(names), plan.grid_labels, columns=options.columns)
        size = (sheet.shape[0], sheet.shape[1])
    elif len(names) == 1:
        paths = [Path(options.output or names[0])]
        if os.path.isdir(paths[0]):
            paths = [paths[0] / names[0]]
    else:
        folder = Path(options.output or ".")
        session.check_folder(folder)
        paths = [folder / name for name in names]
    guard = session.file_guard(options, filter(None, (options.start, options.direction)))
    check_input_files(options, guard=guard)
    for path in paths:
        chosen = picture_format(path, size)
        if options.alpha and not chosen.alpha:
            raise JaxdreamError(
                f"{path}: {chosen.name} has no transparency, so --alpha needs a .png, .webp or .tif"
            )
        if os.path.isdir(path.parent) or len(paths) == 1:
            check_place(path)
        guard.add_write(path)
    check_asked_log(options, guard)
    return paths


def _write(plan: _Plan, outputs: list[Path], last: _States, record: str) -> None:
    """Write the pictures that there are, each to its file or all onto the grid."""
    pictures, alphas = {}, {}
    for state in last.values():
        pictures |= zip(state.indices, np.asarray(state.images), strict=True)
        if plan.options.alpha:
            alphas |= zip(state.indices, 255 * np.asarray(state.alpha), strict=True)
    indices = sorted(pictures)
    if plan.options.grid:
        labels = [plan.grid_labels[i] for i in indices]
        sheet = contact_sheet([pictures[i] for i in indices], labels, columns=plan.options.columns)
        indices, pictures = [0], {0: sheet}
    for i in indices:
        make_folder(outputs[i].parent)
        picture_files.write_image(outputs[i], pictures[i], alpha=alphas.get(i), recipe=record)
        session.report(f"wrote {outputs[i]}")


def _record(plan: _Plan, model: Network, files: dict[str, str], spectrum: np.ndarray | None) -> str:
    return visualize_record(
        model, plan.settings, pictures=plan.labels, files=files, size=plan.size,
        seed=plan.options.seed, input_sha256=plan.start.sha256 if plan.start else None,
        spectrum_sha256=None if spectrum is None else sha256(spectrum.tobytes()).hexdigest(),
    )  # fmt: skip
