"""The dream: octaves from small to large, steps of gradient ascent in each, detail carried over.

``iterate_dream`` is the loop, written once, as a generator of what it has so far; ``dream`` runs it
to the end. Source: ``deepdream`` of Google's 2015 notebook.
"""

import math
import warnings
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Integer, Key, UInt32

from jaxdream.arrays import AnyArray
from jaxdream.ascent import AscentState, StepInfo, ascent_step, start_ascent
from jaxdream.compilation import program
from jaxdream.errors import JaxdreamError
from jaxdream.jitter import draw_offsets
from jaxdream.models.network import Network
from jaxdream.objectives import Objective, layer
from jaxdream.octaves import octave_bases, plan_octaves
from jaxdream.optimizers import classic_optimizer
from jaxdream.resample import resize

AnyKey = Key[Array, "*keys"] | UInt32[Array, "*keys 2"] | None
Image = Float[AnyArray, "*n h w 3"]
Offsets = Integer[AnyArray, "*sets steps 2"] | None


class DreamState(NamedTuple):
    """A dream as far as it has got."""

    octave: int  # 0 is the smallest
    octaves: int
    step: int  # steps done in this octave
    steps: int
    image: Float[Array, "*n h w 3"]  # at this octave's size; RGB, 0..255
    base: Float[Array, "*n h w 3"]  # the undreamed picture at this octave's size
    info: StepInfo  # of the last step, one value per picture
    done: float  # share of the whole dream, 0..1, by pixels computed

    def picture(self, image: Float[AnyArray, "*n fh fw 3"]) -> Float[Array, "*n fh fw 3"]:
        """The dream so far at the full size of ``image``, the picture it began from."""
        detail = resize(self.image - self.base, (image.shape[-3], image.shape[-2]))
        return jnp.asarray(image, jnp.float32) + detail


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

    Returns:
        The dreamed picture(s), RGB, 0..255, not rounded.

    Raises:
        JaxdreamError: an unknown layer, a picture too small for it, a setting out of range,
            offsets of the wrong shape, or a gradient that was zero or not finite throughout.
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
    )
    return deque(states, maxlen=1).pop().image


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
) -> Iterator[DreamState]:
    """Dream as ``dream`` does, yielding the state after every step (with ``scan``, every octave).

    Nothing is computed on the host between steps: a state's arrays may still be on their way.

    Args and errors are those of ``dream``. Bad arguments are raised when the first state is asked
    for, a zero gradient when all states have been given.
    """
    image = jnp.asarray(image, jnp.float32)
    objective = layer(model.default_layer) if objective is None else objective
    _check_settings(steps, step_size, jitter)
    sizes = _plan(model, objective, image, octaves, octave_scale)
    offsets = _offsets(key, offsets, image, count=len(sizes) * steps, jitter=jitter)
    scan = jax.default_backend() != "cpu" if scan is None else scan
    run = partial(_run_steps, clip=clip, optimizer=optimizer, batched=image.ndim == 4)
    start = partial(start_ascent, optimizer=optimizer or classic_optimizer(step_size))
    start = jax.vmap(start) if image.ndim == 4 else start
    chunk = steps if scan else 1
    strongest = jnp.zeros(image.shape[:-3])
    pixels, total = 0, steps * sum(height * width for height, width in sizes)

    bases = octave_bases(image, sizes)
    dreamed = bases[0]
    for octave, base in enumerate(bases):
        if octave > 0:
            dreamed = base + resize(dreamed - bases[octave - 1], sizes[octave])
        # So that an octave's first step is the same program as the others.
        optimizer_state = start(dreamed).optimizer
        for first in range(0, steps, chunk):
            at = octave * steps + first
            (dreamed, optimizer_state), infos = run(
                model, objective, dreamed, optimizer_state, offsets[at : at + chunk], step_size
            )
            strongest = jnp.maximum(strongest, infos.gradient_mean.max(axis=0))
            info = jax.tree.map(lambda values: values[-1], infos)
            pixels += chunk * base.shape[-3] * base.shape[-2]
            yield DreamState(
                octave, len(sizes), first + chunk, steps, dreamed, base, info, pixels / total
            )
    _check_gradient(strongest, objective)


@program(static_argnames=("clip", "optimizer", "batched"))
def _run_steps(
    model: Network,
    objective: Objective,
    image: Float[Array, "*n h w 3"],
    optimizer_state: optax.OptState,
    offsets: Int[Array, "k *n 2"],
    step_size: float | Float[Array, ""],
    *,
    clip: bool,
    optimizer: optax.GradientTransformation | None,
    batched: bool,
) -> tuple[AscentState, StepInfo]:
    """``k`` steps of one octave; the infos have a leading axis of ``k``."""
    optimizer = optimizer or classic_optimizer(step_size)

    def step(state: AscentState, offset: Array) -> tuple[AscentState, StepInfo]:
        return ascent_step(model, objective, state, offset, optimizer=optimizer, clip=clip)

    # Only the picture between steps is kept for a gradient through the dream, not every layer's
    # activations in every step.
    step = jax.checkpoint(step)
    if batched:
        step = jax.vmap(step)
    state = AscentState(image, optimizer_state)
    if len(offsets) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = step(state, offsets[0])
        return state, jax.tree.map(lambda value: value[None], info)
    return jax.lax.scan(step, state, offsets)


def _check_settings(steps: int, step_size: float | Array, jitter: int) -> None:
    if steps < 1:
        raise JaxdreamError(f"steps must be at least 1, not {steps}")
    if jitter < 0:
        raise JaxdreamError(f"jitter must be 0 or more pixels, not {jitter}")
    if not isinstance(step_size, Tracer) and not math.isfinite(step_size):
        raise JaxdreamError(f"step size must be a finite number, not {step_size}")


def _plan(
    model: Network, objective: Objective, image: Array, octaves: int, octave_scale: float
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
    key: AnyKey, offsets: Offsets, image: Array, *, count: int, jitter: int
) -> Int[Array, "count *n 2"]:
    """The jitter of every step, drawn or given; for a batch, of every picture."""
    batch = image.shape[:-3]
    if offsets is None:
        if key is None:
            raise JaxdreamError("a dream needs a random key, or offsets in its place")
        draw = partial(draw_offsets, count=count, jitter=jitter)
        if batch:
            return jnp.swapaxes(jax.vmap(draw)(picture_keys(key, batch[0])), 0, 1)
        return draw(key)
    offsets = jnp.asarray(offsets)
    if offsets.shape == (count, 2) and batch:
        offsets = jnp.broadcast_to(offsets, (*batch, count, 2))
    if offsets.shape != (*batch, count, 2):
        raise JaxdreamError(
            f"offsets have shape {offsets.shape}; this dream takes {(*batch, count, 2)}: "
            "(ox, oy) for every step of every octave"
        )
    return jnp.swapaxes(offsets, 0, 1) if batch else offsets


def picture_keys(key: Array, n: int) -> Array:
    """A key for each of ``n`` pictures, from one key or from as many."""
    single = jnp.ndim(key) == (0 if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else 1)
    if single:
        return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))
    if len(key) != n:
        raise JaxdreamError(f"{len(key)} keys for {n} pictures: give one key, or one per picture")
    return key


def _check_gradient(strongest: Array, objective: Objective) -> None:
    """Say so when nothing was dreamed; ``strongest`` is the largest mean |gradient| of a step."""
    if isinstance(strongest, Tracer):
        return
    values = np.atleast_1d(np.asarray(strongest))
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
