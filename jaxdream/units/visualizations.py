"""Pictures of units from noise, many of them from a few programs, and those of an earlier run."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.files.reading import printable
from jaxdream.files.writing import make_folder
from jaxdream.images.picture_files import (
    mark,
    read_picture,
    read_recipe_text,
    write_image,
)
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.settings import VisualizeSettings
from jaxdream.types import Size
from jaxdream.units.folder import may_write
from jaxdream.units.names import Chosen, unit_file
from jaxdream.visualization.planning import most_at_once
from jaxdream.visualization.step import ImageParameters
from jaxdream.visualization.visualize import VisualizeState, iterate_visualize

FOLDER = "visualizations"


class Drawn(NamedTuple):
    """A picture from noise."""

    pixels: Float[np.ndarray, "h w 3"]  # RGB, 0..255
    parameters: ImageParameters  # that they are computed from


def check_of_units(settings: VisualizeSettings) -> None:
    """Make sure that pictures of units, one each and from noise, can be made in this way.

    Raises:
        JaxdreamError: a setting is for several pictures of one thing, or for a photograph.
    """
    if settings.diversity:
        raise JaxdreamError("diversity is between pictures of one thing: each unit has one here")
    if settings.keep is not None:
        raise JaxdreamError("keep is of a photograph, and units begin from noise: leave it out")


def visualize_many(
    model: Network,
    wanted: Sequence[tuple[int, Objective]],
    *,
    settings: VisualizeSettings,
    size: Size,
    seed: int,
) -> Iterator[tuple[float, dict[int, Drawn]]]:
    """Pictures of objectives that differ in their numbers only, in batches of one program.

    A picture depends on its own number and objective alone, and not on those made with it.

    Args:
        wanted: a number of each objective, which chooses its noise, and the objective.

    A dead unit, whose gradient is zero everywhere, keeps its noise.

    Yields:
        How much of all is done, 0..1, and the pictures that have just become finished, by their
        numbers.
    """
    if not wanted:
        return
    most = most_at_once(model, wanted[0][1], settings=settings, size=size)
    together = min(len(wanted), most)
    for first in range(0, len(wanted), together):
        part = wanted[first : first + together]
        for share, drawn in visualize_batch(
            model, part, together, settings=settings, size=size, seed=seed
        ):
            yield (first + len(part) * share) / len(wanted), drawn


def visualize_batch(
    model: Network,
    part: Sequence[tuple[int, Objective]],
    together: int,
    *,
    settings: VisualizeSettings,
    size: Size,
    seed: int,
) -> Iterator[tuple[float, dict[int, Drawn]]]:
    """Pictures of numbered objectives in one batch.

    Args:
        together: pictures of the batch: fewer are filled up, so that all batches have one program.

    Yields:
        How much is done, 0..1; at 1 with the pictures by their numbers.
    """
    filled = [*part, *[part[-1]] * (together - len(part))]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.key(seed), np.array([number for number, _ in filled], np.uint32)
    )
    states = iterate_visualize(
        keys, model, [one for _, one in filled], settings=settings, size=size
    )
    for state in _without_complaint(states):
        jax.block_until_ready(state.parameters)  # so that an interruption comes soon
        if state.step < state.steps:
            yield state.step / state.steps, {}
            continue
        images = np.asarray(state.images)
        drawn = [Drawn(images[i], _one(state.parameters, i)) for i in range(len(part))]
        yield 1.0, {number: one for (number, _), one in zip(part, drawn, strict=True)}


def _one(parameters: ImageParameters, i: int) -> ImageParameters:
    """Those of one picture of a batch."""
    return jax.tree.map(lambda values: values[i], parameters)


def _without_complaint(states: Iterator[VisualizeState]) -> Iterator[VisualizeState]:
    """The states of a batch, also where the gradient was zero for some pictures or for all."""
    finished = False
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JaxdreamWarning)
            try:
                state = next(states, None)
            except JaxdreamError:
                # What is not finite cannot be written: that has an error of its own.
                if not finished:
                    raise
                return
        if state is None:
            return
        finished = state.step == state.steps
        yield state


def has_record(path: Path, record: str) -> bool:
    """Whether a picture is there that was made in this way.

    Raises:
        JaxdreamError: there is one that jaxdream did not write.
    """
    if not os.path.lexists(path):
        return False
    may_write(path)
    return read_recipe_text(path) == record


def copy_visualizations(model: Network, source: Path, chosen: Chosen, folder: Path) -> None:
    """Take over the visualisations that ``jaxdream visualize`` made in a folder.

    Their names have the layer's own name or an alias.

    Raises:
        JaxdreamError: there are none of these units, or one cannot be read or written.
    """
    if not source.is_dir():
        raise JaxdreamError(f"{printable(source)}: no such folder")
    make_folder(folder / FOLDER)
    found = 0
    for layer, channels in chosen.items():
        aliases = [alias for alias, name in model.graph.aliases.items() if name == layer]
        for channel in channels:
            names = [source / unit_file(name, channel) for name in (layer, *aliases)]
            given = next(filter(os.path.lexists, names), None)
            if given is None:
                continue
            found += 1
            path = folder / FOLDER / unit_file(layer, channel)
            may_write(path)
            recipe = read_recipe_text(given) or mark("visualize")
            write_image(path, read_picture(given).pixels, recipe=recipe)
    if not found:
        layer, channels = next(iter(chosen.items()))
        raise JaxdreamError(
            f"{printable(source)} has no visualisation of these units, such as "
            f"{unit_file(layer, channels[0])}: make them with `jaxdream visualize`"
        )
