"""What a class, a channel, a neuron or a direction looks like: feature visualisation from noise.

A picture, held as its Fourier spectrum (``fourier``), is changed by Adam so that an objective
grows (``visualization_step``); before each step it is seen from a random view (``robustness``).

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007).
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.algorithm.ascent import StepInfo
from jaxdream.algorithm.octaves import check_size
from jaxdream.deepdream import picture_keys
from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.objectives import direction
from jaxdream.objectives.base import Objective, check_index
from jaxdream.octave_loop import steps_at_once
from jaxdream.types import AnyArray
from jaxdream.visualization.fourier import FourierImage
from jaxdream.visualization.step import adam, run_steps
from jaxdream.visualization.transforms import Robustness

Keys = Key[Array, "*keys"] | UInt32[Array, "*keys 2"]
Size = int | tuple[int, int]
Objectives = Objective | Sequence[Objective]

_CHUNK = 32  # steps in one compiled loop, where loops are compiled
_BATCH_PIXELS = 16 * 224 * 224  # of the pictures made at once: under 2 GB with GoogLeNet


class VisualizeState(NamedTuple):
    """A visualisation as far as it has got: of one batch, where there are several."""

    places: tuple[int, ...]  # which of all pictures are in this batch
    step: int  # steps done in this batch
    steps: int
    parameters: FourierImage  # of the batch
    info: StepInfo  # of the last step, one value per picture
    done: float  # share of all batches, 0..1

    @property
    def images(self) -> Float[Array, "n h w 3"]:
        """The pictures of this batch: RGB, 0..255."""
        return self.parameters.pixels()


def visualize(
    key: Keys,
    model: Network,
    objective: Objectives,
    *,
    count: int | None = None,
    size: Size = 224,
    image: Float[AnyArray, "h w 3"] | None = None,
    steps: int = 256,
    learning_rate: float = 0.02,
    robustness: Robustness | None = Robustness(),  # noqa: B008 (frozen)
    total_variation: float = 0.1,
    diversity: float = 0.0,
    scan: bool | None = None,
) -> Float[Array, "*n h w 3"]:
    """Make a picture, or a batch of them, that an objective is large on.

    Args:
        key: a JAX random key, or for a batch also one key per picture; with a single key, picture
            i of a batch has ``jax.random.fold_in(key, i)``.
        model: from ``load_model``.
        objective: one objective, or a sequence of them for a picture each. Those that differ in
            their numbers only (channels of one layer, classes) are made in one vmapped call, at
            most 16 pictures of 224x224 at a time (``plan_batches``), with ``diversity`` all.
        count: how many pictures to make of one objective; None for one without a batch axis.
        size: of the pictures, in pixels: a side, or height and width.
        image: a picture to begin from (RGB, 0..255) instead of noise; its size counts.
        steps: of Adam.
        learning_rate: of Adam, on spectra of which unit normal ones are natural pictures.
        robustness: how the views before each step vary; None for the picture as it is.
        total_variation: the pull towards smoothness, relative to the objective's.
        diversity: the pull that makes the pictures of ``count`` differ, relative to the
            objective's: down with the mean cosine between the Gram matrices of their features.
        scan: whether steps are compiled loops (right on GPU and TPU) or a loop over a compiled
            step (much faster on CPU). By default by platform.

    Returns:
        The picture(s), RGB, 0..255, not rounded: (h, w, 3), or (n, h, w, 3) for a batch.

    Raises:
        JaxdreamError: an unknown layer, channel or class, a size too small for the layer, a
            setting out of range, or a gradient that was zero or not finite throughout.
    """
    states = iterate_visualize(
        key,
        model,
        objective,
        count=count,
        size=size,
        image=image,
        steps=steps,
        learning_rate=learning_rate,
        robustness=robustness,
        total_variation=total_variation,
        diversity=diversity,
        scan=scan,
    )
    last = {state.places: state for state in states}
    made = {
        i: image
        for state in last.values()
        for i, image in zip(state.places, state.images, strict=True)
    }
    images = jnp.stack([made[i] for i in range(len(made))])
    return images[0] if count is None and isinstance(objective, Objective) else images


def iterate_visualize(
    key: Keys,
    model: Network,
    objective: Objectives,
    *,
    count: int | None = None,
    size: Size = 224,
    image: Float[AnyArray, "h w 3"] | None = None,
    steps: int = 256,
    learning_rate: float = 0.02,
    robustness: Robustness | None = Robustness(),  # noqa: B008 (frozen)
    total_variation: float = 0.1,
    diversity: float = 0.0,
    scan: bool | None = None,
) -> Iterator[VisualizeState]:
    """Make pictures as ``visualize`` does, batch after batch, yielding the state after every step.

    With ``scan``, after every 32. Args and errors are those of ``visualize``; bad arguments are
    raised when the first state is asked for, a zero gradient when all states have been given.
    """
    _check_settings(steps, learning_rate, total_variation, diversity)
    objectives = _each(objective, count)
    if diversity > 0 and (count or 1) < 2:
        raise JaxdreamError("diversity is between several pictures of one objective: ask for more")
    size = (size, size) if isinstance(size, int) else size
    size = size if image is None else (image.shape[0], image.shape[1])
    n = len(objectives)
    batches = plan_batches(objectives, size=size, batch=n if diversity > 0 else None)
    for each in objectives:
        each.check(model.graph)
        check_size(size, model.graph.minimum_size(*each.layers))
    keys = jax.vmap(jax.random.split)(picture_keys(key, n))
    weights = (learning_rate, total_variation, diversity)
    strongest: list[Array] = []
    finished = 0
    for places in batches:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(objectives[i] for i in places))
        here = keys[jnp.array(places)]
        if image is None:
            start = jax.vmap(lambda key: FourierImage.noise(key, size))(here[:, 0])
        else:
            copies = jnp.broadcast_to(jnp.asarray(image), (len(places), *image.shape))
            start = FourierImage.of(copies)
        states = _steps(model, stacked, start, here[:, 1], steps, robustness, weights, scan)
        most = jnp.zeros(len(places))
        for done, parameters, infos in states:
            most = jnp.maximum(most, infos.gradient_mean.max(axis=0))
            info = jax.tree.map(lambda values: values[-1], infos)
            share = (finished + len(places) * done / steps) / n
            yield VisualizeState(tuple(places), done, steps, parameters, info, share)
        finished += len(places)
        strongest.append(most)
    _check_gradient(np.concatenate(strongest), [i for places in batches for i in places])


def channel_mean(model: Network, layer: str, index: int) -> Objective:
    """A channel's mean activation (times the number of places), which may be woken from silence.

    ``objectives.channel``, its energy, has no gradient where the channel is silent, and makes
    negative values grow too where a layer has them.

    Raises:
        JaxdreamError: no such layer or channel.
    """
    count = model.graph.channels[model.graph.resolve(layer)]
    check_index(index, count, layer, "channels")
    return direction(layer, np.eye(count, dtype=np.float32)[index])


def plan_batches(
    objectives: Sequence[Objective], *, size: Size = 224, batch: int | None = None
) -> list[list[int]]:
    """Which of these objectives to visualise at once, by their places in the sequence.

    Those that differ in their numbers only share a program and are made in one vmapped call, at
    most ``batch`` at a time (by default 16 of 224x224 or as many pixels: under 2 GB with
    GoogLeNet); each layer has a program of its own.
    """
    height, width = (size, size) if isinstance(size, int) else size
    most = max(1, _BATCH_PIXELS // (height * width)) if batch is None else batch
    groups: dict[object, list[int]] = {}
    for i, objective in enumerate(objectives):
        shapes = tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(objective))
        groups.setdefault((jax.tree.structure(objective), shapes), []).append(i)
    return [
        [int(i) for i in part]
        for group in groups.values()
        for part in np.array_split(group, math.ceil(len(group) / most))
    ]


def _steps(
    model: Network,
    objectives: Objective,
    parameters: FourierImage,
    keys: Array,
    steps: int,
    robustness: Robustness | None,
    weights: tuple[float, float, float],
    scan: bool | None,
) -> Iterator[tuple[int, FourierImage, StepInfo]]:
    """The steps of a batch: how many are done, the pictures, and what the new ones tell."""
    learning_rate, _, diversity = weights
    optimizer_state = adam(learning_rate).init(parameters.spectrum)
    differ_at = _last_map(model, objectives.layers, parameters.size) if diversity > 0 else None
    chunk = steps_at_once(scan, _CHUNK)
    for first in range(0, steps, chunk):
        done = min(first + chunk, steps)
        parameters, optimizer_state, infos = run_steps(
            model,
            objectives,
            parameters,
            optimizer_state,
            keys,
            jnp.arange(first, done),
            robustness,
            weights,
            differ_at=differ_at,
        )
        yield done, parameters, infos


def _each(objective: Objectives, count: int | None) -> list[Objective]:
    """An objective for every picture."""
    if isinstance(objective, Objective):
        if count is not None and count < 1:
            raise JaxdreamError(f"the count of pictures must be at least 1, not {count}")
        return [objective] * (count or 1)
    if count is not None:
        raise JaxdreamError("a count is for one objective: several have a picture each")
    if not objective:
        raise JaxdreamError("give at least one objective to visualise")
    return list(objective)


def _last_map(model: Network, layers: Sequence[str], size: tuple[int, int]) -> str:
    """The last layer on the way to these that has more than one place: where pictures differ."""
    graph = model.graph
    maps = [
        node.name
        for node in graph.needed(layers)
        if min(graph.sizes(node.name, size)[node.name]) > 1 and node.inputs
    ]
    return maps[-1] if maps else graph.resolve(layers[0])


def _check_settings(
    steps: int, learning_rate: float, total_variation: float, diversity: float
) -> None:
    if steps < 1:
        raise JaxdreamError(f"steps must be at least 1, not {steps}")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise JaxdreamError(f"the learning rate must be a number over 0, not {learning_rate}")
    for name, weight in (("total variation", total_variation), ("diversity", diversity)):
        if not (math.isfinite(weight) and weight >= 0):
            raise JaxdreamError(f"the weight of {name} must be 0 or more, not {weight}")


def _check_gradient(strongest: np.ndarray, places: list[int]) -> None:
    """Say so when nothing was found; ``strongest`` is the largest mean |gradient| of a step."""
    if not np.isfinite(strongest).all():
        raise JaxdreamError("the gradient is not finite: use a smaller learning rate")
    silent = [place for place, value in zip(places, strongest, strict=True) if value == 0]
    if len(silent) == len(places):
        raise JaxdreamError(
            "the gradient is zero everywhere: nothing in the picture excites what is to be shown; "
            "try another seed, or begin from a photograph"
        )
    if silent:
        which = ", ".join(str(place + 1) for place in sorted(silent))
        warnings.warn(f"nothing excites what is to be shown on pictures {which}", stacklevel=3)
