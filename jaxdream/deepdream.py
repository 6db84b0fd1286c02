"""The dream: octaves from small to large, steps of gradient ascent in each, detail carried over.

One picture is a batch of one. ``dream_pictures`` is the only loop over octaves and steps, for
pictures of one size and of several; ``iterate_dream`` and ``dream`` are what a user calls. Source:
``deepdream`` of Google's 2015 notebook.
"""

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, Num

from jaxdream.algorithm.ascent import AscentState, check_gradients
from jaxdream.algorithm.finishing import Finishing
from jaxdream.algorithm.keys import AnyKey, Offsets, given_offsets
from jaxdream.algorithm.octaves import octave_bases, octave_sizes
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.dream_state import DreamState, add_detail
from jaxdream.errors import JaxdreamError
from jaxdream.execution.choosing import choose
from jaxdream.execution.jit import steps_per_call
from jaxdream.execution.octave import CompiledOctave, Octave
from jaxdream.execution.planner import compiled_ahead, plan_layouts
from jaxdream.execution.shapes import Layout
from jaxdream.execution.sharding import Sharding, chosen_sharding
from jaxdream.images.masks import average_areas, masks_of
from jaxdream.images.pixels import check_picture
from jaxdream.images.seamless import wrapped_axes
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.objectives.stacking import Axes
from jaxdream.objectives.text import as_objective
from jaxdream.settings import MASK_AND_SEAMLESS, Compute, DreamSettings, takes_settings
from jaxdream.types import AnyArray

Masks = Float[AnyArray, "*n h w"] | None
Image = Float[AnyArray, "*n h w 3"] | Integer[AnyArray, "*n h w 3"]


@takes_settings(settings=DreamSettings, compute=Compute)
def dream(
    key: AnyKey,
    model: Network,
    image: Image,
    objective: Objective | str | None = None,
    *,
    settings: DreamSettings,
    compute: Compute,
    offsets: Offsets = None,
    mask: Masks = None,
    callback: Callable[[DreamState], object] | None = None,
) -> Float[Array, "*n h w 3"]:
    """Dream a picture, or a batch of pictures of one size.

    The defaults are those of 2015. With the same key on the same machine the result is the same.

    Args:
        key: a JAX random key or a whole number, or for a batch also one key per picture; with a
            single key, picture i of a batch dreams as it would alone with
            ``jax.random.fold_in(key, i)``. None where ``offsets`` are given.
        model: from ``load_model`` or ``wrap``.
        image: RGB, 0..255, (h, w, 3) or (n, h, w, 3).
        objective: what to maximise, also as text; by default the energy of the model's default
            layer.
        {settings}
        offsets: the jitter itself, (octaves * steps, 2) integers (ox, oy), for a batch also
            (n, octaves * steps, 2), instead of drawing it with ``key``.
        mask: how much of each step a pixel takes, (h, w), 0..1, for a batch also (n, h, w). The
            network sees the whole picture; where the mask is 0, the picture stays as it is.
        callback: called with every state that ``iterate_dream`` gives, such as a ``RunLog``.

    Returns:
        The dreamed picture(s), RGB, 0..255, not rounded.

    Raises:
        JaxdreamError: an unknown layer, a picture too small for it or too large for the memory, a
            setting out of range, no key, keys or offsets of the wrong number, a mask of another
            size or that is 0 everywhere, pictures that the devices cannot share evenly, or a
            gradient that was zero or not finite throughout.
    """
    states = iterate_dream(
        key, model, image, objective,
        settings=settings, compute=compute, offsets=offsets, mask=mask,
    )  # fmt: skip
    last = deque(_told(states, callback), maxlen=1).pop()
    return jnp.asarray(last.at_octave)


@takes_settings(settings=DreamSettings, compute=Compute)
def iterate_dream(
    key: AnyKey,
    model: Network,
    image: Image,
    objective: Objective | str | None = None,
    *,
    settings: DreamSettings,
    compute: Compute,
    offsets: Offsets = None,
    mask: Masks = None,
) -> Iterator[DreamState]:
    """Dream as ``dream`` does, yielding the state after every step (with ``scan``, every octave).

    The state's arrays may still be computed when it is yielded, unless the picture is tiled: a
    tiled gradient is summed on the host.

    Args:
        key: as of ``dream``, as all others.
        {settings}

    Raises:
        JaxdreamError: as of ``dream``, when it is called; a gradient that was zero or not finite
            throughout, when all states have been given.
    """
    traced = _is_traced(key, model, image, objective, settings.step_size, offsets, mask)
    check_picture(image, name="image")
    if np.ndim(image) > 4:
        raise JaxdreamError(f"image is (h, w, 3), or (n, h, w, 3) for a batch, not {image.shape}")
    image = (jnp if traced else np).asarray(image, np.float32)
    pictures = [image] if image.ndim == 3 else list(image)
    objective = as_objective(objective, model)
    height, width = image.shape[-3:-1]
    sizes = octave_sizes(model, objective, (height, width), settings)
    sharding = chosen_sharding(compute.shard)
    if sharding is not None:
        sharding.check(image.shape[:-3], settings)
    if mask is not None and settings.seamless is not None:
        raise JaxdreamError(MASK_AND_SEAMLESS)
    masks = None if mask is None else masks_of(mask, image.shape[:-3], (height, width))
    drawn = given_offsets(key, offsets, image.shape[:-3], sizes, settings)
    rule = StepRule.of(settings)
    layouts = plan_layouts(
        sizes, len(pictures), model=model, rule=rule, objective=objective, steps=settings.steps,
        # A traced dream is a part of its caller's program, which has exact sizes.
        shapes=compute.shapes, exact=traced,
    )  # fmt: skip
    states = dream_pictures(
        drawn, model, pictures, objective, layouts, settings=settings, compute=compute,
        batch="one" if image.ndim == 3 else "stack", sharding=sharding, traced=traced, masks=masks,
    )  # fmt: skip
    return checked_states(states, objective)


def dream_pictures(
    offsets: Integer[AnyArray, "count n 2"] | Callable[[], Integer[AnyArray, "count n 2"]],
    model: Network,
    pictures: Sequence[AnyArray],
    objective: Objective,
    layouts: Sequence[Layout],
    *,
    settings: DreamSettings,
    compute: Compute,
    batch: Literal["one", "stack", "list"] = "list",
    sharding: Sharding | None = None,
    traced: bool = False,
    masks: Sequence[AnyArray] | None = None,
    objective_axes: Axes | None = None,
    step_size: Float[AnyArray, "..."] | None = None,
    chunk: int | None = None,
    programs: dict[int, CompiledOctave] | None = None,
) -> Iterator[DreamState]:
    """The loop over octaves and steps, for a batch of pictures of any sizes.

    Args:
        offsets: the jitter (ox, oy) of every step, in order, for each picture; or what draws it,
            called while programs are compiled.
        pictures: RGB, 0..255, (h, w, 3) each.
        objective: checked for the model already.
        layouts: of each octave, from small to large.
        batch: whether states give one picture, a stack, or a list.
        sharding: the devices that compute, if several.
        traced: the dream is a part of a program that JAX is tracing.
        masks: how much of each step a pixel takes, (h, w), 0..1, of each picture.
        objective_axes: where each picture has an objective of its own, from ``stack_objectives``.
        step_size: instead of that of the settings, for all pictures or for each.
        chunk: steps in a call of a program, of which the steps are a multiple; by default all, or
            one on a CPU.
        programs: of each octave, which are used if they are there, and else kept here: for a
            further dream of pictures of the same sizes, with all else of the same structure.

    Yields:
        The state after every call of a compiled program.
    """
    model, objective = _placed(model, objective, sharding, compute)
    rule = StepRule.of(settings)
    step_sizes = _step_sizes(settings.step_size if step_size is None else step_size)
    if chunk is None:
        chunk = steps_per_call(compute.scan, settings.steps, traced=traced)
    wrap, finishing = wrapped_axes(settings.seamless), Finishing.of(settings)
    bases = _bases(pictures, layouts, wrap)
    smallest = bases[0]
    chosen, axes = choose(model, objective, smallest)
    axes = axes if objective_axes is None else objective_axes
    octaves = [
        Octave(model, chosen, each, step_sizes, rule, sharding, _masks_at(each, masks), axes)
        for each in layouts
    ]
    pixels = [sum(map(math.prod, layout.sizes)) for layout in layouts]
    done, total = 0, settings.steps * sum(pixels)
    detail: list[AnyArray] | None = None
    with _programs(octaves, chunk, compute.memory, programs, traced=traced) as ready:
        jitter = offsets() if callable(offsets) else offsets
        for number, planned in enumerate(octaves):
            base = bases.pop(0)
            compiled = None if ready is None else ready(number)
            layout = planned.layout if compiled is None else compiled.octave.layout  # or its tiles
            octave = replace(planned, layout=layout)
            state = _begin(octave, base, detail, wrap)
            if detail is not None and objective.depends_on_octave:
                again, _ = choose(model, objective, smallest, layout.take(state.image))
                octave = replace(octave, objective=again)
            run = octave.run if compiled is None else replace(compiled, octave=octave).run
            for first in range(0, settings.steps, chunk):
                at = number * settings.steps + first
                state, infos = run(state, jitter[at : at + chunk])
                done += chunk * pixels[number]
                if finishing and done == total:
                    state = _finished(state, octave, base, finishing, masks)
                yield DreamState(
                    state.image, tuple(base), masks, infos,
                    number, len(octaves), first + chunk, settings.steps, done / total,
                    layout, batch, wrap, finishing,
                )  # fmt: skip
            if bases:
                detail = list(map(operator.sub, layout.take(state.image), base))


def _placed(
    model: Network, objective: Objective, sharding: Sharding | None, compute: Compute
) -> tuple[Network, Objective]:
    """On all devices, and in the precision that is asked for."""
    if sharding is not None:
        model, objective = sharding.replicate((model, objective))
    if compute.precision is not None:
        model = model.with_precision(compute.precision)
    return model, objective


def _step_sizes(step_size: int | float | Num[AnyArray, "..."]) -> Num[AnyArray, "..."]:
    return step_size if isinstance(step_size, Tracer) else np.asarray(step_size, np.float32)


@contextmanager
def _programs(
    octaves: Sequence[Octave],
    chunk: int,
    memory: int | None,
    kept: dict[int, CompiledOctave] | None,
    *,
    traced: bool,
) -> Iterator[Callable[[int], CompiledOctave] | None]:
    """What gives the programs of an octave; None where they become part of the caller's."""
    if traced:
        yield None
    elif kept and len(kept) == len(octaves):  # of a whole dream
        yield kept.__getitem__
    else:
        with compiled_ahead(octaves, chunk, memory) as ready:
            yield ready if kept is None else partial(_keep, kept, ready)


def _keep(
    kept: dict[int, CompiledOctave], ready: Callable[[int], CompiledOctave], number: int
) -> CompiledOctave:
    kept[number] = ready(number)
    return kept[number]


def _begin(
    octave: Octave, base: list[AnyArray], detail: list[AnyArray] | None, wrap: tuple[bool, bool]
) -> AscentState:
    """The state before an octave's first step: its base, and the detail that was added so far."""
    if detail is None:
        return octave.start(base)
    with np.errstate(over="ignore", invalid="ignore"):  # reported at the end
        masks = octave.masks or [None] * len(base)
        return octave.start(list(map(partial(add_detail, wrap=wrap), base, detail, masks)))


def _finished(
    state: AscentState,
    octave: Octave,
    pictures: Sequence[AnyArray],
    finishing: Finishing,
    masks: Sequence[AnyArray] | None,
) -> AscentState:
    """The state after the last step, with finished pictures."""
    dreams = octave.layout.take(state.image)
    finished = list(map(finishing, pictures, dreams, masks or [None] * len(dreams)))
    return state._replace(image=octave.layout.put(finished, octave.placement))


def _masks_at(layout: Layout, masks: Sequence[AnyArray] | None) -> tuple[AnyArray, ...] | None:
    """The masks, (h, w), at an octave's sizes, (h, w, 1)."""
    if masks is None:
        return None
    pairs = zip(masks, layout.sizes, strict=True)
    return tuple(average_areas(mask, size)[..., None] for mask, size in pairs)


def _bases(
    pictures: Sequence[AnyArray], layouts: Sequence[Layout], wrap: tuple[bool, bool]
) -> list[list[AnyArray]]:
    """The undreamed pictures at each octave's size, from small to large."""
    each = [
        octave_bases(picture, [layout.sizes[number] for layout in layouts], wrap=wrap)
        for number, picture in enumerate(pictures)
    ]
    return [list(octave) for octave in zip(*each, strict=True)]


def checked_states(states: Iterator[DreamState], objective: Objective) -> Iterator[DreamState]:
    """The states, and at the end an error or a warning if nothing came of them."""
    found = []
    for state in states:
        found.append(state.max_mean_gradient)
        yield state
    if not any(isinstance(value, Tracer) for value in found):
        check_gradients(np.max(np.stack(found), axis=0), repr(objective))


def _told(
    states: Iterator[DreamState], callback: Callable[[DreamState], object] | None
) -> Iterator[DreamState]:
    """The states, of each of which the callback is told."""
    for state in states:
        if callback is not None:
            callback(state)
        yield state


def _is_traced(*values: object) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
