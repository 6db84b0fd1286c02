"""One step of feature visualisation on a batch: random transforms, gradients, penalties, Adam.

The objective's gradient is divided by its mean absolute value, as in a dream, so that the weights
of total variation and of diversity mean the same for every objective, layer and network.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007).
"""

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
from jaxdream.visualization.fourier import FourierImage, low_frequencies
from jaxdream.visualization.transforms import RandomTransforms, random_transform


def adam(learning_rate: float | Array) -> optax.GradientTransformation:
    """The optimiser of a batch's spectra; its state does not depend on the rate."""
    return optax.chain(optax.scale_by_adam(), optax.scale(-1.0), optax.scale(learning_rate))


_PICTURES = "pictures"  # the axis that is mapped over those that are made together


@program(static_argnames=("diversity_layer", "objective_axes"))
def run_steps(
    model: Network,
    objectives: Objective,
    parameters: FourierImage,
    begun: FourierImage,
    optimizer_state: optax.OptState,
    importance: Float[Array, "n h w"],
    keys: Array,
    steps: Array,
    transforms: RandomTransforms | None,
    weights: tuple[float | Array, float | Array, float | Array, float | Array],
    *,
    objective_axes: Axes,
    diversity_layer: str | None,
) -> tuple[FourierImage, optax.OptState, Float[Array, "n h w"], StepInfo]:
    """Take several steps with a batch of pictures.

    Args:
        objectives: one objective whose leaves have a leading axis of pictures, where
            ``objective_axes`` are 0.
        parameters: the pictures, as a batch.
        begun: the pictures before the first step.
        importance: of each pixel so far: the sum over steps of its mean |gradient|, where that of
            the whole picture is 1.
        keys: one key for each picture, the same for all steps.
        steps: the numbers of the steps to take, from 0.
        weights: learning rate, weight of total variation, weight of diversity, and of the pull of
            the lowest frequencies to where they began.
        diversity_layer: the layer in which the pictures are to differ; None without diversity.

    Returns:
        The pictures, the optimiser's state, the importance, and the infos of all steps, (steps,
        pictures).
    """
    learning_rate, total_variation, diversity, anchor = weights
    model = model.merged([*objectives.layers, *([diversity_layer] if diversity_layer else [])])
    optimizer = adam(learning_rate)
    # A step of Adam is as long for a frequency whose gradient is nearly noise as for any other, and
    # the lowest frequencies have the largest amplitudes: left alone, they wander.
    kept = jnp.exp(-learning_rate * anchor * low_frequencies(parameters.size))

    @jax.vmap
    def normalize(gradient: Array) -> Array:
        return jnp.asarray(normalize_by_mean_abs().update(gradient, optax.EmptyState())[0])

    def pixels(spectrum: Array) -> Array:
        return FourierImage(spectrum, parameters.width).pixels()

    def step(state: tuple[Array, optax.OptState, Array], number: Array):
        spectrum, optimizer_state, importance = state
        images, pull_back = jax.vjp(pixels, spectrum)
        step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
        values, gradient, difference_gradient = _gradients(
            model, objectives, objective_axes, images, step_keys, transforms, diversity_layer
        )
        unit = normalize(gradient)
        importance += jnp.mean(jnp.abs(unit), axis=-1)
        pull = unit - total_variation * jax.vmap(jax.grad(roughness))(images)
        if difference_gradient is not None:
            pull += diversity * normalize(difference_gradient)
        updates, optimizer_state = optimizer.update(pull_back(-pull)[0], optimizer_state)
        spectrum = jnp.asarray(optax.apply_updates(spectrum, updates))
        spectrum = begun.spectrum + kept * (spectrum - begun.spectrum)
        mean = jnp.mean(jnp.abs(gradient), axis=(1, 2, 3))
        return (spectrum, optimizer_state, importance), StepInfo(values, mean)

    state = (parameters.spectrum, optimizer_state, importance)
    if len(steps) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = step(state, steps[0])
        infos = jax.tree.map(lambda value: value[None], info)
    else:
        state, infos = jax.lax.scan(step, state, steps)
    spectrum, optimizer_state, importance = state
    return FourierImage(spectrum, parameters.width), optimizer_state, importance, infos


def _gradients(
    model: Network,
    objectives: Objective,
    objective_axes: Axes,
    images: Float[Array, "n h w 3"],
    keys: Array,
    transforms: RandomTransforms | None,
    diversity_layer: str | None,
) -> tuple[Array, Array, Array | None]:
    """The objectives' values, their gradients, and the gradient of the pictures' difference."""
    layers = objectives.layers + (() if diversity_layer is None else (diversity_layer,))
    axes = axes_of(objectives, objective_axes), 0, 0

    def evaluate(objective: Objective, image: Array, key: Array) -> tuple[Array, Array | None]:
        transformed = image
        if transforms is not None:
            transformed = random_transform(key, image, transforms=transforms)

        def seen_by(network: Network, layers: tuple[str, ...]) -> PictureActivations:
            x = network.preprocess(transformed)[None]
            found = redirected_activations(network, x, layers)
            each = {name: activation[0] for name, activation in found.items()}
            return PictureActivations(each, picture=image, seen_by=seen_by, axis=_PICTURES)

        activations = seen_by(model, layers)
        value = objective(activations)
        return value, None if diversity_layer is None else activations[diversity_layer]

    def evaluate_all(images: Array) -> tuple[Array, Array | None]:
        values, features = jax.vmap(evaluate, axes, axis_name=_PICTURES)(objectives, images, keys)
        return values, None if features is None else similarity(features)

    (values, alike), pull_back = jax.vjp(evaluate_all, images)
    ones = jnp.ones_like(values)
    if alike is None:
        return values, pull_back((ones, None))[0], None
    gradient = pull_back((ones, jnp.zeros_like(alike)))[0]
    return values, gradient, pull_back((0 * ones, -jnp.ones_like(alike)))[0]


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
