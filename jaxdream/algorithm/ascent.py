"""One step of gradient ascent: roll, gradient, normalise, step, roll back, clip.

Everything here is pure and works on one picture, RGB, 0..255; ``vmap`` makes batches of it.
Source: ``make_step`` of Google's 2015 notebook.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from jaxdream.algorithm.jitter import roll, rolled_part
from jaxdream.algorithm.optimizers import mean_abs
from jaxdream.execution.sharding import Sharding
from jaxdream.models.network import Network
from jaxdream.models.regions import Region, rectangle
from jaxdream.objectives import Objective
from jaxdream.types import AnyArray


class AscentState(NamedTuple):
    """What one step hands to the next."""

    image: Float[Array, "h w 3"]  # RGB, 0..255
    optimizer: optax.OptState


class StepInfo(NamedTuple):
    """What a step tells; both from before the step."""

    value: Float[Array, ""]  # of the objective
    gradient_mean: Float[Array, ""]  # mean |gradient| over all pixels and channels


def objective_and_gradient(
    model: Network,
    objective: Objective,
    image: Float[AnyArray, "h w 3"],
    region: Region | None = None,
) -> tuple[Float[Array, ""], Float[Array, "h w 3"]]:
    """The objective's value on a picture (RGB, 0..255) and its gradient per pixel level.

    With a ``region``, ``image`` is a canvas, and both are what its part of a picture contributes;
    the objective must be local.

    Raises:
        JaxdreamError: an unknown layer.
    """

    def value(image: Array) -> Array:
        return objective_value(model, objective, image, region)

    return jax.value_and_grad(value)(jnp.asarray(image))


def objective_value(
    model: Network,
    objective: Objective,
    image: Float[AnyArray, "h w 3"],
    region: Region | None = None,
) -> Float[Array, ""]:
    """The objective's value alone; arguments are those of ``objective_and_gradient``."""
    activations = model(model.preprocess(image)[None], layers=objective.layers, region=region)
    return objective({name: activation[0] for name, activation in activations.items()})


def take_step(
    state: AscentState,
    loss: Float[Array, ""],
    gradient: Float[AnyArray, "gh gw 3"],
    offset: Integer[AnyArray, "2"],
    *,
    optimizer: optax.GradientTransformation,
    clip: bool = True,
    size: Integer[AnyArray, "2"] | None = None,
) -> tuple[AscentState, StepInfo]:
    """The step for a gradient of the picture rolled by ``offset``.

    Args:
        size: height and width of the picture, where it and the gradient are in the upper left
            corners of arrays; the optimiser must then know how many values are the picture's.
    """
    # Steps and clips commute with the roll, so rolling the gradient back is the same as rolling
    # the picture back, and leaves the picture's own pixels untouched by it.
    count = None
    if size is None:
        gradient = roll(gradient, -offset)
    else:
        origin, (height, width, channels) = jnp.zeros(2, jnp.int32), state.image.shape
        gradient = rolled_part(gradient, -offset, size=size, origin=origin, shape=(height, width))
        gradient = jnp.where(rectangle(origin, size, gradient.shape), gradient, 0)
        count = channels * size[0] * size[1]
    updates, optimizer_state = optimizer.update(-gradient, state.optimizer, state.image)
    image = jnp.asarray(optax.apply_updates(state.image, updates))
    if clip:
        image = jnp.clip(image, 0.0, 255.0)
    return AscentState(image, optimizer_state), StepInfo(loss, mean_abs(gradient, count))


def ascent_step(
    model: Network,
    objective: Objective,
    state: AscentState,
    offset: Integer[AnyArray, "2"],
    *,
    optimizer: optax.GradientTransformation,
    clip: bool = True,
    region: Region | None = None,
    sharding: Sharding | None = None,
) -> tuple[AscentState, StepInfo]:
    """One jittered step.

    Args:
        state: from ``start_ascent`` or the step before.
        offset: (ox, oy) in pixels, along the width and the height.
        optimizer: an optax optimiser; ``classic_optimizer(1.5)`` is the original's.
        clip: keep the picture within 0..255.
        region: of the whole picture, where ``state`` has it in the corner of a larger array; the
            objective must then be local, and the optimiser know how many values are the picture's.
        sharding: as of ``dream``.

    Returns:
        The state after the step, and the objective's value and mean |gradient| before it.

    Raises:
        JaxdreamError: an unknown layer.
    """
    if region is None:
        size, rolled = None, roll(state.image, offset)
    else:
        size, (height, width, _) = region.size, state.image.shape
        rolled = rolled_part(
            state.image, offset, size=size, origin=region.origin, shape=(height, width)
        )
    if sharding is not None:
        rolled = sharding.split(jnp.asarray(rolled))
    loss, gradient = objective_and_gradient(model, objective, rolled, region)
    return take_step(state, loss, gradient, offset, optimizer=optimizer, clip=clip, size=size)


def start_ascent(
    image: Float[AnyArray, "h w 3"], *, optimizer: optax.GradientTransformation
) -> AscentState:
    """The state before the first step on a picture (RGB, 0..255, (h, w, 3))."""
    image = jnp.asarray(image)
    return AscentState(image, optimizer.init(image))
