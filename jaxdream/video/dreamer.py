"""The dream of the frames of scenes, one after the other, and of several scenes side by side."""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from operator import add
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxdream.algorithm.ascent import gradient_errors
from jaxdream.algorithm.finishing import Finishing
from jaxdream.algorithm.keys import drawn_offsets
from jaxdream.algorithm.octaves import octave_bases, octave_sizes
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.curves.curve import OBJECTIVE, Curve
from jaxdream.curves.objectives import CrossFade, cross_fade
from jaxdream.curves.times import Moment, Timeline
from jaxdream.deepdream import dream_pictures
from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.execution.choosing import choose
from jaxdream.execution.jit import steps_per_call
from jaxdream.execution.memory import available
from jaxdream.execution.octave import CompiledOctave
from jaxdream.execution.planner import plan_layouts, useful_batch
from jaxdream.execution.shapes import Layout
from jaxdream.execution.sharding import Sharding
from jaxdream.images.masks import check_shares
from jaxdream.images.pixels import as_pixels
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.stacking import Axes, stack_objectives, with_own_numbers
from jaxdream.objectives.text import parse_objective
from jaxdream.settings import Compute, DreamSettings, VideoSettings, describe
from jaxdream.types import Size
from jaxdream.video.clips import ClipFrame, Frame, Scene, levels
from jaxdream.video.coherence import (
    LARGEST_STEP,
    Carried,
    Motion,
    Start,
    begin,
    find_motion,
    go_on,
    iterations,
    mean_detail,
)
from jaxdream.video.flow import FlowMethod
from jaxdream.video.reading_ahead import ahead

FRAMES_OF_A_PROGRAM = 100  # that programs are compiled for, at least: so many are worth a program


class VideoState(NamedTuple):
    """A frame that is dreamed."""

    number: int  # in the video, from 0
    image: Float[np.ndarray, "h w 3"]  # RGB, 0..255, not rounded
    carried: Carried  # with which a later run goes on after this frame
    cut: bool  # whether it begins a scene
    seconds: Fraction | None = None  # as of the frame


class _Prepared(NamedTuple):
    """A frame before it is dreamed."""

    frame: ClipFrame  # with its pixels as float32
    levels: np.ndarray  # its pixels as uint8
    motion: Motion | None  # since the frame before; None for the first of a scene


class _Begun(NamedTuple):
    """A frame whose turn it is."""

    prepared: _Prepared
    start: Start
    carried: Carried | None  # of the frame before

    @property
    def first(self) -> np.ndarray:
        """The first frame of its scene, as uint8."""
        return self.prepared.levels if self.carried is None else self.carried.first


@dataclass
class Dreamer:
    """All that the frames of a video are dreamed with, and the programs compiled for them."""

    key: jax.Array
    model: Network
    objective: Objective | None  # None where it has a curve
    video_settings: VideoSettings
    settings: DreamSettings
    compute: Compute
    curves: Mapping[str, Curve]
    timeline: Timeline
    flow: FlowMethod
    first_image: Frame | None = None  # the video's first frame, on which objectives are balanced
    files: ObjectiveFiles | None = None  # of the objective's curve
    sharding: Sharding | None = None  # the devices that compute, if several
    _fade: CrossFade | None = None
    _warned: bool = False
    _lanes: int = 0  # for which the programs are
    _layouts: list[Layout] = field(default_factory=list)
    _offsets: np.ndarray | None = None  # of all frames; None where each has its own
    _programs: dict[int, CompiledOctave] = field(default_factory=dict)
    _chosen: list[tuple[np.ndarray, Objective | CrossFade]] = field(default_factory=list)

    @property
    def steps(self) -> tuple[int, int]:
        """The steps in an octave of a still, and of a frame that goes on."""
        return self.settings.steps, self.video_settings.steps_of(self.settings)

    @property
    def chunk(self) -> int:
        """Steps in a call of a program, of which all numbers of steps are multiples."""
        return steps_per_call(self.compute.scan, math.gcd(*self.steps))

    @property
    def size(self) -> Size | None:
        """Height and width of the frames, when the first one is known."""
        return self._layouts[-1].sizes[0] if self._layouts else None

    def useful_lanes(self, size: Size) -> int:
        """How many scenes of frames of this height and width are of use side by side.

        One on a CPU, whose cores do not compute several any faster; as many as fit into the memory
        of each device else.
        """
        if jax.default_backend() == "cpu":
            return self.devices
        budget = available(self.compute.memory, self.sharding and self.sharding.devices)
        return self.devices * useful_batch(self.model, self.any_objective, size, budget)

    @property
    def devices(self) -> int:
        """How many devices share the frames of several scenes."""
        return self.sharding.pictures if self.sharding else 1

    @property
    def any_objective(self) -> Objective:
        """The objective, or the sum of those of its curve, whose programs are alike."""
        if self.objective is not None:
            return self.objective
        texts = self.curves[OBJECTIVE].texts
        terms = (parse_objective(text, self.model, files=self.files) for text in texts)
        return reduce(add, (1.0 * term for term in terms))

    def dream(self, scenes: Iterable[Scene], *, lanes: int = 1) -> Iterator[VideoState]:
        """The frames of ``turns``, one by one."""
        for states in self.turns(scenes, lanes=lanes):
            yield from states

    def turns(self, scenes: Iterable[Scene], *, lanes: int = 1) -> Iterator[list[VideoState]]:
        """Dream scenes, so many side by side, and give one frame of each at a time.

        Raises:
            JaxdreamError: as of ``iterate_video``, for what depends on the frames.
        """
        waiting = iter(scenes)
        running: list[tuple[Iterator[_Prepared], Carried | None]] = []
        while True:
            while len(running) < lanes and (scene := next(waiting, None)) is not None:
                running.append((ahead(self._prepared(scene)), scene.carried))
            if not running:
                return
            found = [(frames, next(frames, None), carried) for frames, carried in running]
            turn = [(frames, each, carried) for frames, each, carried in found if each is not None]
            running = []
            if turn:
                states = self._dream_frames([(each, carried) for _, each, carried in turn], lanes)
                for (frames, _, _), state in zip(turn, states, strict=True):
                    running.append((frames, state.carried))
                yield states

    def _prepared(self, scene: Scene) -> Iterator[_Prepared]:
        """The frames of a scene, checked, with their motion."""
        before = None if scene.carried is None else scene.carried.frame
        for frame in scene.frames:
            pixels = as_pixels(frame.pixels)
            self._check_size(frame, pixels.shape[:2], before)
            whole = levels(frame.pixels)
            motion = None if before is None else find_motion(before, whole, method=self.flow)
            yield _Prepared(frame._replace(pixels=pixels), whole, motion)
            before = whole

    def _check_size(self, frame: ClipFrame, size: Size, before: np.ndarray | None) -> None:
        expected = self.size or (size if before is None else before.shape[:2])
        if size != expected:
            raise JaxdreamError(
                f"frame {frame.number} is {size[1]}x{size[0]} pixels and those before "
                f"{expected[1]}x{expected[0]}: give frames of one size"
            )
        if frame.mask is not None:
            if np.shape(frame.mask) != size:
                raise JaxdreamError(
                    f"the mask of frame {frame.number} has the shape {np.shape(frame.mask)} and "
                    f"the frame {size[0]}x{size[1]} (height x width): both need the same"
                )
            check_shares(frame.mask, name=f"the mask of frame {frame.number}")

    def _dream_frames(
        self, turn: Sequence[tuple[_Prepared, Carried | None]], lanes: int
    ) -> list[VideoState]:
        """Dream a frame of each scene that is running."""
        if self._lanes != lanes:
            self._plan(turn[0][0], lanes)
        begun = [self._begin(prepared, carried) for prepared, carried in turn]
        dreams = [each.start.picture for each in begun]
        counts = [self._count(each) for each in begun]
        # Those of equal numbers of steps together: a frame does not depend on what is beside it.
        for count in sorted({*counts} - {0}):
            members = [number for number, own in enumerate(counts) if own == count]
            found = self._ascend([begun[number] for number in members], count, lanes)
            for number, dream in zip(members, found, strict=False):
                dreams[number] = dream
        return [self._state(each, dream) for each, dream in zip(begun, dreams, strict=True)]

    def _count(self, each: _Begun) -> int:
        """How many steps are taken in each octave of a frame."""
        if not each.start.steps.any():
            return 0
        steps, frame_steps = self.steps
        if each.carried is None:  # the dream of a still
            return steps
        # An optimiser that is an object cannot take larger steps.
        due = float(each.start.steps.max()) if self._fixed else each.start.mean
        return iterations(due, steps=steps, frame_steps=frame_steps, chunk=self.chunk)

    @property
    def _fixed(self) -> bool:
        """Whether the step size is the optimiser's own."""
        return not isinstance(self.settings.optimizer, str)

    def _plan(self, prepared: _Prepared, lanes: int) -> None:
        """Plan the octaves, when the size of the frames is known."""
        self._lanes, self._programs = lanes, {}
        curve = self.curves.get(OBJECTIVE)
        if curve is not None and self._fade is None:
            first = prepared.levels if self.first_image is None else levels(self.first_image)
            self._fade = cross_fade(curve, self.model, first.astype(np.float32), files=self.files)
        objective = self._objective(prepared.frame, self._fade or self.objective)
        height, width, _ = prepared.levels.shape
        sizes = octave_sizes(self.model, objective, (height, width), self.settings)
        self._layouts = plan_layouts(
            sizes, lanes, model=self.model, rule=StepRule.of(self.settings), objective=objective,
            steps=FRAMES_OF_A_PROGRAM * self.settings.steps, shapes=self.compute.shapes,
        )  # fmt: skip
        self._offsets = None if self.video_settings.boil else self._drawn(self.key)

    def _begin(self, prepared: _Prepared, carried: Carried | None) -> _Begun:
        steps, frame_steps = self.steps
        mask = prepared.frame.mask
        mask = None if mask is None else np.asarray(mask, np.float32)
        if carried is None or prepared.motion is None:
            start = begin(np.asarray(prepared.frame.pixels), steps=steps, mask=mask)
            return _Begun(prepared, start, None)
        start = go_on(
            np.asarray(prepared.frame.pixels), carried, prepared.motion,
            steps=steps, frame_steps=frame_steps, mask=mask,
        )  # fmt: skip
        return _Begun(prepared, start, carried)

    def _ascend(self, begun: Sequence[_Begun], count: int, lanes: int) -> list[np.ndarray]:
        """The dreams after so many steps in each octave, not finished."""
        begun = [*begun, *[begun[0]] * (lanes - len(begun))]  # idle lanes have to dream something
        weights = [np.minimum(each.start.steps / count, LARGEST_STEP) for each in begun]
        largest = [1.0 if self._fixed else float(each.max()) or 1.0 for each in weights]
        sizes = [
            float(self._settings(each.prepared.frame).step_size) * scale
            for each, scale in zip(begun, largest, strict=True)
        ]
        objective, axes = self._objectives(begun)
        # The finishing comes afterwards, since it compares with the frame as it came.
        settings = self.settings.replace(
            steps=count, keep_colours=False, keep_contrast=False, strength=1.0
        )
        states = dream_pictures(
            np.stack([self._jitter(each, count) for each in begun], axis=1),
            self.model, [each.start.picture for each in begun], objective, self._layouts,
            settings=settings, compute=self.compute, objective_axes=axes,
            sharding=self._sharding_of(lanes),
            masks=[np.minimum(w / scale, 1) for w, scale in zip(weights, largest, strict=True)],
            step_size=None if self._fixed else _stacked(sizes),
            chunk=self.chunk, programs=self._programs,
        )  # fmt: skip
        state = next(states)
        gradients = [state.max_mean_gradient]
        for state in states:
            gradients.append(state.max_mean_gradient)
        dreams = [np.asarray(dream) for dream in state.at_octave]
        largest = np.max(np.stack(gradients), axis=0)
        for number, dream in enumerate(dreams):
            if not np.isfinite(dream).all():  # the last step itself is in no gradient
                largest[number] = np.inf
        self._check_gradients(begun, largest, repr(objective))
        return dreams

    def _sharding_of(self, lanes: int) -> Sharding | None:
        """The devices that share so many frames; a single frame is only shared by its rows."""
        if self.sharding is None or (lanes == 1 and self.sharding.rows == 1):
            return None
        self.sharding.check((lanes,) if lanes > 1 else (), self.settings)
        return self.sharding

    def _check_gradients(self, begun: Sequence[_Begun], largest: np.ndarray, what: str) -> None:
        for each, value, error in zip(begun, largest, gradient_errors(largest, what), strict=True):
            if error is not None and each.start.steps.any():
                line = f"frame {each.prepared.frame.number}: {error}"
                if not np.isfinite(value):
                    raise JaxdreamError(line)
                if not self._warned:  # once: a black passage has many such frames
                    warnings.warn(line, JaxdreamWarning, stacklevel=2)
                self._warned = True

    def _jitter(self, each: _Begun, count: int) -> np.ndarray:
        """The offsets of a frame's steps: in each octave the first ones of a still."""
        drawn = self._offsets
        if drawn is None:
            drawn = self._drawn(jax.random.fold_in(self.key, each.prepared.frame.number))
        return drawn[:, :count].reshape(-1, 2)

    def _drawn(self, key: jax.Array) -> np.ndarray:
        """The offsets of a still's steps, (octaves, steps, 2)."""
        sizes = [[layout.sizes[0]] for layout in self._layouts]
        drawn = np.asarray(drawn_offsets([key], sizes, self.settings))
        return drawn.reshape(len(sizes), self.settings.steps, 2)

    def _state(self, each: _Begun, dream: np.ndarray) -> VideoState:
        """The state after a frame."""
        frame, whole, _ = each.prepared
        mask = None if frame.mask is None else np.asarray(frame.mask, np.float32)
        before, picture = each.carried, np.asarray(frame.pixels)
        if before is None:
            mean, frames = mean_detail(dream - picture, mask), 1
        else:
            mean, frames = before.mean, before.frames + 1
        dreamed = None if mask is None else mask > 0
        carried = Carried(whole, dream, mean, each.first, frames, dreamed)
        finishing = Finishing.of(self._settings(frame))
        if finishing is not None and (mask is None or mask.any()):
            image = np.asarray(finishing(picture, dream, mask))
        else:
            image = dream.copy()  # which is the caller's
        return VideoState(frame.number, image, carried, before is None, frame.seconds)

    def _moment(self, frame: ClipFrame) -> Moment:
        seconds = None if frame.seconds is None else float(frame.seconds)
        return self.timeline.at(frame.number, seconds=seconds)

    def _settings(self, frame: ClipFrame) -> DreamSettings:
        """The settings of a frame."""
        moment = self._moment(frame)
        names = [name for name in self.curves if name in describe(DreamSettings)]
        return self.settings.replace(**{name: self.curves[name].at(moment) for name in names})

    def _objective(self, frame: ClipFrame, objective: Objective | CrossFade | None) -> Objective:
        if isinstance(objective, CrossFade):
            return objective.at(self._moment(frame))
        assert objective is not None
        return objective

    def _objectives(self, begun: Sequence[_Begun]) -> tuple[Objective, Axes | None]:
        """The objective of frames, and which of its leaves each has its own of."""
        each = [self._objective(one.prepared.frame, self._of_scene(one.first)) for one in begun]
        if self._fade is None and self._of_scene(begun[0].first) is self.objective:
            return each[0], None
        # Copies, since leaves that are the same object would be shared, by another program.
        return stack_objectives([with_own_numbers(one) for one in each])

    def _of_scene(self, first: np.ndarray) -> Objective | CrossFade | None:
        """What a scene dreams: channels that depend on the picture are chosen by its first."""
        for known, chosen in self._chosen:
            if known is first:
                return chosen
        terms = (self.objective,) if self._fade is None else self._fade.terms
        if not any(term is not None and term.depends_on_picture for term in terms):
            return self._fade or self.objective
        # As of a still: by the smallest octave.
        sizes = [layout.sizes[0] for layout in self._layouts]
        picture = octave_bases(first.astype(np.float32), sizes)[0]
        found = tuple(
            term if term.depends_on_octave else choose(self.model, term, [picture])[0]
            for term in terms if term is not None
        )  # fmt: skip
        chosen = found[0] if self._fade is None else replace(self._fade, terms=found)
        self._chosen = [*self._chosen, (first, chosen)][-64:]
        return chosen


def _stacked(sizes: Sequence[float]) -> np.ndarray:
    """The step size of each frame; of a single one without an axis."""
    return np.array(sizes if len(sizes) > 1 else sizes[0], np.float32)
