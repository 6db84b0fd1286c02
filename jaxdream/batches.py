"""Pictures of different sizes, dreamed together.

Pictures whose octaves have the same canvases are computed as one batch, each exactly as it would
be alone: with its own size, its own key, and its own mean of the gradient.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from jaxdream.algorithm.jitter import draw_offsets
from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.deepdream import AnyKey, check_gradient, dream, picture_keys
from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import available, fits
from jaxdream.execution.octave import OctaveSteps
from jaxdream.execution.planner import compiled_ahead
from jaxdream.execution.shapes import Canvas, Canvases, Size, plan_canvases, round_up
from jaxdream.execution.sharding import Sharding
from jaxdream.models.network import Network
from jaxdream.objectives import Objective, layer
from jaxdream.octave_loop import check_settings, run_octaves, steps_at_once
from jaxdream.types import AnyArray

# Pictures at once where memory has room for more: a core does not compute several any faster than
# one, a GPU or TPU needs many to be busy.
_MOST_ON_CPU = 4
_MOST = 32

Picture = Float[AnyArray, "_h _w 3"]


class Batch(NamedTuple):
    """Pictures that are dreamed together."""

    pictures: tuple[int, ...]  # which of those that were planned
    slots: int  # places in the programs' arrays: one for each picture, and perhaps idle ones
    canvases: tuple[Size, ...]  # height and width of each octave's arrays, small to large
    exact: bool  # whether these are the pictures' own


def plan_batches(
    sizes: Sequence[Size],
    *,
    model: Network,
    objective: Objective | None = None,
    octaves: int = 4,
    octave_scale: float = 1.4,
    optimizer: optax.GradientTransformation | None = None,
    most: int | None = None,
    multiple: int = 1,
    memory: int | None = None,
    room: int | None = None,
) -> list[Batch]:
    """Which of many pictures are dreamed together.

    The same sizes and settings give the same batches.

    Args:
        sizes: height and width of each picture.
        most: pictures in a batch; by default as many as are of use and fit into memory, on each of
            so many devices as ``multiple`` says.
        multiple: slots are a multiple of it, for so many devices.
        memory: as of ``dream``.
        room: bytes for the batches, on each device, where another process or another day is to
            plan the same; by default what is left of ``memory`` now.

    The others are those of ``dream``.

    Raises:
        JaxdreamError: a picture is too small, or a setting out of range.
    """
    objective = layer(model.default_layer) if objective is None else objective
    objective.check(model.graph)
    same = {"octaves": octaves, "octave_scale": octave_scale}
    minimum = model.graph.minimum_size(*objective.layers)
    exact = optimizer is not None or not objective.local
    shared = Canvases() if exact or not sizes else plan_canvases(sizes, **same)
    room = available(memory) if room is None else room
    groups: dict[tuple[Size, ...], list[int]] = defaultdict(list)
    for number, size in enumerate(sizes):
        planned = plan_octaves(size, minimum=minimum, **same)
        groups[planned if exact else tuple(shared.canvas(s).shape for s in planned)].append(number)
    batches = []
    for canvases, members in groups.items():
        limit = most
        if limit is None:
            limit = multiple * _most(model, objective, canvases[-1], room)
        # As many batches as are needed, all of one size: no program for the rest.
        slots = -(-len(members) // -(-len(members) // max(limit // multiple * multiple, multiple)))
        slots = round_up(slots, multiple)
        for first in range(0, len(members), slots):
            batches.append(Batch(tuple(members[first : first + slots]), slots, canvases, exact))
    return batches


def _most(model: Network, objective: Objective, shape: Size, room: int) -> int:
    """Pictures of this height and width that are of use at once, and fit."""
    most = _MOST_ON_CPU if jax.default_backend() == "cpu" else _MOST
    octave = OctaveSteps(model, objective, Canvas(shape, shape), 1.0, True, None)
    return max([1, *(n for n in range(most + 1) if fits(octave, n, room))])


def dream_batch(
    key: AnyKey,
    model: Network,
    images: Sequence[Picture],
    *,
    objective: Objective | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float = 1.5,
    jitter: int = 32,
    clip: bool = True,
    optimizer: optax.GradientTransformation | None = None,
    scan: bool | None = None,
    most: int | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
) -> list[Float[np.ndarray, "_h _w 3"]]:
    """Dream pictures of any sizes, several at once.

    Args:
        key: one JAX random key, or one per picture. Each picture dreams as it would alone with its
            own; with a single key, picture i has ``jax.random.fold_in(key, i)``.
        images: RGB, 0..255, each (h, w, 3).
        most: pictures at once; by default as many as are of use and fit into memory.

    The other arguments are those of ``dream``.

    Returns:
        The dreamed pictures, RGB, 0..255, not rounded.

    Raises:
        JaxdreamError: as of ``dream``, for the first picture that has a reason.
    """
    if not len(images):
        return []
    if key is None:
        raise JaxdreamError("a dream needs a random key")
    options = {
        "objective": objective,
        "octave_scale": octave_scale,
        "optimizer": optimizer,
        "memory": memory,
    }
    images = [np.asarray(image, np.float32) for image in images]
    keys = picture_keys(key, len(images))
    sizes = [_size(image) for image in images]
    results: dict[int, np.ndarray | JaxdreamError] = {}
    planned = {"octaves": octaves, "most": most, "multiple": sharding.pictures if sharding else 1}
    for batch in plan_batches(sizes, model=model, **planned, **options):
        members = batch.pictures
        dreamed = dream_together(
            [keys[i] for i in members],
            model,
            [images[i] for i in members],
            batch,
            steps=steps,
            step_size=step_size,
            jitter=jitter,
            clip=clip,
            scan=scan,
            sharding=sharding,
            **options,
        )
        results.update(zip(members, dreamed, strict=True))
    ordered = [results[i] for i in range(len(images))]
    for result in ordered:
        if isinstance(result, JaxdreamError):
            raise result
    return ordered  # pyright: ignore[reportReturnType]


def dream_together(
    keys: Sequence[Array],
    model: Network,
    images: Sequence[Picture],
    batch: Batch,
    *,
    slots: Sequence[int] | None = None,
    objective: Objective | None = None,
    steps: int = 10,
    octave_scale: float = 1.4,
    step_size: float = 1.5,
    jitter: int = 32,
    clip: bool = True,
    optimizer: optax.GradientTransformation | None = None,
    scan: bool | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
) -> list[Float[np.ndarray, "_h _w 3"] | JaxdreamError]:
    """Dream the pictures of one batch, or some of them.

    Args:
        keys: one per picture.
        images: RGB, 0..255.
        batch: from ``plan_batches``.
        slots: the place of each picture in the batch; by default the first ones. In the same place
            a picture has the same result to the last bit, whatever is in the others.

    The other arguments are those of ``dream``.

    Returns:
        For each picture the dream, RGB, 0..255, or why there is none.

    Raises:
        JaxdreamError: as of ``dream``, where it concerns all pictures.
    """
    objective = layer(model.default_layer) if objective is None else objective
    check_settings(steps, step_size, jitter)
    same = {"octaves": len(batch.canvases), "octave_scale": octave_scale}
    if batch.slots == 1:
        options = {"objective": objective, "steps": steps, "step_size": step_size, "scan": scan}
        options |= {"jitter": jitter, "clip": clip, "optimizer": optimizer, "memory": memory}
        options["canvases"] = Canvases(tuple(batch.canvases))
        options["sharding"] = sharding if sharding and sharding.rows > 1 else None
        return [_alone(k, model, i, **options, **same) for k, i in zip(keys, images, strict=True)]
    if sharding is not None:
        sharding.check((batch.slots,))
        model, objective = sharding.replicate((model, objective))
    places = list(range(len(images))) if slots is None else list(slots)
    # An idle slot dreams the first picture once more, since it has to dream something.
    members = [places.index(slot) if slot in places else 0 for slot in range(batch.slots)]
    drawn = [draw_offsets(k, count=steps * len(batch.canvases), jitter=jitter) for k in keys]
    offsets = np.stack([np.asarray(drawn[i]) for i in members], axis=1)
    programs = [
        OctaveSteps(model, objective, canvas, step_size, clip, optimizer, sharding)
        for canvas in _canvases([_size(images[i]) for i in members], batch, octave_scale)
    ]
    chunk = steps_at_once(scan, steps)
    pictures = [np.asarray(images[i], np.float32) for i in members]
    with compiled_ahead(programs, (batch.slots,), chunk, memory) as ready:
        states = run_octaves(pictures, offsets, programs, ready, chunk=chunk)
        at = next(states)
        strongest = [at.strongest]
        for at in states:
            strongest.append(at.strongest)
        dreamed = at.canvas.take(at.array)
    strongest = np.max(np.stack(strongest), axis=0)
    results: list[np.ndarray | JaxdreamError] = []
    for slot in places:
        try:
            check_gradient([strongest[slot : slot + 1]], objective)
            results.append(np.asarray(dreamed[slot]))
        except JaxdreamError as error:
            results.append(error)
    return results


def _alone(key, model, image, **options) -> np.ndarray | JaxdreamError:
    try:
        return np.asarray(dream(key, model, image, **options))
    except JaxdreamError as error:
        return error


def _size(image: AnyArray) -> Size:
    height, width, _ = image.shape
    return height, width


def _canvases(sizes: Sequence[Size], batch: Batch, octave_scale: float) -> list[Canvas]:
    """The canvas of each octave of pictures of these heights and widths."""
    octaves = len(batch.canvases)
    planned = [plan_octaves(size, octaves=octaves, octave_scale=octave_scale) for size in sizes]
    return [
        Canvas(shape, shape, exact=batch.exact, sizes=of_octave)
        for shape, of_octave in zip(batch.canvases, zip(*planned, strict=True), strict=True)
    ]
