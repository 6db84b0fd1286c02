"""The compiled programs of a dream, and how they make the steps of an octave.

On CPU a step is one program, looped over in Python; on GPU and TPU an octave is one program. Of a
picture too large for that, the gradient is summed up on the host over parts of it, which one
program computes, and another one takes the step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int, Integer

from jaxdream.algorithm.ascent import (
    AscentState,
    StepInfo,
    ascent_step,
    objective_value,
    start_ascent,
    take_step,
)
from jaxdream.algorithm.jitter import rolled_part
from jaxdream.algorithm.optimizers import classic_optimizer
from jaxdream.execution.jit import program
from jaxdream.execution.malloc import give_back_large_blocks
from jaxdream.execution.shapes import Canvas
from jaxdream.execution.sharding import Sharding
from jaxdream.models.network import Network
from jaxdream.models.regions import Region
from jaxdream.objectives import Objective
from jaxdream.types import AnyArray

Pull = Callable[[Array], tuple[Array]]  # as ``jax.vjp`` returns it: a pytree of what it keeps


@dataclass(frozen=True)
class OctaveSteps:
    """The steps of one octave: what they depend on, but for the picture."""

    model: Network
    objective: Objective
    canvas: Canvas
    step_size: float | Float[Array, ""]
    clip: bool
    optimizer: optax.GradientTransformation | None  # None: the classic step
    sharding: Sharding | None = None  # None: one device

    @property
    def placement(self) -> NamedSharding | None:
        """Where arrays with pictures have to be; None for any device."""
        return self.sharding and self.sharding.along()

    def start(self, array: Float[Array, "*n ch cw 3"]) -> AscentState:
        """The state before the first step on a picture or a batch, as put on the canvas."""
        return self._placed(self._start(array.ndim == 4)(array))

    def run(
        self, state: AscentState, offsets: Integer[AnyArray, "k *n 2"]
    ) -> tuple[AscentState, StepInfo, Float[AnyArray, "*n"]]:
        """One step for each of ``offsets``.

        Returns:
            The state, what the last step tells, and the largest mean |gradient| of all.
        """
        if self.canvas.parts is None:
            return self._at_once(state, self._placed(offsets, axis=1))()
        give_back_large_blocks()
        infos = []
        for offset in offsets:
            loss, gradient = self._summed(np.asarray(state.image), offset)
            state, info = self._finish(state, *self._placed((loss, gradient, offset)))()
            infos.append(info)
        means = np.stack([info.gradient_mean for info in infos])
        return state, infos[-1], np.asarray(means.max(axis=0))

    def lower(self, batch: tuple[int, ...], count: int) -> list[jax.stages.Lowered]:
        """Its programs for ``count`` steps on a batch, traced; by parts, the step's own is last."""
        image = _struct((*batch, *self.canvas.shape, 3))
        state = self._placed(jax.eval_shape(self._start(bool(batch)), image))
        if self.canvas.parts is None:
            offsets = self._placed(_struct((count, *batch, 2), np.int32), axis=1)
            return [_lower(self._at_once(state, offsets))]
        parts, size = self.canvas.parts, self.canvas.size
        part = self._placed(_struct((*batch, *parts.shape, 3)))
        forward = _lower(self._forward(part, parts.regions(size)[0]))
        loss, pull = self._results(forward)
        gradient, offset = _struct((*batch, *parts.extent(size), 3)), _struct((*batch, 2), np.int32)
        finish = self._finish(state, *self._placed((_struct(batch), gradient, offset)))
        return [forward, _lower(partial(_backward, pull, loss)), _lower(finish)]

    def _placed(self, tree, axis: int = 0):
        return tree if self.sharding is None else self.sharding.place(tree, axis)

    def _results(self, program: jax.stages.Lowered):
        """Shapes of what a program gives; where it leaves them, XLA decides when it compiles."""
        if self.sharding is None:
            return program.out_info
        return jax.tree.map(
            lambda info, at: jax.ShapeDtypeStruct(info.shape, info.dtype, sharding=at),
            program.out_info,
            program.compile().output_shardings,
        )

    def _start(self, batched: bool):
        start = partial(start_ascent, optimizer=self.optimizer or classic_optimizer(1.0))
        return jax.vmap(start) if batched else start

    def _at_once(self, state, offsets) -> partial:
        return partial(
            run_steps if len(offsets) == 1 else run_octave,
            self.model,
            self.objective,
            state.image,
            state.optimizer,
            offsets,
            self.step_size,
            self.canvas.region(),
            **self._options(state),
        )

    def _summed(
        self, image: Float[np.ndarray, "*n h w 3"], offset: Integer[np.ndarray, "*n 2"]
    ) -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n gh gw 3"]]:
        """The objective's value and gradient on the rolled picture, part by part."""
        assert self.canvas.parts is not None
        shape, size = self.canvas.parts.shape, self.canvas.size
        batch = image.shape[:-3]
        loss = np.zeros(batch, np.float32)
        gradient = np.zeros((*batch, *self.canvas.parts.extent(size), 3), np.float32)
        for region in self.canvas.parts.regions(size):
            cut = partial(rolled_part, size=region.size, origin=region.origin, shape=shape)
            part = np.stack([*map(cut, image, offset)]) if batch else cut(image, offset)
            part_loss, part_gradient = self._contribution(part, region)
            rows, columns = (slice(o, o + n) for o, n in zip(region.origin, shape, strict=True))
            loss += part_loss
            gradient[..., rows, columns, :] += part_gradient
        return loss, gradient

    def _contribution(self, part, region: Region) -> tuple[np.ndarray, np.ndarray]:
        """What a part contributes to the objective and its gradient; nothing else of it is kept."""
        loss, pull = self._forward(self._placed(part), region)()
        return np.asarray(loss), np.asarray(_backward(pull, loss))

    def _forward(self, part, region: Region) -> partial:
        return partial(_forward, self.model, self.objective, part, region, sharding=self.sharding)

    def _finish(self, state, loss, gradient, offset) -> partial:
        return partial(
            _finish_step,
            state.image,
            state.optimizer,
            loss,
            gradient,
            offset,
            self.step_size,
            np.array(self.canvas.size, np.int32),
            **self._options(state),
        )

    def _options(self, state) -> dict:
        batched = state.image.ndim == 4
        same = ("clip", "optimizer", "sharding")
        return {name: getattr(self, name) for name in same} | {"batched": batched}


def _run_steps(
    model: Network,
    objective: Objective,
    image: Float[Array, "*n h w 3"],
    optimizer_state: optax.OptState,
    offsets: Int[Array, "k *n 2"],
    step_size: float | Float[Array, ""],
    region: Region | None = None,
    *,
    clip: bool,
    optimizer: optax.GradientTransformation | None,
    batched: bool,
    sharding: Sharding | None = None,
) -> tuple[AscentState, StepInfo, Float[Array, "*n"]]:
    """``k`` steps of one octave on whole pictures; returns what ``OctaveSteps.run`` does."""

    def step(
        state: AscentState, offset: Array, region: Region | None
    ) -> tuple[AscentState, StepInfo]:
        size = None if region is None else region.size
        return ascent_step(
            model,
            objective,
            state,
            offset,
            optimizer=optimizer or _classic(step_size, size),
            clip=clip,
            region=region,
            sharding=sharding,
        )

    # Only the picture between steps is kept for a gradient through the dream, not every layer's
    # activations in every step.
    step = jax.checkpoint(step)
    if batched:
        of_each = region is not None and region.size.ndim == 2
        step = jax.vmap(step, in_axes=(0, 0, 0 if of_each else None))
    state = AscentState(image, optimizer_state)
    if len(offsets) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = step(state, offsets[0], region)
        return _kept(state, sharding), info, info.gradient_mean
    state, infos = jax.lax.scan(lambda s, offset: step(s, offset, region), state, offsets)
    last = jax.tree.map(lambda values: values[-1], infos)
    return _kept(state, sharding), last, infos.gradient_mean.max(axis=0)


_STATIC = ("clip", "optimizer", "batched", "sharding")
run_steps = program(static_argnames=_STATIC)(_run_steps)
# Nobody sees the picture that an octave begins with: its memory is the result's.
run_octave = program(static_argnames=_STATIC, donate_argnames=("image", "optimizer_state"))(
    _run_steps
)


# The gradient of a part is computed by two programs. In one, XLA would make maps of the first pass
# again in the second, in every fusion that reads them: a quarter slower, and what they are made
# from is larger than they are.


@program(static_argnames=("sharding",))
def _forward(
    model: Network,
    objective: Objective,
    part: Float[Array, "*n h w 3"],
    region: Region,
    *,
    sharding: Sharding | None = None,
) -> tuple[Float[Array, "*n"], Pull]:
    """What a part of a picture, or of a batch, contributes to the objective, and its pullback."""

    def value(part: Array) -> Array:
        part = part if sharding is None else sharding.split(part)
        return objective_value(model, objective, part, region)

    return jax.vjp(jax.vmap(value) if part.ndim == 4 else value, part)


@program()
def _backward(pull: Pull, loss: Float[Array, "*n"]) -> Float[Array, "*n h w 3"]:
    """The gradient with respect to the part."""
    (gradient,) = pull(jnp.ones_like(loss))
    return gradient


@program(static_argnames=_STATIC)
def _finish_step(
    image: Float[Array, "*n h w 3"],
    optimizer_state: optax.OptState,
    loss: Float[Array, "*n"],
    gradient: Float[Array, "*n gh gw 3"],
    offset: Int[Array, "*n 2"],
    step_size: float | Float[Array, ""],
    size: Int[Array, "2"],
    *,
    clip: bool,
    optimizer: optax.GradientTransformation | None,
    batched: bool,
    sharding: Sharding | None = None,
) -> tuple[AscentState, StepInfo]:
    """A step with a gradient that was summed up over parts."""
    optimizer = optimizer or _classic(step_size, size)
    finish = partial(take_step, optimizer=optimizer, clip=clip, size=size)
    if batched:
        finish = jax.vmap(finish)
    state, info = finish(AscentState(image, optimizer_state), loss, gradient, offset)
    return _kept(state, sharding), info


def _kept(state: AscentState, sharding: Sharding | None) -> AscentState:
    return state if sharding is None else sharding.keep(state)


def _classic(step_size, size: Integer[AnyArray, "2"] | None) -> optax.GradientTransformation:
    """The classic step on a picture of this height and width in the corner of an array."""
    return classic_optimizer(step_size, None if size is None else 3 * size[0] * size[1])


def _lower(call: partial) -> jax.stages.Lowered:
    return call.func.lower(*call.args, **call.keywords)  # pyright: ignore[reportFunctionMemberAccess]


def _struct(shape: tuple[int, ...], dtype: type = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
