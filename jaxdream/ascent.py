"""One step of gradient ascent: roll, gradient, normalise, step, roll back, clip.

Everything here is pure and works on one picture, RGB, 0..255; ``vmap`` makes batches of it.
Source: ``make_step`` of Google's 2015 notebook.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from jaxdream.arrays import AnyArray
from jaxdream.jitter import roll
from jaxdream.models.network import Network
from jaxdream.objectives import Objective


class AscentState(NamedTuple):
    """What one step hands to the next."""

    image: Float[Array, "h w 3"]  # RGB, 0..255
    optimizer: optax.OptState


class StepInfo(NamedTuple):
    """What a step tells; both from before the step."""

    loss: Float[Array, ""]  # the objective's value
    gradient_mean: Float[Array, ""]  # mean |gradient| over all pixels and channels


def objective_and_gradient(
    model: Network, objective: Objective, image: Float[AnyArray, "h w 3"]
) -> tuple[Float[Array, ""], Float[Array, "h w 3"]]:
    """The objective's value on a picture (RGB, 0..255) and its gradient per pixel level.

    Raises:
        JaxdreamError: an unknown layer.
    """

    def value(image: Array) -> Array:
        activations = model(model.preprocess(image)[None], layers=objective.layers)
        return objective({name: activation[0] for name, activation in activations.items()})

    return jax.value_and_grad(value)(jnp.asarray(image))


def ascent_step(
    model: Network,
    objective: Objective,
    state: AscentState,
    offset: Integer[AnyArray, "2"],
    *,
    optimizer: optax.GradientTransformation,
    clip: bool = True,
) -> tuple[AscentState, StepInfo]:
    """One jittered step.

    Args:
        state: from ``start_ascent`` or the step before.
        offset: (ox, oy) in pixels, along the width and the height.
        optimizer: an optax optimiser; ``classic_optimizer(1.5)`` is the original's.
        clip: keep the picture within 0..255.
    """
    rolled = roll(state.image, offset)
    loss, gradient = objective_and_gradient(model, objective, rolled)
    # Steps and clips commute with the roll, so rolling the gradient back is the same as rolling
    # the picture back, and leaves the picture's own pixels untouched by it.
    gradient = roll(gradient, -offset)
    updates, optimizer_state = optimizer.update(-gradient, state.optimizer, state.image)
    image = jnp.asarray(optax.apply_updates(state.image, updates))
    if clip:
        image = jnp.clip(image, 0.0, 255.0)
    return AscentState(image, optimizer_state), StepInfo(loss, jnp.mean(jnp.abs(gradient)))


def start_ascent(
    image: Float[AnyArray, "h w 3"], *, optimizer: optax.GradientTransformation
) -> AscentState:
    """The state before the first step on a picture (RGB, 0..255)."""
    image = jnp.asarray(image)
    return AscentState(image, optimizer.init(image))
