"""One step of gradient ascent: roll, gradient, normalise, step, roll back, clip.

Everything here is pure and works on one picture, RGB, 0..255; ``vmap`` makes batches of it.
Source: ``make_step`` of Google's 2015 notebook.
"""

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.algorithm.jitter import roll
from jaxdream.algorithm.optimizers import Count, Mask, mean_abs
from jaxdream.algorithm.sphere import latitudes, random_rotation, rotate_sphere
from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import as_objective
from jaxdream.types import AnyArray


class AscentState(NamedTuple):
    """What one step hands to the next."""

    image: Float[Array, "*n h w 3"]  # RGB, 0..255
    optimizer: optax.OptState


class StepInfo(NamedTuple):
    """What is known of a step; both from before the step."""

    value: Float[AnyArray, "*n"]  # of the objective, which is maximised
    gradient_mean: Float[AnyArray, "*n"]  # mean |gradient| over all pixels and channels


def objective_and_gradient(
    model: Network,
    objective: Objective | str,
    image: Float[AnyArray, "h w 3"],
    *,
    offset: Integer[AnyArray, "2"] | None = None,
) -> tuple[Float[Array, ""], Float[Array, "h w 3"]]:
    """The objective's value on a picture (RGB, 0..255) and its gradient per pixel level.

    Args:
        objective: also as text, which is read again at every call.
        offset: the jitter (ox, oy) by which the picture is rolled, for masks of it.

    Raises:
        JaxdreamError: an unknown layer, or a text that cannot be read.
    """
    if isinstance(objective, str):
        objective = as_objective(objective, model)
    return jax.value_and_grad(partial(objective.value, model, offset=offset))(jnp.asarray(image))


def start_ascent(
    image: Float[AnyArray, "h w 3"], *, optimizer: optax.GradientTransformation
) -> AscentState:
    """The state before the first step on a picture (RGB, 0..255, (h, w, 3))."""
    image = jnp.asarray(image)
    return AscentState(image, optimizer.init(image))


def ascent_step(
    model: Network,
    objective: Objective,
    state: AscentState,
    offset: Integer[AnyArray, "2"],
    *,
    optimizer: optax.GradientTransformation,
    clip: bool = True,
    mask: Mask = None,
    sphere: bool = False,
) -> tuple[AscentState, StepInfo]:
    """One jittered step.

    Args:
        state: from ``start_ascent`` or the step before.
        offset: (ox, oy) in pixels, along the width and the height.
        optimizer: an optax optimiser; ``classic_optimizer(1.5)`` is the original's.
        clip: keep the picture within 0..255.
        mask: how much of the step each pixel takes, 0..1; by default all of it.
        sphere: the picture is that of a sphere, and the offset stands for a rotation of it
            (``random_rotation``).

    Returns:
        The state after the step, and the objective's value and mean |gradient| before it.

    Raises:
        JaxdreamError: an unknown layer.
    """
    # Steps and clips commute with a roll, so rolling the gradient back is the same as rolling the
    # picture back, and leaves the picture's own pixels untouched by it.
    if sphere:
        rotation = random_rotation(offset)
        rotated = rotate_sphere(state.image, rotation)
        value, gradient = objective_and_gradient(model, objective, rotated)
        # A row near a pole is a small part of the sphere, stretched to the width of the picture.
        area = np.cos(latitudes(gradient.shape[0]))[:, None, None]
        gradient = rotate_sphere(gradient * area, rotation.T)
    else:
        rolled = roll(state.image, offset)
        value, gradient = objective_and_gradient(model, objective, rolled, offset=offset)
        gradient = roll(gradient, -offset)
    return take_step(state, value, gradient, optimizer=optimizer, clip=clip, mask=mask)


def take_step(
    state: AscentState,
    value: Float[Array, ""],
    gradient: Float[AnyArray, "h w 3"],
    *,
    optimizer: optax.GradientTransformation,
    clip: bool = True,
    valid_count: Count = None,
    mask: Mask = None,
) -> tuple[AscentState, StepInfo]:
    """The step for a gradient of the picture, no longer rolled.

    Args:
        valid_count: how many values of the arrays are the picture's, if it is padded; the
            gradient must be 0 on the padding.
        mask: as of ``ascent_step``; 0 on the padding.
    """
    descent = -jnp.asarray(gradient)  # of the same mean as the gradient, which is computed once
    update = optax.with_extra_args_support(optimizer).update
    updates, optimizer_state = update(
        descent, state.optimizer, state.image, valid_count=valid_count, mask=mask
    )
    if mask is not None:
        updates = jax.tree.map(lambda change: change * mask, updates)
    image = jnp.asarray(optax.apply_updates(state.image, updates))
    if clip:
        image = jnp.clip(image, 0.0, 255.0)
    if mask is not None:  # not even rounded, or clipped
        image = jnp.where(mask > 0, image, state.image)
    info = StepInfo(value, mean_abs(descent, valid_count, mask))
    return AscentState(image, optimizer_state), info


def gradient_errors(max_mean_gradient: Float[AnyArray, " n"], what: str) -> list[str | None]:
    """For each picture why nothing came of it, or None.

    Args:
        max_mean_gradient: the largest mean |gradient| of all steps on it.
        what: the objective, as a message names it.
    """

    def error(value: float) -> str | None:
        if not np.isfinite(value):
            return f"the gradient of {what} is not finite: use a smaller step size, or keep clip on"
        if value == 0:
            return (
                f"the gradient of {what} is zero everywhere, so the picture would not change: try "
                "another layer, seed or picture"
            )
        return None

    return [error(float(value)) for value in np.asarray(max_mean_gradient)]


def check_gradients(max_mean_gradient: AnyArray, what: str) -> None:
    """Make sure that something came of at least one picture, and warn of the others.

    Args are those of ``gradient_errors``. What is still traced is not checked.

    Raises:
        JaxdreamError: a gradient was not finite, or all were zero throughout.
    """
    if isinstance(max_mean_gradient, Tracer):
        return
    values = np.asarray(max_mean_gradient)
    errors = gradient_errors(values, what)
    fatal = [e for e, value in zip(errors, values, strict=True) if e and not np.isfinite(value)]
    if fatal or all(errors):
        raise JaxdreamError((fatal or errors)[0])
    if any(errors):
        which = ", ".join(str(number) for number, e in enumerate(errors, start=1) if e)
        line = f"the gradient of {what} is zero everywhere on pictures {which}: they did not change"
        warnings.warn(line, JaxdreamWarning, stacklevel=3)
