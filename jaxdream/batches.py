"""Pictures of different sizes, dreamed together.

Pictures whose octaves have the same padded shapes are computed as one batch, each exactly as it
would be alone: with its own size, its own key, and its own mean of the gradient.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from jaxdream.algorithm.ascent import gradient_errors
from jaxdream.algorithm.keys import AnyKey, drawn_offsets, picture_keys
from jaxdream.algorithm.octaves import octave_options, plan_octaves, sizes_for
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.deepdream import dream_pictures
from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import available
from jaxdream.execution.planner import allows_padding, useful_batch
from jaxdream.execution.shapes import ExactLayout, Layout, PaddedLayout, ShapeBuckets, plan_shapes
from jaxdream.execution.sharding import Sharding, chosen_sharding
from jaxdream.execution.tiles import round_up
from jaxdream.images.masks import check_mask
from jaxdream.images.pixels import as_pixels
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, DreamSettings, takes_settings
from jaxdream.types import AnyArray, Size

Picture = Float[AnyArray, "_h _w 3"]
Mask = Float[AnyArray, "_h _w"]


class Batch(NamedTuple):
    """Pictures that are dreamed together."""

    pictures: tuple[int, ...]  # positions in the list of pictures that was planned
    slots: int  # places in the programs' arrays: one for each picture, and perhaps idle ones
    shapes: tuple[Size, ...]  # height and width of each octave's arrays, small to large
    exact: bool  # whether these are the pictures' own

    @property
    def buckets(self) -> ShapeBuckets:
        """Its padded shapes, for a recipe; none if they are the pictures' own."""
        return ShapeBuckets() if self.exact else ShapeBuckets(tuple(sorted(set(self.shapes))))


@takes_settings(settings=DreamSettings, compute=Compute)
def plan_batches(
    sizes: Sequence[Size],
    *,
    model: Network,
    objective: Objective | str | None = None,
    settings: DreamSettings,
    compute: Compute,
    max_batch: int | None = None,
    device_count: int = 1,
    budget_bytes: int | None = None,
    platform: str | None = None,
) -> list[Batch]:
    """Plans which of many pictures are dreamed together.

    The same sizes and settings give the same batches.

    Args:
        sizes: height and width of each picture.
        model: from ``load_model`` or ``wrap``.
        objective: as of ``dream``.
        {settings}
        max_batch: pictures in a batch; by default as many as are of use and fit into memory, on
            each of so many devices as ``device_count`` says.
        device_count: slots are a multiple of it.
        budget_bytes: memory for a batch on each device, as an earlier run recorded it, so that
            resuming gives the same batches; by default what is left of ``memory`` now.
        platform: "cpu", "gpu" or "tpu", that will compute; by default the one JAX computes on here.

    Raises:
        JaxdreamError: a picture is too small, or a setting out of range.
    """
    objective = as_objective(objective, model)
    exact = not allows_padding(model, StepRule.of(settings), objective)
    options = octave_options(settings)
    shared = compute.shapes
    if shared is None:
        shared = ShapeBuckets()
        if not exact:
            shared = plan_shapes(sizes, **options, steps=settings.steps, platform=platform)
    budget = available(compute.memory) if budget_bytes is None else budget_bytes
    groups: dict[tuple[Size, ...], list[int]] = defaultdict(list)
    for number, size in enumerate(sizes):
        planned = sizes_for(model, objective, size, settings)
        groups[planned if exact else tuple(map(shared.padded, planned))].append(number)
    batches = []
    for shapes, members in groups.items():
        limit = max_batch
        if limit is None:
            limit = device_count * useful_batch(
                model, objective, shapes[-1], budget, platform=platform
            )
        # As many batches as are needed, all of one size: no program for the rest.
        limit = max(limit // device_count * device_count, device_count)
        slots = -(-len(members) // -(-len(members) // limit))
        slots = round_up(slots, device_count)
        for first in range(0, len(members), slots):
            batches.append(Batch(tuple(members[first : first + slots]), slots, shapes, exact))
    return batches


@takes_settings(settings=DreamSettings, compute=Compute)
def dream_batch(
    key: AnyKey,
    model: Network,
    images: Sequence[Picture],
    objective: Objective | str | None = None,
    *,
    settings: DreamSettings,
    compute: Compute,
    max_batch: int | None = None,
    masks: Sequence[Mask] | None = None,
) -> list[Float[Array, "_h _w 3"]]:
    """Dream pictures of any sizes, several at once.

    Args:
        key: a JAX random key or a whole number, or one key per picture. Each picture dreams as it
            would alone with its own; with a single key, picture i has
            ``jax.random.fold_in(key, i)``.
        model: from ``load_model`` or ``wrap``.
        images: RGB, 0..255, (h, w, 3) each.
        objective: as of ``dream``.
        {settings}
        max_batch: pictures at once; by default as many as are of use and fit into memory.
        masks: of each picture, as the mask of ``dream``, (h, w).

    Returns:
        The dreamed pictures, RGB, 0..255, not rounded.

    Raises:
        JaxdreamError: as of ``dream``, for the first picture that has a reason.
    """
    if not len(images):
        return []
    pictures = [as_pixels(image) for image in images]
    objective = as_objective(objective, model)
    keys = picture_keys(key, len(pictures))
    sizes = [_size(picture) for picture in pictures]
    if masks is not None:
        if len(masks) != len(pictures):
            raise JaxdreamError(f"there are {len(masks)} masks for {len(pictures)} pictures")
        for number, (mask, size) in enumerate(zip(masks, sizes, strict=True)):
            check_mask(mask, size, name=f"mask {number}")
    sharding = chosen_sharding(compute.shard)
    results: dict[int, Array] = {}
    batches = plan_batches(
        sizes,
        model=model,
        objective=objective,
        settings=settings,
        compute=compute,
        max_batch=max_batch,
        device_count=sharding.pictures if sharding else 1,
    )
    for batch in batches:
        states = iterate_batch(
            [keys[i] for i in batch.pictures],
            model,
            [pictures[i] for i in batch.pictures],
            batch,
            objective,
            settings=settings,
            compute=compute,
            sharding=sharding,
            masks=None if masks is None else [masks[i] for i in batch.pictures],
        )
        *_, (state, errors) = states
        for error in filter(None, errors):
            raise JaxdreamError(error)
        results.update(zip(batch.pictures, state.at_octave, strict=False))
    return [results[i] for i in range(len(pictures))]


def iterate_batch(
    keys: Sequence[Array],
    model: Network,
    images: Sequence[Picture],
    batch: Batch,
    objective: Objective,
    *,
    settings: DreamSettings,
    compute: Compute,
    slots: Sequence[int] | None = None,
    sharding: Sharding | None = None,
    masks: Sequence[Mask] | None = None,
) -> Iterator[tuple[DreamState, list[str | None]]]:
    """Dream the pictures of one batch, or some of them.

    Args:
        keys: one per picture.
        images: RGB, 0..255, (h, w, 3) each.
        batch: from ``plan_batches``.
        objective: checked for the model already.
        settings, compute: as of ``dream``.
        slots: the place of each picture in the batch; by default the first ones. In the same place
            a picture has the same result to the last bit, whatever is in the others.
        sharding: the devices that compute, if several.
        masks: of each picture, (h, w), 0..1, checked.

    Yields:
        The state, whose pictures are in the order of the slots, and for each slot why nothing came
        of its picture so far, or None.

    Raises:
        JaxdreamError: as of ``dream``, where it concerns all pictures.
    """
    if sharding is not None and batch.slots > 1:
        sharding.check((batch.slots,), settings)
    elif sharding is not None and sharding.rows == 1:
        sharding = None
    places = list(range(len(images))) if slots is None else list(slots)
    # An idle slot dreams the first picture once more, since it has to dream something.
    members = [places.index(slot) if slot in places else 0 for slot in range(batch.slots)]
    pictures = [np.asarray(images[i], np.float32) for i in members]
    layouts = _layouts([_size(picture) for picture in pictures], batch, settings.octave_scale)
    sizes = [layout.sizes for layout in layouts]
    draw = partial(drawn_offsets, [keys[i] for i in members], sizes, settings)
    strongest = np.zeros(batch.slots, np.float32)
    for state in dream_pictures(
        draw, model, pictures, objective, layouts,
        settings=settings, compute=compute, sharding=sharding,
        masks=None if masks is None else [np.asarray(masks[i], np.float32) for i in members],
    ):  # fmt: skip
        strongest = np.maximum(strongest, np.asarray(state.max_mean_gradient))
        yield state, gradient_errors(strongest, repr(objective))


def _size(image: AnyArray) -> Size:
    height, width, _ = image.shape
    return height, width


def _layouts(sizes: Sequence[Size], batch: Batch, octave_scale: float) -> list[Layout]:
    """The layout of each octave of pictures of these heights and widths."""
    octaves = len(batch.shapes)
    planned = [plan_octaves(size, octaves=octaves, octave_scale=octave_scale) for size in sizes]
    kind = ExactLayout if batch.exact else PaddedLayout
    return [
        kind(shape, of_octave)
        for shape, of_octave in zip(batch.shapes, zip(*planned, strict=True), strict=True)
    ]
