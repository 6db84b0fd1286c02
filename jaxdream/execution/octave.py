"""The compiled programs of an octave, and how they make its steps.

On CPU a step is one program, called in a loop by Python; on GPU and TPU an octave is one program.
Of pictures too large for that, the gradient is summed on the host over tiles, and a program of its
own takes the step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int, Integer

from jaxdream.algorithm.ascent import AscentState, StepInfo, ascent_step, start_ascent, take_step
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.execution.executables import compile_or_load
from jaxdream.execution.jit import lower, program
from jaxdream.execution.shapes import Layout, TiledLayout
from jaxdream.execution.sharding import Sharding
from jaxdream.execution.tiles import TiledGradient, axes_of, each, lower_tiles, rolled_part
from jaxdream.models.network import Network
from jaxdream.models.regions import Region, rectangle_mask
from jaxdream.objectives import Objective
from jaxdream.types import AnyArray, Flattened

StepSize = float | Float[AnyArray, "..."]
_ANY = np.zeros(())  # a leaf, where only the structure counts
TakeStep = Callable[..., tuple[AscentState, StepInfo]]  # ``take_step`` with its options


@dataclass(frozen=True)
class Octave:
    """The steps of one octave on a batch of pictures, before they are compiled."""

    model: Network
    objective: Objective
    layout: Layout
    step_size: StepSize  # of all pictures, or (n,) of each
    rule: StepRule
    sharding: Sharding | None = None  # None: one device
    masks: tuple[AnyArray, ...] | None = None  # of each picture, (h, w, 1), 0..1, at its size here
    # Of the objective's leaves, where each picture has its own.
    objective_axes: tuple[int | None, ...] | None = None

    @property
    def count(self) -> int:
        """Pictures in the batch."""
        return len(self.layout.sizes)

    @property
    def placement(self) -> NamedSharding | None:
        """Where arrays with the pictures have to be; None for any device."""
        return self.sharding and self.sharding.along()

    def start(self, pictures: Sequence[AnyArray]) -> AscentState:
        """The state before the first step on pictures (RGB, 0..255, (h, w, 3) each)."""
        array = self.layout.put(pictures, self.placement)
        return self._placed(self._start(array))

    @cached_property
    def mask(self) -> Float[Array, "n H W 1"] | None:
        """The masks as an array of the program's."""
        return None if self.masks is None else self.layout.put(self.masks, self.placement)

    @cached_property
    def _constants(self) -> Flattened:
        """What is the same in all steps."""
        return Flattened.of(
            (self.model, self.objective, self.step_size, self.layout.region(), self.mask)
        )

    def run(
        self, state: AscentState, offsets: Integer[AnyArray, "k n 2"]
    ) -> tuple[AscentState, StepInfo]:
        """The steps as a part of a program that is being traced; see ``CompiledOctave.run``."""
        return self._steps(state, offsets)()

    def lower(self, count: int) -> list[jax.stages.Lowered]:
        """Its programs for ``count`` steps a call, traced; with tiles, the step's own is last."""
        layout, steps = self.layout, self._abstract_steps(count)
        if not isinstance(layout, TiledLayout):
            return [lower(steps)]
        state = AscentState(*steps.args[1:3])
        gradient = _struct((self.count, *layout.tiling.extent(layout.shape), 3))
        rest = _struct((self.count,)), gradient, _struct((self.count, 2), np.int32)
        return [
            *lower_tiles(
                self.model,
                self.objective,
                layout.tiling,
                layout.shape,
                self.count,
                self.sharding,
                self.objective_axes,
            ),
            lower(self._finish(state, *self._placed(rest))),
        ]

    def compile(self, count: int) -> "CompiledOctave":
        """Its programs for ``count`` steps a call, compiled, perhaps by an earlier run."""
        if isinstance(self.layout, TiledLayout):
            return CompiledOctave(self, tuple(lowered.compile() for lowered in self.lower(count)))
        call = self._abstract_steps(count)
        state = AscentState(*call.args[1:3])
        results = jax.tree.structure((state, StepInfo(_ANY, _ANY)))
        return CompiledOctave(self, (compile_or_load(call, results),))

    def _abstract_steps(self, count: int) -> partial:
        """A call of the program for ``count`` steps, with shapes in the place of pictures."""
        state = self._placed(
            jax.eval_shape(self._start, _struct((self.count, *self.layout.shape, 3)))
        )
        offsets = self._placed(_struct((count, self.count, 2), np.int32), axis=1)
        return self._steps(state, offsets)

    def _start(self, array: Float[AnyArray, "n H W 3"]) -> AscentState:
        optimizer = self.rule.make(0.0)  # no state depends on the step size
        return jax.vmap(partial(start_ascent, optimizer=optimizer))(array)

    def _placed(self, tree, axis: int = 0):
        return tree if self.sharding is None else self.sharding.place(tree, axis)

    def _steps(self, state: AscentState, offsets) -> partial:
        """A call of the program for the steps of these offsets."""
        return partial(
            run_step if len(offsets) == 1 else run_octave,
            self._constants,
            state.image,
            state.optimizer,
            offsets,
            rule=self.rule,
            objective_axes=self.objective_axes,
            sharding=self.sharding,
        )

    def _finish(self, state: AscentState, value, gradient, offset) -> partial:
        """A call of the program that takes a step with a tiled gradient."""
        return partial(
            _finish_step,
            state.image,
            state.optimizer,
            value,
            gradient,
            offset,
            self.step_size,
            np.array(self.layout.shape, np.int32),
            self.mask,
            rule=self.rule,
            sharding=self.sharding,
        )


@dataclass(frozen=True)
class CompiledOctave:
    """The steps of one octave, by the compiled programs that it holds."""

    octave: Octave
    executables: tuple[jax.stages.Compiled, ...]

    @property
    def network_executables(self) -> tuple[jax.stages.Compiled, ...]:
        """Those that hold the network: with tiles, all except the step's own."""
        return self.executables[:2]

    def run(
        self, state: AscentState, offsets: Integer[AnyArray, "k n 2"]
    ) -> tuple[AscentState, StepInfo]:
        """One step for each of ``offsets``.

        Returns:
            The state, and what is known of every step and picture, (k, n).
        """
        octave = self.octave
        if not isinstance(octave.layout, TiledLayout):
            (executable,) = self.executables
            return _call(executable, octave._steps(state, octave._placed(offsets, axis=1)))
        *tiles, finish = self.executables
        tiled = TiledGradient(
            octave.model, octave.objective, octave.layout.tiling, octave.layout.shape,
            octave.sharding, *tiles,
        )  # fmt: skip
        infos = []
        for offset in offsets:
            value, gradient = tiled(np.asarray(state.image), offset)
            step = octave._finish(state, *octave._placed((value, gradient, offset)))
            state, info = _call(finish, step)
            infos.append(info)
        return state, jax.tree.map(lambda *each: np.stack(each), *infos)


def _call(executable: jax.stages.Compiled, call: partial):
    """A compiled program on the arguments of a call; the static ones are compiled into it."""
    return executable(*call.args)


def _run_steps(
    constants: Flattened,
    image: Float[Array, "n h w 3"],
    optimizer_state: optax.OptState,
    offsets: Int[Array, "k n 2"],
    *,
    rule: StepRule,
    objective_axes: tuple[int | None, ...] | None = None,
    sharding: Sharding | None = None,
) -> tuple[AscentState, StepInfo]:
    """``k`` steps of one octave on whole pictures; returns what ``CompiledOctave.run`` does.

    Args:
        constants: of an ``Octave``.
    """
    model, objective, step_size, region, mask = constants.restore()

    def step(
        objective: Objective,
        state: AscentState,
        offset: Array,
        region: Region | None,
        mask: Array | None,
        step_size: StepSize,
    ) -> tuple[AscentState, StepInfo]:
        options = {"optimizer": rule.make(step_size), "clip": rule.clip, "mask": mask}
        if rule.sphere or (region is None and sharding is None):
            return ascent_step(model, objective, state, offset, **options, sphere=rule.sphere)
        take = partial(take_step, **options)
        return _placed_step(model, objective, state, offset, region, take, sharding)

    model = model.merged(objective.layers)  # once, and not in every step of a loop
    # Only the picture between steps is kept for a gradient through the dream, not every layer's
    # activations in every step.
    region_axis = 0 if region is not None and region.size.ndim == 2 else None
    mask_axis = None if mask is None else 0
    size_axis = 0 if np.ndim(step_size) else None
    axes = axes_of(objective, objective_axes), 0, 0, region_axis, mask_axis, size_axis
    batched = each(jax.checkpoint(step), len(image), axes)
    state = AscentState(image, optimizer_state)
    if len(offsets) == 1:
        # A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
        state, info = batched(objective, state, offsets[0], region, mask, step_size)
        return _kept(state, sharding), jax.tree.map(lambda values: values[None], info)

    def scanned(state: AscentState, offset: Array) -> tuple[AscentState, StepInfo]:
        return batched(objective, state, offset, region, mask, step_size)

    state, infos = jax.lax.scan(scanned, state, offsets)
    return _kept(state, sharding), infos


def _placed_step(
    model: Network,
    objective: Objective,
    state: AscentState,
    offset: Integer[Array, "2"],
    region: Region | None,
    take: TakeStep,
    sharding: Sharding | None,
) -> tuple[AscentState, StepInfo]:
    """``ascent_step`` on a picture that is padded, or whose rows are spread over devices."""
    height, width, _ = state.image.shape
    zero = np.zeros(2, np.int32)
    size = np.array([height, width], np.int32) if region is None else region.size
    rolled = rolled_part(state.image, offset, size=size, origin=zero, shape=(height, width))

    def value(rolled: Array) -> Array:
        split = rolled if sharding is None else sharding.split(rolled)
        return objective.value(model, split, region=region, offset=offset)

    found, gradient = jax.value_and_grad(value)(rolled)
    return _unrolled_step(state, found, gradient, offset, size, take)


def _unrolled_step(
    state: AscentState,
    value: Float[Array, ""],
    gradient: Float[Array, "gh gw 3"],
    offset: Integer[Array, "2"],
    size: Integer[AnyArray, "2"],
    take: TakeStep,
) -> tuple[AscentState, StepInfo]:
    """The step for a gradient of the rolled picture, in the corner of a larger array."""
    height, width, channels = state.image.shape
    zero = np.zeros(2, np.int32)
    rolled_back = rolled_part(gradient, -offset, size=size, origin=zero, shape=(height, width))
    valid = rectangle_mask(zero, size, rolled_back.shape)
    gradient = jax.numpy.where(valid, rolled_back, 0)
    return take(state, value, gradient, valid_count=channels * size[0] * size[1])


_STATIC = ("rule", "sharding")
_STATIC_STEPS = (*_STATIC, "objective_axes")
run_step = program(static_argnames=_STATIC_STEPS)(_run_steps)
# The picture that an octave begins with is not read again: the result takes its memory.
run_octave = program(static_argnames=_STATIC_STEPS, donate_argnames=("image", "optimizer_state"))(
    _run_steps
)


@program(static_argnames=_STATIC)
def _finish_step(
    image: Float[Array, "n h w 3"],
    optimizer_state: optax.OptState,
    value: Float[Array, " n"],
    gradient: Float[Array, "n gh gw 3"],
    offset: Int[Array, "n 2"],
    step_size: StepSize,
    size: Int[Array, "2"],
    mask: Float[Array, "n h w 1"] | None = None,
    *,
    rule: StepRule,
    sharding: Sharding | None = None,
) -> tuple[AscentState, StepInfo]:
    """A step with a gradient that was summed over tiles."""

    def finish(state: AscentState, value: Array, gradient: Array, offset: Array, mask, step_size):
        take = partial(take_step, optimizer=rule.make(step_size), clip=rule.clip, mask=mask)
        return _unrolled_step(state, value, gradient, offset, size, take)

    axes = (0, 0, 0, 0, None if mask is None else 0, 0 if np.ndim(step_size) else None)
    state, info = each(finish, len(image), axes)(
        AscentState(image, optimizer_state), value, gradient, offset, mask, step_size
    )
    return _kept(state, sharding), info


def _kept(state: AscentState, sharding: Sharding | None) -> AscentState:
    return state if sharding is None else sharding.keep(state)


def _struct(shape: tuple[int, ...], dtype: type = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
