"""The dream: octaves from small to large, steps of gradient ascent in each, detail carried over.

``iterate_dream`` is a generator of what it has so far; ``dream`` runs it to the end. Source:
``deepdream`` of Google's 2015 notebook.
"""

import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, Key, UInt32

from jaxdream.algorithm.ascent import StepInfo
from jaxdream.algorithm.jitter import draw_offsets
from jaxdream.algorithm.octaves import plan_octaves
from jaxdream.errors import JaxdreamError
from jaxdream.execution.planner import compiled_ahead, octave_programs
from jaxdream.execution.shapes import Canvas, Canvases
from jaxdream.execution.sharding import Sharding
from jaxdream.images.resample import resize
from jaxdream.models.network import Network
from jaxdream.objectives import Objective, layer
from jaxdream.octave_loop import check_settings, run_octaves, steps_at_once
from jaxdream.types import AnyArray

AnyKey = Key[Array, "*keys"] | UInt32[Array, "*keys 2"] | None
Image = Float[AnyArray, "*n h w 3"]
Offsets = Integer[AnyArray, "*sets steps 2"] | None


class DreamState(NamedTuple):
    """A dream as far as it has got."""

    octave: int  # 0 is the smallest
    octaves: int
    step: int  # steps done in this octave
    steps: int
    array: Float[Array, "*n ch cw 3"]  # the picture on its canvas
    canvas: Canvas
    base: Float[AnyArray, "*n h w 3"]  # the undreamed picture at this octave's size
    info: StepInfo  # of the last step, one value per picture
    done: float  # share of the whole dream, 0..1, by pixels computed

    @property
    def image(self) -> Float[AnyArray, "*n h w 3"]:
        """The picture at this octave's size; RGB, 0..255."""
        return self.canvas.take(self.array)  # pyright: ignore[reportReturnType]

    def picture(self, image: Float[AnyArray, "*n fh fw 3"]) -> Float[AnyArray, "*n fh fw 3"]:
        """The dream so far at the full size of ``image``, the picture it began from."""
        detail = resize(self.image - self.base, (image.shape[-3], image.shape[-2]))
        return image + detail


def dream(
    key: AnyKey,
    model: Network,
    image: Image,
    *,
    objective: Objective | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float | Float[Array, ""] = 1.5,
    jitter: int = 32,
    clip: bool = True,
    offsets: Offsets = None,
    optimizer: optax.GradientTransformation | None = None,
    scan: bool | None = None,
    canvases: Canvases | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
) -> Float[Array, "*n h w 3"]:
    """Dream a picture, or a batch of pictures of one size.

    The defaults are those of 2015. With the same key on the same machine the result is the same.

    Args:
        key: a JAX random key, or for a batch also one key per picture; with a single key, picture
            i of a batch dreams as it would alone with ``jax.random.fold_in(key, i)``. None where
            ``offsets`` are given.
        model: from ``load_model``.
        image: RGB, 0..255, (h, w, 3) or (n, h, w, 3).
        objective: what to maximise; by default the energy of the model's default layer.
        steps: in each octave.
        octaves: sizes to dream at; fewer, with a warning, where the smallest would be too small
            for the network.
        octave_scale: factor between one size and the next.
        step_size: mean change of a step, in pixel levels.
        jitter: largest roll before a step, in pixels.
        clip: keep the picture within 0..255 after every step.
        offsets: the jitter itself, (octaves * steps, 2) integers (ox, oy), for a batch also
            (n, octaves * steps, 2), instead of drawing it with ``key``.
        optimizer: an optax optimiser in place of the classic step (``step_size`` is then unused);
            it starts afresh in every octave. The same object does not compile anew.
        scan: whether an octave is one compiled loop (right on GPU and TPU, and under ``jax.grad``)
            or a loop over a compiled step (much faster on CPU). By default by platform.
        canvases: from ``plan_canvases``, so that pictures of many sizes share few compiled
            programs; by default sides are rounded up. Any leave the dream the same. They are not
            used with an optimiser or an objective that sees the whole picture at once, whose
            programs are compiled for every size anew.
        memory: bytes that this process may take in all (on an accelerator: of its memory); by
            default most of what is free. A larger picture is computed by parts, which changes
            nothing but the time it takes.
        sharding: ``shard_pictures()`` to share out a batch, a multiple of the devices, among all
            devices of this process, or ``shard_rows()`` to share out the rows of each picture; by
            default one device computes. The dream is the same but for rounding.

    Returns:
        The dreamed picture(s), RGB, 0..255, not rounded.

    Raises:
        JaxdreamError: an unknown layer, a picture too small for it or too large for the memory, a
            setting out of range, no key, keys or offsets of the wrong number, pictures that the
            devices cannot share evenly, or a gradient that was zero or not finite throughout.
    """
    states = iterate_dream(
        key,
        model,
        image,
        objective=objective,
        steps=steps,
        octaves=octaves,
        octave_scale=octave_scale,
        step_size=step_size,
        jitter=jitter,
        clip=clip,
        offsets=offsets,
        optimizer=optimizer,
        scan=scan,
        canvases=canvases,
        memory=memory,
        sharding=sharding,
    )
    return jax.device_put(deque(states, maxlen=1).pop().image)


def iterate_dream(
    key: AnyKey,
    model: Network,
    image: Image,
    *,
    objective: Objective | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float | Float[Array, ""] = 1.5,
    jitter: int = 32,
    clip: bool = True,
    offsets: Offsets = None,
    optimizer: optax.GradientTransformation | None = None,
    scan: bool | None = None,
    canvases: Canvases | None = None,
    memory: int | None = None,
    sharding: Sharding | None = None,
) -> Iterator[DreamState]:
    """Dream as ``dream`` does, yielding the state after every step (with ``scan``, every octave).

    Nothing is computed on the host between steps: a state's arrays may still be on their way.

    Args and errors are those of ``dream``. Bad arguments are raised when the first state is asked
    for, a zero gradient when all states have been given.
    """
    traced = _traced(key, model, image, objective, step_size, offsets)
    image = (jnp if traced else np).asarray(image, np.float32)
    objective = layer(model.default_layer) if objective is None else objective
    check_settings(steps, step_size, jitter)
    if sharding is not None:
        sharding.check(image.shape[:-3])
        model, objective = sharding.replicate((model, objective))
    sizes = _plan(model, objective, image, octaves, octave_scale)
    offsets = _offsets(key, offsets, image, count=len(sizes) * steps, jitter=jitter)
    chunk = steps_at_once(scan, steps)
    programs = octave_programs(
        model,
        objective,
        sizes,
        step_size=step_size,
        clip=clip,
        optimizer=optimizer,
        canvases=canvases,
        exact=traced,
        sharding=sharding,
    )
    batch = image.shape[:-3]
    strongest = []
    pixels, total = 0, steps * sum(height * width for height, width in sizes)
    # A traced dream is a part of its caller's program.
    alone = nullcontext(programs.__getitem__)
    with alone if traced else compiled_ahead(programs, batch, chunk, memory) as ready:
        for at in run_octaves(image, offsets, programs, ready, chunk=chunk):
            strongest.append(at.strongest)
            pixels += chunk * math.prod(sizes[at.octave])
            yield DreamState(
                at.octave,
                len(sizes),
                at.step,
                steps,
                at.array,
                at.canvas,
                at.base,  # pyright: ignore[reportArgumentType]
                at.info,
                pixels / total,
            )
    check_gradient(strongest, objective)


def _traced(*values: object) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def _plan(
    model: Network, objective: Objective, image: AnyArray, octaves: int, octave_scale: float
) -> tuple[tuple[int, int], ...]:
    objective.check(model.graph)
    minimum = model.graph.minimum_size(*objective.layers)
    size = (image.shape[-3], image.shape[-2])
    sizes = plan_octaves(size, octaves=octaves, octave_scale=octave_scale, minimum=minimum)
    if len(sizes) < octaves:
        warnings.warn(fewer_octaves(len(sizes), octaves, minimum), stacklevel=4)
    return sizes


def fewer_octaves(planned: int, octaves: int, minimum: int) -> str:
    """The line that says why a dream has fewer octaves than were asked for."""
    return (
        f"{planned} of {octaves} octaves: smaller ones would be under the {minimum} pixels "
        "that the layer needs"
    )


def _offsets(
    key: AnyKey, offsets: Offsets, image: AnyArray, *, count: int, jitter: int
) -> Integer[AnyArray, "count *n 2"]:
    """The jitter of every step, drawn or given; for a batch, of every picture."""
    batch = image.shape[:-3]
    if offsets is None:
        if key is None:
            raise JaxdreamError("a dream needs a random key, or offsets in its place")
        drawn = _draw(key, batch, count=count, jitter=jitter)
        return drawn if isinstance(drawn, Tracer) else np.asarray(drawn)
    xp = jnp if isinstance(offsets, Tracer) else np
    offsets = xp.asarray(offsets, np.int32)
    if offsets.shape == (count, 2) and batch:
        offsets = xp.broadcast_to(offsets, (*batch, count, 2))
    if offsets.shape != (*batch, count, 2):
        raise JaxdreamError(
            f"offsets have shape {offsets.shape}; this dream takes {(*batch, count, 2)}: "
            "(ox, oy) for every step of every octave"
        )
    return offsets.swapaxes(0, 1) if batch else offsets


@partial(jax.jit, static_argnames=("batch", "count", "jitter"))
def _draw(key: Array, batch: tuple[int, ...], *, count: int, jitter: int) -> Array:
    draw = partial(draw_offsets, count=count, jitter=jitter)
    return jnp.swapaxes(jax.vmap(draw)(picture_keys(key, batch[0])), 0, 1) if batch else draw(key)


def picture_keys(key: Array, n: int) -> Array:
    """A key for each of ``n`` pictures, from one key or from as many."""
    single = jnp.ndim(key) == (0 if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else 1)
    if single:
        return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))
    if len(key) != n:
        raise JaxdreamError(f"{len(key)} keys for {n} pictures: give one key, or one per picture")
    return key


def check_gradient(strongest: Sequence[AnyArray], objective: Objective) -> None:
    """Say so when nothing was dreamed; ``strongest`` are the largest mean |gradients| of steps."""
    if any(isinstance(value, Tracer) for value in strongest):
        return
    strongest = np.max(np.stack(strongest), axis=0)
    values = np.atleast_1d(strongest)
    if not np.isfinite(values).all():
        raise JaxdreamError(
            f"the gradient of {objective!r} is not finite: use smaller steps, or clip"
        )
    silent = np.flatnonzero(values == 0)
    if len(silent) == len(values):
        raise JaxdreamError(
            f"the gradient of {objective!r} is zero everywhere, so there is nothing to dream: "
            "nothing in the picture excites it; try another layer"
        )
    if len(silent):
        which = ", ".join(map(str, silent))
        warnings.warn(f"{objective!r} has a zero gradient on pictures {which}", stacklevel=3)
