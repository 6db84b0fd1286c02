"""One step of feature visualisation on a batch: random transforms, gradients, penalties, Adam.

The objective's gradient is divided by its mean absolute value, as in a dream, so that the weights
of total variation, of diversity and of what is kept mean the same for every objective, layer and
network.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007); for what is kept, C. Hamblin and others, "Feature Accentuation:
Revealing 'What' Features Respond to in Natural Images", 2024.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxdream.algorithm.ascent import StepInfo
from jaxdream.algorithm.optimizers import normalize_by_mean_abs
from jaxdream.execution.jit import program
from jaxdream.execution.tiles import axes_of
from jaxdream.models.network import Network
from jaxdream.models.redirected_relu import redirected_activations
from jaxdream.objectives.activations import PictureActivations
from jaxdream.objectives.base import Objective
from jaxdream.objectives.stacking import Axes
from jaxdream.visualization.crops import RandomCrops
from jaxdream.visualization.fourier import FourierImage, low_frequencies
from jaxdream.visualization.phase import PhaseImage
from jaxdream.visualization.transforms import RandomTransforms

ImageParameters = FourierImage | PhaseImage
Transforms = RandomTransforms | RandomCrops
Scalar = Float[Array, ""]


class StepWeights(NamedTuple):
    """How long a step is, and how strong the pulls beside the objective's are."""

    learning_rate: float | Scalar
    total_variation: float | Scalar
    diversity: float | Scalar
    anchor: float | Scalar  # of the lowest frequencies to where they began
    keep: float | Scalar  # of a layer's activations to those of the picture before the first step


class AscentBatch(NamedTuple):
    """Pictures on their way."""

    parameters: ImageParameters
    optimizer: optax.OptState
    # Of each pixel so far: the sum over steps of its mean |gradient|, where that of the whole
    # picture is 1.
    importance: Float[Array, "n h w"]
    # What the gradient of what is kept is multiplied with; 0 until it has been measured.
    keep_scale: Float[Array, " n"]


def adam(learning_rate: float | Scalar) -> optax.GradientTransformation:
    """The optimiser of what is learnt; its state does not depend on the rate."""
    return optax.chain(optax.scale_by_adam(), optax.scale(-1.0), optax.scale(learning_rate))


def start_batch(parameters: ImageParameters) -> AscentBatch:
    """A batch of pictures before the first step."""
    count, (height, width) = parameters.learnt.shape[0], parameters.size
    optimizer = adam(1.0).init(parameters.learnt)
    importance = jnp.zeros((count, height, width))
    return AscentBatch(parameters, optimizer, importance, jnp.zeros(count))


_PICTURES = "pictures"  # the axis that is mapped over those that are made together


@program(static_argnames=("diversity_layer", "keep_layer", "objective_axes"))
def run_steps(
    model: Network,
    objectives: Objective,
    batch: AscentBatch,
    begun: ImageParameters,
    keys: Array,
    steps: Array,
    transforms: Transforms | None,
    weights: StepWeights,
    *,
    objective_axes: Axes,
    diversity_layer: str | None,
    keep_layer: str | None,
) -> tuple[AscentBatch, StepInfo]:
    """Take several steps with a batch of pictures.

    Args:
        objectives: one objective whose leaves have a leading axis of pictures, where
            ``objective_axes`` are 0.
        begun: the pictures before the first step.
        keys: one key for each picture, the same for all steps.
        steps: the numbers of the steps to take, from 0.
        diversity_layer: the layer in which the pictures are to differ; None without diversity.
        keep_layer: the layer whose activations are to stay near those of ``begun``; None for none.

    Returns:
        The pictures, and the infos of all steps, (steps, pictures).
    """
    of_pictures = [layer for layer in (diversity_layer, keep_layer) if layer is not None]
    model = model.merged([*objectives.layers, *of_pictures])
    optimizer = adam(weights.learning_rate)
    # A step of Adam is as long for a frequency whose gradient is nearly noise as for any other, and
    # the lowest frequencies have the largest amplitudes: left alone, they wander.
    lowest = low_frequencies(begun.size)
    kept = jnp.exp(-weights.learning_rate * weights.anchor * lowest)
    photographs = None if keep_layer is None else begun.pixels()
    views = _Views(
        model, objectives, objective_axes, photographs, transforms, diversity_layer, keep_layer
    )

    def pixels(learnt: Array) -> Array:
        return begun.with_learnt(learnt).pixels()

    def step(state: tuple[Array, optax.OptState, Array, Array], number: Array):
        learnt, optimizer_state, importance, keep_scale = state
        images, pull_back = jax.vjp(pixels, learnt)
        step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
        values, gradients = views.gradients(images, step_keys)
        unit = _normalized(gradients.value)
        importance += jnp.mean(jnp.abs(unit), axis=-1)
        pull, keep_scale = _pull(unit, gradients, images, number, keep_scale, weights)
        updates, optimizer_state = optimizer.update(pull_back(-pull)[0], optimizer_state)
        learnt = jnp.asarray(optax.apply_updates(learnt, updates))
        learnt = begun.learnt + kept * (learnt - begun.learnt)
        mean = jnp.mean(jnp.abs(gradients.value), axis=(1, 2, 3))
        return (learnt, optimizer_state, importance, keep_scale), StepInfo(values, mean)

    state = (batch.parameters.learnt, *batch[1:])
    if len(steps) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = step(state, steps[0])
        infos = jax.tree.map(lambda value: value[None], info)
    else:
        state, infos = jax.lax.scan(step, state, steps)
    learnt, optimizer_state, importance, keep_scale = state
    parameters = begun.with_learnt(learnt)
    return AscentBatch(parameters, optimizer_state, importance, keep_scale), infos


class _Gradients(NamedTuple):
    """Gradients of pictures, in the shape of the pictures."""

    value: Float[Array, "n h w 3"]  # of the objectives
    difference: Float[Array, "n h w 3"] | None  # between the pictures
    distance: Float[Array, "n h w 3"] | None  # to what is kept


def _pull(
    unit: Float[Array, "n h w 3"],
    gradients: _Gradients,
    images: Float[Array, "n h w 3"],
    number: Array,
    keep_scale: Float[Array, " n"],
    weights: StepWeights,
) -> tuple[Float[Array, "n h w 3"], Float[Array, " n"]]:
    """Where a step goes, and what the gradient of what is kept is multiplied with from now on.

    Args:
        unit: the objectives' gradients, of mean absolute value 1.
        number: of the step, from 0.
    """
    pull = unit - weights.total_variation * jax.vmap(jax.grad(roughness))(images)
    if gradients.difference is not None:
        pull += weights.diversity * _normalized(gradients.difference)
    if gradients.distance is not None:
        # Before the first step there is no distance, and of its gradient only rounding errors.
        size = jnp.mean(jnp.abs(gradients.distance), axis=(1, 2, 3))
        keep_scale = jnp.where(number == 1, 1 / jnp.maximum(size, 1e-30), keep_scale)
        pull -= weights.keep * keep_scale[:, None, None, None] * gradients.distance
    return pull, keep_scale


@jax.vmap
def _normalized(gradient: Float[Array, "h w 3"]) -> Float[Array, "h w 3"]:
    return jnp.asarray(normalize_by_mean_abs().update(gradient, optax.EmptyState())[0])


@dataclass(frozen=True, eq=False)
class _Views:
    """What a step sees of the pictures, and by which network."""

    model: Network
    objectives: Objective
    objective_axes: Axes
    photographs: Float[Array, "n h w 3"] | None
    transforms: Transforms | None
    diversity_layer: str | None
    keep_layer: str | None

    def gradients(
        self, images: Float[Array, "n h w 3"], keys: Array
    ) -> tuple[Float[Array, " n"], _Gradients]:
        """The objectives' values, and the gradients of the pictures."""
        photographs = self.photographs
        axes = (
            axes_of(self.objectives, self.objective_axes), 0, None if photographs is None else 0, 0,
        )  # fmt: skip

        def evaluate_all(images: Array) -> tuple[Array, Array | None, Array | None]:
            mapped = jax.vmap(self._evaluate, axes, axis_name=_PICTURES)
            values, features, away = mapped(self.objectives, images, photographs, keys)
            return values, None if features is None else similarity(features), away

        (values, alike, away), pull_back = jax.vjp(evaluate_all, images)

        def gradient(of_values: int, of_alike: int, of_away: int) -> Array:
            weights = (of_values, of_alike, of_away)
            given = zip(weights, (values, alike, away), strict=True)
            return pull_back(
                tuple(None if x is None else jnp.full_like(x, weight) for weight, x in given)
            )[0]

        return values, _Gradients(
            gradient(1, 0, 0),
            None if alike is None else gradient(0, -1, 0),
            None if away is None else gradient(0, 0, 1),
        )

    def _evaluate(
        self, objective: Objective, image: Array, photograph: Array | None, key: Array
    ) -> tuple[Array, Array | None, Array | None]:
        """The mean over all views of a picture; ``_view`` is one."""
        views = key[None] if self.transforms is None else self.transforms.views(key)
        values, features, away = jax.vmap(self._view, (None, None, None, 0))(
            objective, image, photograph, views
        )
        return jnp.mean(values), features, None if away is None else jnp.mean(away)

    def _view(
        self, objective: Objective, image: Array, photograph: Array | None, key: Array
    ) -> tuple[Array, Array | None, Array | None]:
        """The objective's value, the features that are to differ, the distance to what is kept."""

        def transformed(image: Array) -> Array:
            return image if self.transforms is None else self.transforms(key, image)

        def seen_by(network: Network, layers: tuple[str, ...]) -> PictureActivations:
            x = network.preprocess(transformed(image))[None]
            found = redirected_activations(network, x, layers)
            each = {name: activation[0] for name, activation in found.items()}
            return PictureActivations(each, picture=image, seen_by=seen_by, axis=_PICTURES)

        asked = [each for each in (self.diversity_layer, self.keep_layer) if each is not None]
        activations = seen_by(self.model, (*self.objectives.layers, *asked))
        features = None if self.diversity_layer is None else activations[self.diversity_layer]
        away = None
        if self.keep_layer is not None and photograph is not None:
            x = self.model.preprocess(transformed(photograph))[None]
            before = redirected_activations(self.model, x, (self.keep_layer,))[self.keep_layer][0]
            away = distance(activations[self.keep_layer], before)
        return objective(activations), features, away


def distance(activations: Float[Array, "... c"], before: Float[Array, "... c"]) -> Float[Array, ""]:
    """How far a layer's activations are from others: the mean norm of the difference at a position.

    Smooth at 0, within a thousandth of what the activations are.

    Source: the regulariser of "Feature Accentuation", 2024.
    """
    squares = jnp.sum((activations - before) ** 2, axis=-1)
    # A norm has no gradient at 0.
    little = 1e-6 * jnp.mean(jnp.sum(before**2, axis=-1)) + 1e-12
    return jnp.mean(jnp.sqrt(squares + little))


def similarity(features: Float[Array, "n ... c"]) -> Float[Array, ""]:
    """Mean cosine between the Gram matrices of several pictures' features, over all pairs.

    Source: the diversity term of "Feature Visualization", Distill 2017, after the style of
    L. Gatys, A. Ecker, M. Bethge, "A Neural Algorithm of Artistic Style", 2015.
    """
    n, channels = features.shape[0], features.shape[-1]
    features = features.reshape(n, -1, channels)
    grams = jnp.einsum("npc,npd->ncd", features, features).reshape(n, channels**2)
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
