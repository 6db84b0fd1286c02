"""Feature visualisation: pictures of a class, a channel, a neuron or a direction, from noise.

A picture, held as its Fourier spectrum (``fourier``) or as the phases of one (``phase``), is
changed by Adam so that an objective grows (``step``). Before each step it is transformed at random
(``transforms``), or random crops of it are looked at (``crops``).

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007); ``phase`` and ``keep`` have theirs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxdream.algorithm.ascent import StepInfo, check_gradients
from jaxdream.algorithm.keys import picture_keys
from jaxdream.errors import JaxdreamError
from jaxdream.execution.jit import steps_per_call
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.objectives.stacking import Axes, stack_for_visualize
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, VisualizeSettings, takes_settings
from jaxdream.types import AnyArray, AnyKeys
from jaxdream.visualization.crops import RandomCrops
from jaxdream.visualization.fourier import FourierImage
from jaxdream.visualization.phase import PhaseImage, check_magnitude
from jaxdream.visualization.planning import (
    batches_of,
    picture_size,
    seen_size,
    transforms_of,
)
from jaxdream.visualization.step import (
    AscentBatch,
    ImageParameters,
    StepWeights,
    Transforms,
    run_steps,
    start_batch,
)

Size = int | tuple[int, int]
Objectives = Objective | str | Sequence[Objective | str]

_CHUNK = 32  # steps in one compiled loop, where loops are compiled
_OPAQUE = 80  # percent of the pixels are not wholly opaque


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class VisualizeState:
    """The pictures of one batch after some steps; a pytree whose leaves are arrays."""

    parameters: ImageParameters  # of the batch
    importance: Float[Array, "n h w"]  # of each pixel to the objective, 1 on average in each step
    trajectory: StepInfo  # of every step since the last state, (k, n): one value per picture
    indices: tuple[int, ...] = field(metadata={"static": True})  # of the batch among all pictures
    step: int = field(metadata={"static": True})  # steps done in this batch
    steps: int = field(metadata={"static": True})  # steps that each batch takes
    done: float = field(metadata={"static": True})  # share of all batches, 0..1

    @property
    def info(self) -> StepInfo:
        """Value and mean |gradient| of the last step, (n,) each."""
        return StepInfo(self.trajectory.value[-1], self.trajectory.gradient_mean[-1])

    @property
    def images(self) -> Float[Array, "n h w 3"]:
        """The pictures of this batch: RGB, 0..255."""
        return self.parameters.pixels()

    @property
    def alpha(self) -> Float[Array, "n h w"]:
        """How opaque each pixel is if only what the objective needs is to be seen, 0..1.

        The importance, with that of the uppermost fifth of each picture's pixels as 1. Source:
        T. Fel and others, "Unlocking Feature Visualization for Deeper Networks with MAgnitude
        Constrained Optimization", NeurIPS 2023: there too it is the sum over steps of
        the gradient's absolute value.
        """
        most = jnp.percentile(self.importance, _OPAQUE, axis=(1, 2), keepdims=True)
        return jnp.clip(self.importance / jnp.maximum(most, 1e-12), 0, 1)


@takes_settings(settings=VisualizeSettings, compute=Compute)
def visualize(
    key: AnyKeys,
    model: Network,
    objective: Objectives,
    *,
    settings: VisualizeSettings,
    compute: Compute,
    size: Size | None = None,
    image: Float[AnyArray, "h w 3"] | None = None,
    spectrum: Float[AnyArray, "h f 3"] | None = None,
    callback: Callable[[VisualizeState], object] | None = None,
) -> Float[Array, "*n h w 3"]:
    """Make a picture on which an objective is large, or a picture for each of several objectives.

    Args:
        key: a JAX random key, a whole number as its seed, or one key per picture; with a single
            key, picture i has ``jax.random.fold_in(key, i)``.
        model: from ``load_model`` or ``wrap``.
        objective: what to show: an objective, the name of a class, or an objective as text; or a
            sequence of them. Those that differ in their numbers only (channels of one layer,
            classes) are made in one vmapped call, at most 16 pictures of 224x224 at a time, with
            ``diversity`` all at once. ``[objective] * 4`` makes four pictures of one objective.
            Those of ``interpolate`` and ``alignment`` are also made at once, begin from the same
            noise, and are transformed alike, by the first key.
        size: of the pictures, in pixels: a side, or height and width; by default 224, or the one
            size that a network takes; with crops, which MACO looks at, 512 and any.
        image: a picture to begin from (RGB, 0..255) instead of noise; ``size`` is then its own,
            and with ``parametrization="maco"`` so are the magnitudes.
        spectrum: the magnitudes of MACO from noise, made by ``mean_spectrum``; by default those of
            a power law measured on natural pictures.
        callback: called with every state that ``iterate_visualize`` gives, such as a ``RunLog``.
        {settings}

    Of ``compute`` only ``scan`` applies. ``transforms`` is True for the random transforms of
    Distill 2017, or from noise with MACO for its crops; False for none; or a ``RandomTransforms``
    or ``RandomCrops`` with other amounts.

    ``keep`` is feature accentuation: C. Hamblin and others, "Feature Accentuation: Revealing 'What'
    Features Respond to in Natural Images", 2024. The mean distance of the layer's activations, on
    the picture and on ``image`` transformed alike, is held down.

    Returns:
        RGB, 0..255, not rounded: a picture (h, w, 3) of one objective, a stack (n, h, w, 3) of a
        sequence.

    Raises:
        JaxdreamError: an unknown layer, channel or class, a size too small for the layer, a
            setting out of range or without effect here, or a gradient that was not finite for one
            picture or zero for all.
    """
    states = iterate_visualize(
        key, model, objective, settings=settings, compute=compute, size=size, image=image,
        spectrum=spectrum,
    )  # fmt: skip
    last: dict[tuple[int, ...], VisualizeState] = {}
    for state in states:
        last[state.indices] = state
        if callback is not None:
            callback(state)
    finished = {
        index: image
        for state in last.values()
        for index, image in zip(state.indices, state.images, strict=True)
    }
    images = jnp.stack([finished[index] for index in range(len(finished))])
    return images[0] if isinstance(objective, Objective | str) else images


@takes_settings(settings=VisualizeSettings, compute=Compute)
def iterate_visualize(
    key: AnyKeys,
    model: Network,
    objective: Objectives,
    *,
    settings: VisualizeSettings,
    compute: Compute,
    size: Size | None = None,
    image: Float[AnyArray, "h w 3"] | None = None,
    spectrum: Float[AnyArray, "h f 3"] | None = None,
) -> Iterator[VisualizeState]:
    """Make pictures as ``visualize`` does, batch after batch, yielding the state after every step.

    With ``scan``, after every 32. Args are those of ``visualize``. Bad arguments raise its errors
    at once, a gradient of zero when all states have been given.

    Args:
        {settings}
    """
    single = isinstance(objective, Objective | str)
    given = [objective] if single else list(objective)
    if not given:
        raise JaxdreamError("objective is an empty sequence: give at least one")
    _check_compute(compute)
    # Each text is read once: it may name files and networks.
    texts = {one: as_objective(one, model, together=True) for one in given if isinstance(one, str)}
    objectives = [
        texts[one] if isinstance(one, str) else as_objective(one, model, together=True)
        for one in given
    ]
    settings = settings.complete(photograph=image is not None)
    crops = settings.parametrization == "maco" and image is None
    transforms = transforms_of(settings.transforms, crops, model, objectives)
    if image is not None:
        size = (image.shape[0], image.shape[1])
    size = picture_size(size, transforms, model, objectives, settings)
    if settings.keep is not None:
        if image is None:
            raise JaxdreamError("keep is of a photograph to begin from: give an image")
        layer = model.graph.resolve(settings.keep)
        model.graph.check_size(seen_size(transforms, size), layer)
        settings = settings.replace(keep=layer)
    if spectrum is not None and (settings.parametrization != "maco" or image is not None):
        raise JaxdreamError('a spectrum is for parametrization="maco" from noise: leave it out')
    batches = batches_of(objectives, settings, size, transforms)
    keys = picture_keys(key, len(objectives))
    if any(one.needs_batch for one in objectives):
        keys = jnp.broadcast_to(keys[:1], keys.shape)
    start = _start(settings, size, image, spectrum)
    return _run(model, objectives, batches, keys, start, settings, transforms, compute.scan)


def _start(
    settings: VisualizeSettings,
    size: tuple[int, int],
    image: Float[AnyArray, "h w 3"] | None,
    spectrum: Float[AnyArray, "h f 3"] | None,
) -> Callable[[Array], ImageParameters]:
    """What makes the pictures to begin from, of keys.

    Raises:
        JaxdreamError: a spectrum of another size.
    """
    kind, noise = FourierImage, FourierImage.noise
    if settings.parametrization == "maco":
        kind, noise = PhaseImage, partial(PhaseImage.noise, magnitude=spectrum)
        check_magnitude(spectrum, size)

    def start(keys: Array) -> ImageParameters:
        if image is None:
            return jax.vmap(lambda key: noise(key, size))(keys)
        return kind.of(jnp.broadcast_to(jnp.asarray(image), (len(keys), *image.shape)))

    return start


def _run(
    model: Network,
    objectives: Sequence[Objective],
    batches: Sequence[Sequence[int]],
    keys: Array,
    start: Callable[[Array], ImageParameters],
    settings: VisualizeSettings,
    transforms: Transforms | None,
    scan: bool | None,
) -> Iterator[VisualizeState]:
    """All batches; ``start`` makes the pictures that a batch begins from."""
    keys = jax.vmap(jax.random.split)(keys)
    max_mean_gradients: list[Array] = []
    finished = 0
    for indices in batches:
        stacked, axes = stack_for_visualize([objectives[i] for i in indices])
        batch_keys = keys[jnp.array(indices)]
        begun = start(batch_keys[:, 0])
        largest = jnp.zeros(len(indices))
        for step, batch, infos in _run_batch(
            model, stacked, axes, begun, batch_keys[:, 1], settings, transforms, scan
        ):
            largest = jnp.maximum(largest, infos.gradient_mean.max(axis=0))
            yield VisualizeState(
                batch.parameters,
                batch.importance,
                trajectory=infos,
                indices=tuple(indices),
                step=step,
                steps=settings.steps,
                done=(finished + len(indices) * step / settings.steps) / len(objectives),
            )
        finished += len(indices)
        max_mean_gradients.append(largest)
    order = np.argsort([i for indices in batches for i in indices])
    check_gradients(np.concatenate(max_mean_gradients)[order], "the objective")


def _run_batch(
    model: Network,
    objectives: Objective,
    objective_axes: Axes,
    begun: ImageParameters,
    keys: Array,
    settings: VisualizeSettings,
    transforms: Transforms | None,
    scan: bool | None,
) -> Iterator[tuple[int, AscentBatch, StepInfo]]:
    """The steps of a batch: how many are done, the pictures, and the infos of the new steps."""
    diversity = settings.diversity or 0.0
    # The last layer with more than one position: there the pictures are to differ.
    layers = objectives.layers or (model.default_layer,)
    seen = transforms.seen(begun.size) if isinstance(transforms, RandomCrops) else begun.size
    layer = model.graph.last_map(layers, seen) if diversity else None
    known = settings.values()
    weights = StepWeights(
        known["learning_rate"], known["total_variation"], diversity, known["anchor"],
        settings.keep_weight,
    )  # fmt: skip
    batch = start_batch(begun)
    chunk = steps_per_call(scan, _CHUNK)
    for first in range(0, settings.steps, chunk):
        done = min(first + chunk, settings.steps)
        batch, infos = run_steps(
            model,
            objectives,
            batch,
            begun,
            keys,
            jnp.arange(first, done),
            transforms,
            weights,
            objective_axes=objective_axes,
            diversity_layer=layer,
            keep_layer=settings.keep,
        )
        yield done, batch, infos


def _check_compute(compute: Compute) -> None:
    for name, value in compute.values().items():
        if name != "scan" and value is not None:
            raise JaxdreamError(f"{name} has no effect on visualize: leave it out")
