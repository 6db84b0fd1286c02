"""Training steps: the state, the optimiser, and the compiled functions."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array
from optax.contrib import MuonDimensionNumbers, muon

from distillation import model
from distillation.model import Activations, DistillSpec, Pixels, Teacher, Tree
from distillation.settings import TrainSettings

EMA_DECAY = 0.998  # of the weights that are evaluated and exported


class TrainState(NamedTuple):
    """Everything that a step changes."""

    params: Tree  # {"net": by scope, "adapters": by point}
    averaged: Tree  # exponential moving average of params
    optimizer: optax.OptState
    step: Array


def start_state(params: Tree, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first step."""
    averaged = jax.tree.map(jnp.copy, params)
    return TrainState(params, averaged, optimizer.init(params), jnp.zeros((), jnp.int32))


def learning_rate(settings: TrainSettings, rate: float) -> optax.Schedule:
    """Warm-up, constant, and a linear decay to zero at the last step if there is a decay."""
    pieces = [optax.linear_schedule(0, rate, settings.warmup), optax.constant_schedule(rate)]
    bounds = [settings.warmup]
    if settings.decay_from is not None:
        pieces.append(optax.linear_schedule(rate, 0, settings.steps - settings.decay_from))
        bounds.append(settings.decay_from)
    return optax.join_schedules(pieces, bounds)


def make_optimizer(settings: TrainSettings) -> optax.GradientTransformation:
    """Muon (Jordan et al. 2024) for the convolutions, Adam for everything else."""

    def matrices(params: Tree) -> Tree:
        convolution = MuonDimensionNumbers((0, 1, 2), 3)
        return jax.tree.map(lambda leaf: convolution if leaf.ndim == 4 else None, params)

    return muon(
        learning_rate(settings, settings.rate),
        adam_learning_rate=learning_rate(settings, settings.adam_rate),
        adam_b2=0.99,
        muon_weight_dimension_numbers=matrices,
    )


@partial(jax.jit, static_argnames="spec")
def half_precision_targets(
    teacher: Teacher, images: Pixels, phase: Array, *, spec: DistillSpec
) -> Activations:
    """The teacher's features, in half precision because those of many crops are kept."""
    features = model.teacher_features(spec, teacher, images, phase)
    return {name: value.astype(jnp.float16) for name, value in features.items()}


@partial(jax.jit, static_argnames=("spec", "optimizer"), donate_argnums=0)
def train_step(
    state: TrainState,
    images: Pixels,
    targets: Activations,
    phase: Array,
    *,
    spec: DistillSpec,
    optimizer: optax.GradientTransformation,
) -> tuple[TrainState, Activations]:
    """One step; also the terms of the loss."""

    def loss(params: Tree):
        return model.loss(spec, params, images, targets, phase)

    gradient, terms = jax.grad(loss, has_aux=True)(state.params)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
    params: Tree = optax.apply_updates(state.params, updates)
    net = {
        scope: layer | {"kernel": model.unit_columns(layer["kernel"])}
        if layer["kernel"].ndim == 4
        else layer
        for scope, layer in params["net"].items()
    }
    params = params | {"net": net}
    # At first the average follows quickly, so that it forgets where the weights started.
    decay = jnp.minimum(EMA_DECAY, (1 + state.step) / (10 + state.step))
    averaged = optax.incremental_update(params, state.averaged, 1 - decay)
    return TrainState(params, averaged, optimizer_state, state.step + 1), terms
