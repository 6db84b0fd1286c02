"""What a class, a channel, a neuron or a direction looks like: feature visualisation from noise.

A picture, held as its Fourier spectrum (``fourier``), is changed by Adam so that an objective
grows; before each step it is seen from a random view (``robustness``). The objective's gradient is
divided by its mean absolute value, as in a dream, so that the weights of total variation and of
diversity mean the same for every objective, layer and network.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007).
"""

import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.arrays import AnyArray
from jaxdream.ascent import StepInfo
from jaxdream.compilation import program
from jaxdream.deepdream import picture_keys
from jaxdream.errors import JaxdreamError
from jaxdream.fourier import FourierImage
from jaxdream.models.network import Network
from jaxdream.models.waking import waking_activations
from jaxdream.objective import Objective
from jaxdream.objectives import direction
from jaxdream.optimizers import normalize_by_mean_abs
from jaxdream.robustness import Robustness, random_view

Keys = Key[Array, "*keys"] | UInt32[Array, "*keys 2"]
Size = int | tuple[int, int]
Objectives = Objective | Sequence[Objective]

_CHUNK = 32  # steps in one compiled loop, where loops are compiled
_BATCH_PIXELS = 16 * 224 * 224  # of the pictures made at once: about a gigabyte with GoogLeNet


class VisualizeState(NamedTuple):
    """A visualisation as far as it has got."""

    step: int  # steps done
    steps: int
    parameters: FourierImage  # of a batch, also where there is one picture
    info: StepInfo  # of the last step, one value per picture
    batched: bool

    @property
    def image(self) -> Float[Array, "*n h w 3"]:
        """The picture, or the batch of them: RGB, 0..255."""
        images = self.parameters.pixels()
        return images if self.batched else images[0]


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
        objective: one objective; or a sequence of them that differ in their numbers only (the
            channels of a layer, classes), for a picture each, all made at once.
        count: how many pictures to make for one objective; None for one without a batch axis.
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
            setting out of range, objectives that have no program in common, or a gradient that
            was zero or not finite throughout.
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
    return deque(states, maxlen=1).pop().image


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
    """Make pictures as ``visualize`` does, yielding the state after every step.

    With ``scan``, after every 32. Args and errors are those of ``visualize``; bad arguments are
    raised when the first state is asked for, a zero gradient when all states have been given.
    """
    _check_settings(steps, learning_rate, total_variation, diversity)
    stacked, n = _stack(objective, count)
    if diversity > 0 and (count or 1) < 2:
        raise JaxdreamError("diversity is between several pictures of one objective: ask for more")
    size = (size, size) if isinstance(size, int) else size
    size = size if image is None else (image.shape[0], image.shape[1])
    _check_objective(model, stacked, size)

    keys = jax.vmap(jax.random.split)(picture_keys(key, n))
    if image is None:
        parameters = jax.vmap(lambda key: FourierImage.noise(key, size))(keys[:, 0])
    else:
        parameters = FourierImage.of(jnp.broadcast_to(jnp.asarray(image), (n, *image.shape)))
    optimizer_state = _optimizer(learning_rate).init(parameters.spectrum)
    differ_at = _last_map(model, stacked.layers, size) if diversity > 0 else None
    scan = jax.default_backend() != "cpu" if scan is None else scan
    chunk = min(_CHUNK, steps) if scan else 1
    strongest = jnp.zeros(n)
    for first in range(0, steps, chunk):
        parameters, optimizer_state, infos = _run_steps(
            model,
            stacked,
            parameters,
            optimizer_state,
            keys[:, 1],
            jnp.arange(first, min(first + chunk, steps)),
            robustness,
            (learning_rate, total_variation, diversity),
            differ_at=differ_at,
        )
        strongest = jnp.maximum(strongest, infos.gradient_mean.max(axis=0))
        info = jax.tree.map(lambda values: values[-1], infos)
        done = min(first + chunk, steps)
        batched = count is not None or not isinstance(objective, Objective)
        yield VisualizeState(done, steps, parameters, info, batched)
    _check_gradient(strongest, stacked)


def channel_mean(model: Network, layer: str, index: int) -> Objective:
    """A channel's mean activation (times the number of places), which may be woken from silence.

    ``objectives.channel``, its energy, has no gradient where the channel is silent, and makes
    negative values grow too where a layer has them.

    Raises:
        JaxdreamError: no such layer or channel.
    """
    count = model.graph.channels[model.graph.resolve(layer)]
    if not 0 <= index < count:
        raise JaxdreamError(f"{layer} has channels 0 to {count - 1}, not {index}")
    return direction(layer, np.eye(count, dtype=np.float32)[index])


def plan_batches(
    objectives: Sequence[Objective], *, size: Size = 224, batch: int | None = None
) -> list[list[int]]:
    """Which of these objectives to visualise at once, by their places in the sequence.

    Those of one layer share a program and are made in one vmapped call, at most ``batch`` at a
    time (by default what fits into about a gigabyte); each layer has a program of its own.
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


@program(static_argnames="differ_at")
def _run_steps(
    model: Network,
    objectives: Objective,
    parameters: FourierImage,
    optimizer_state: optax.OptState,
    keys: Array,
    steps: Array,
    robustness: Robustness | None,
    weights: tuple[float | Array, float | Array, float | Array],
    *,
    differ_at: str | None,
) -> tuple[FourierImage, optax.OptState, StepInfo]:
    """The numbered steps, on a batch; the infos have a leading axis of as many."""
    learning_rate, total_variation, diversity = weights
    optimizer = _optimizer(learning_rate)

    @jax.vmap
    def normalize(gradient: Array) -> Array:
        return jnp.asarray(normalize_by_mean_abs().update(gradient, optax.EmptyState())[0])

    def pixels(spectrum: Array) -> Array:
        return FourierImage(spectrum, parameters.width).pixels()

    def step(state: tuple[Array, optax.OptState], number: Array):
        spectrum, optimizer_state = state
        images, pull_back = jax.vjp(pixels, spectrum)
        views = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
        values, gradient, apart = _gradients(
            model, objectives, images, views, robustness, differ_at
        )
        pull = normalize(gradient) - total_variation * jax.vmap(jax.grad(roughness))(images)
        if apart is not None:
            pull += diversity * normalize(apart)
        updates, optimizer_state = optimizer.update(pull_back(-pull)[0], optimizer_state)
        spectrum = jnp.asarray(optax.apply_updates(spectrum, updates))
        mean = jnp.mean(jnp.abs(gradient), axis=(1, 2, 3))
        return (spectrum, optimizer_state), StepInfo(values, mean)

    state = (parameters.spectrum, optimizer_state)
    if len(steps) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = step(state, steps[0])
        infos = jax.tree.map(lambda value: value[None], info)
    else:
        state, infos = jax.lax.scan(step, state, steps)
    return FourierImage(state[0], parameters.width), state[1], infos


def _gradients(
    model: Network,
    objectives: Objective,
    images: Float[Array, "n h w 3"],
    keys: Array,
    robustness: Robustness | None,
    differ_at: str | None,
) -> tuple[Array, Array, Array | None]:
    """The objectives' values, their gradients, and the gradient of the pictures' difference."""
    layers = objectives.layers + (() if differ_at is None else (differ_at,))

    def one(objective: Objective, image: Array, key: Array) -> tuple[Array, Array | None]:
        if robustness is not None:
            image = random_view(key, image, robustness=robustness)
        activations = waking_activations(model, model.preprocess(image)[None], layers)
        value = objective({name: activations[name][0] for name in objectives.layers})
        return value, None if differ_at is None else activations[differ_at][0]

    def whole(images: Array) -> tuple[Array, Array | None]:
        values, features = jax.vmap(one)(objectives, images, keys)
        return values, None if features is None else similarity(features)

    (values, alike), pull_back = jax.vjp(whole, images)
    ones = jnp.ones_like(values)
    if alike is None:
        return values, pull_back((ones, None))[0], None
    gradient = pull_back((ones, jnp.zeros_like(alike)))[0]
    return values, gradient, pull_back((0 * ones, -jnp.ones_like(alike)))[0]


def similarity(features: Float[Array, "n h w c"]) -> Float[Array, ""]:
    """Mean cosine between the Gram matrices of several pictures' features, over all pairs.

    Source: the diversity term of "Feature Visualization", Distill 2017, after the style of Gatys,
    Ecker, Bethge 2015.
    """
    n, _, _, channels = features.shape
    grams = jnp.einsum("nhwc,nhwd->ncd", features, features).reshape(n, channels**2)
    # Under the root, since a norm has no gradient at 0.
    unit = grams * jax.lax.rsqrt(jnp.sum(grams**2, axis=1, keepdims=True) + 1e-12)
    cosines = unit @ unit.T
    return (jnp.sum(cosines) - jnp.trace(cosines)) / (n * (n - 1))


def roughness(image: Float[Array, "h w 3"]) -> Float[Array, ""]:
    """Total variation of a picture (0..255): the sum of differences between neighbours.

    A difference d counts as sqrt(1 + d**2) - 1 levels, whose gradient is smooth at 0.
    """
    differences = [jnp.diff(image, axis=axis) for axis in (0, 1)]
    return sum((jnp.sum(jnp.sqrt(1 + d**2) - 1) for d in differences), jnp.zeros(()))


def _optimizer(learning_rate: float | Array) -> optax.GradientTransformation:
    return optax.chain(optax.scale_by_adam(), optax.scale(-1.0), optax.scale(learning_rate))


def _stack(objective: Objectives, count: int | None) -> tuple[Objective, int]:
    """One objective whose arrays have a leading axis of pictures, and how many those are."""
    if isinstance(objective, Objective):
        n = 1 if count is None else count
        if n < 1:
            raise JaxdreamError(f"the count of pictures must be at least 1, not {count}")
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *leaf.shape)), objective), n
    if count is not None:
        raise JaxdreamError("a count is for one objective: several have a picture each")
    if len(plan_batches(objective, batch=len(objective) or 1)) != 1:
        raise JaxdreamError(
            "visualised together, objectives are at least one, and of one kind and layer "
            "(plan_batches sorts them)"
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *objective), len(objective)


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


def _check_objective(model: Network, objective: Objective, size: tuple[int, int]) -> None:
    objective.check(model.graph)
    smallest = model.graph.minimum_size(*objective.layers)
    if min(size) < smallest:
        raise JaxdreamError(
            f"the picture is {size[1]}x{size[0]} pixels and the layer needs at least "
            f"{smallest}x{smallest}: choose an earlier layer or a larger size"
        )


def _check_gradient(strongest: Array, objective: Objective) -> None:
    """Say so when nothing was found; ``strongest`` is the largest mean |gradient| of a step."""
    if isinstance(strongest, Tracer):
        return
    what = ", ".join(objective.layers)
    if not np.isfinite(strongest).all():
        raise JaxdreamError(f"the gradient of {what} is not finite: use a smaller learning rate")
    silent = np.flatnonzero(np.asarray(strongest) == 0)
    if len(silent) == len(strongest):
        raise JaxdreamError(
            f"the gradient of {what} is zero everywhere: nothing in the picture excites it; try "
            "another seed, or begin from a photograph"
        )
    if len(silent):
        which = ", ".join(map(str, silent))
        warnings.warn(f"{what} has a zero gradient on pictures {which}", stacklevel=3)
