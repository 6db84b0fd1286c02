"""The frames loop of 2015: dream a frame, warp it a little, dream that, and so on.

``plan_zoom`` says how far each frame moves; ``iterate_zoom`` makes the frames. Of the frames a
second at which they are shown, only curves depend.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.algorithm.keys import single_key
from jaxdream.curves.curve import OBJECTIVE, Curve
from jaxdream.curves.easing import ease
from jaxdream.curves.names import zoom_curve_settings
from jaxdream.curves.objectives import CrossFade, cross_fade
from jaxdream.curves.text import parse_curves
from jaxdream.curves.times import Moment, Timeline
from jaxdream.deepdream import iterate_dream
from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import as_pixels
from jaxdream.images.resample import warp
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import as_objective
from jaxdream.objectives.tokens import shortened
from jaxdream.settings import Compute, DreamSettings, ZoomSettings, describe, takes_settings
from jaxdream.types import AnyArray, OneKey

# The mean and the standard deviation of each channel of a frame, in levels.
Contrast = Float[AnyArray, "2 3"]


class Movement(NamedTuple):
    """How one frame's warp moves it: the amounts of ``resample.warp``."""

    zoom: float  # share of each side that leaves the frame
    rotate: float  # degrees, counter-clockwise
    shift: tuple[float, float]  # pixels to the right, down


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ZoomState:
    """A zoom after a step of one of its frames."""

    dream: DreamState  # of the frame
    contrast: Contrast | None  # of the first frame; None until that is finished
    frame: int = field(metadata={"static": True})  # its number, from 0
    frames: int = field(metadata={"static": True})

    @property
    def is_finished(self) -> bool:
        """Whether the frame is finished."""
        return self.dream.done == 1

    @property
    def image(self) -> Float[Array, "h w 3"]:
        """A finished frame: RGB, 0..255, not rounded."""
        return jnp.asarray(self.dream.at_octave)

    @property
    def done(self) -> float:
        """Share of the whole zoom, 0..1."""
        return (self.frame + self.dream.done) / self.frames


@takes_settings(zoom_settings=ZoomSettings)
def plan_zoom(
    *, zoom_settings: ZoomSettings, curves: Sequence[str] = (), fps: float | int = 25
) -> tuple[Movement, ...]:
    """The warps between the frames of a zoom, one fewer than frames.

    The amounts are those of a frame on average; the easing spreads them. With n warps and the
    easing E (``curves.easing.ease``), warp i (from 0) moves
    ``w = n * (E((i + 1) / n) - E(i / n))`` times as far as on average: ``w * rotate`` degrees,
    ``w * shift`` pixels and a zoom of ``1 - (1 - zoom) ** w``, a power because zooms multiply. So
    every easing ends at the same enlargement, rotation and sum of shifts. Only with ``linear`` are
    the first warps the same whatever the number of frames.

    Where an amount has a curve, that alone says what it is: warp i has the value of frame i + 1.

    Args:
        {settings}
        curves: as of ``iterate_zoom``.
        fps: as of ``iterate_zoom``.

    Raises:
        JaxdreamError: a setting out of range, an unknown easing, or as ``parse_curves``.
    """
    plan = _plan(zoom_settings, curves, fps)
    return tuple(plan.movement(number) for number in range(1, zoom_settings.frames))


@dataclass(frozen=True)
class _Plan:
    """What each frame of a zoom is made with."""

    zoom: ZoomSettings
    curves: Mapping[str, Curve]
    timeline: Timeline

    def moment(self, number: int) -> Moment:
        return self.timeline.at(number)

    def value(self, name: str, number: int, otherwise: float) -> float:
        """What a curve says for frame ``number``, or what holds where there is none."""
        curve = self.curves.get(name)
        return otherwise if curve is None else curve.at(self.moment(number))

    def movement(self, number: int) -> Movement:
        """How frame ``number`` (from 1) was moved since the one before."""
        easing, warps = self.zoom.easing, self.zoom.frames - 1
        # In fractions, so that the shares of a linear easing are 1 and not nearly so.
        start, end = (ease(easing, Fraction(n, warps)) for n in (number - 1, number))
        share = float(warps * (end - start))
        x, y = self.zoom.shift
        return Movement(
            self.value("zoom", number, 1 - (1 - self.zoom.zoom) ** share),
            self.value("rotate", number, share * self.zoom.rotate),
            (
                self.value("shift_x", number, share * x),
                self.value("shift_y", number, share * y),
            ),
        )

    def damping(self, number: int) -> float:
        return self.value("damping", number, self.zoom.damping)

    def settings(self, settings: DreamSettings, number: int) -> DreamSettings:
        """How frame ``number`` is dreamed."""
        changing = [name for name in self.curves if name in describe(DreamSettings)]
        changed = {name: self.curves[name].at(self.moment(number)) for name in changing}
        return settings.replace(**changed)


def _plan(zoom: ZoomSettings, curves: Sequence[str], fps: float | int, *, first: int = 0) -> _Plan:
    """What the frames of a zoom are made with, checked from frame ``first`` on."""
    timeline = Timeline(fps, zoom.frames)
    parsed = parse_curves(curves, zoom_curve_settings())
    for curve in parsed.values():
        curve.check(timeline, first=first)
    return _Plan(zoom, parsed, timeline)


def _fade(
    plan: _Plan,
    model: Network,
    objective: Objective | str | None,
    picture: AnyArray,
    files: ObjectiveFiles | None,
) -> CrossFade | None:
    """What the curve of the objective means for a network; None without one.

    Raises:
        JaxdreamError: as ``cross_fade``, or there is an objective beside the curve.
    """
    curve = plan.curves.get(OBJECTIVE)
    if curve is None:
        return None
    if objective is not None:
        raise curve.error(
            f"there is also the objective {shortened(str(objective))!r}: give one of the two"
        )
    return cross_fade(curve, model, as_pixels(picture), files=files)


@takes_settings(zoom_settings=ZoomSettings, settings=DreamSettings, compute=Compute)
def iterate_zoom(
    key: OneKey | int,
    model: Network,
    image: Float[AnyArray, "h w 3"],
    objective: Objective | str | None = None,
    *,
    zoom_settings: ZoomSettings,
    settings: DreamSettings,
    compute: Compute,
    frames_done: int = 0,
    contrast: Contrast | None = None,
    mask: Float[AnyArray, "h w"] | None = None,
    curves: Sequence[str] = (),
    fps: float | int = 25,
    first_image: Float[AnyArray, "h w 3"] | None = None,
    files: ObjectiveFiles | None = None,
) -> Iterator[ZoomState]:
    """Dream a zoom, yielding its state after every step.

    The first frame is the dream of the picture, each further one the dream of the frame before it,
    warped and then damped: with the mean m and the standard deviation s of a channel, and m0 and s0
    those of the first frame, a value v becomes
    ``m + damping * (m0 - m) + min(1, (s0 / s)**damping) * (v - m)``. The loop of 2015 is
    ``iterate_zoom(..., **jd.CLASSIC_ZOOM)``.

    Frame i (from 0) dreams with ``jax.random.fold_in(key, i)``, so that a run that goes on from its
    last frame makes the same frames as one that was never interrupted. All frames run the same
    compiled programs. The frames alone are::

        frames = [state.image for state in jd.iterate_zoom(...) if state.is_finished]

    Args:
        key: a JAX random key, or a whole number.
        model: from ``load_model`` or ``wrap``.
        image: RGB, 0..255; where some frames are done, the last of them, not rounded.
        objective: as of ``dream``.
        {settings}
        frames_done: how many frames there are already.
        contrast: of the first frame (``ZoomState.contrast``), where frames are done already.
        mask: as of ``dream``; it stays where it is while the picture moves.
        curves: what changes from frame to frame, instead of its setting, as texts such as
            ``"zoom: 0 0.02, 4s 0.05"`` (``curves.text``): zoom, rotate, shift_x, shift_y, damping,
            step_size, strength, and objective in the place of ``objective``. A frame is made with
            their values at that frame; its movement is the one since the frame before.
        fps: frames a second, for the seconds in curves.
        first_image: the picture of which the first frame is the dream, where frames are done and
            there is a curve of the objective: its objectives are balanced on that picture.
        files: reads the files that the curve of the objective names, as of ``parse_objective``.

    Raises:
        JaxdreamError: as of ``dream``, a setting of the zoom out of range, no contrast or picture
            of the first frame where it is needed, or as ``parse_curves``, when it is called.

    Source: the last cells of Google's 2015 notebook ``deepdream/dream.ipynb``.
    """
    zoom_settings.check_with(settings)
    if frames_done < 0:
        raise JaxdreamError(f"frames_done must be at least 0, not {frames_done}")
    plan = _plan(zoom_settings, curves, fps, first=frames_done)
    key = single_key(key)
    _check_resumed(plan, frames_done, contrast, first_image)
    fade = _fade(plan, model, objective, image if first_image is None else first_image, files)
    only = as_objective(objective, model) if fade is None else None

    def dreamed(before: AnyArray, number: int, contrast: Contrast | None) -> Iterator[DreamState]:
        """The dream of frame ``number``, from the frame before it."""
        if number > 0:
            movement = plan.movement(number)
            before = warp(before, **movement._asdict(), classic=zoom_settings.classic_warp)
            damping = plan.damping(number)
            if damping and contrast is not None:
                before = _damped(before, contrast, damping, mask)
        return iterate_dream(
            jax.random.fold_in(key, number), model, before,
            only if fade is None else fade.at(plan.moment(number)),
            settings=plan.settings(settings, number), compute=compute, mask=mask,
        )  # fmt: skip

    def run(states: Iterator[DreamState], contrast: Contrast | None) -> Iterator[ZoomState]:
        for number in range(frames_done, zoom_settings.frames):
            state = None
            for state in states:
                if number == 0 and state.done == 1:
                    contrast = _contrast(jnp.asarray(state.at_octave), mask)
                yield ZoomState(state, contrast, number, zoom_settings.frames)
            if state is not None and number + 1 < zoom_settings.frames:
                states = dreamed(jnp.asarray(state.at_octave), number + 1, contrast)

    # The first frame's dream checks the arguments now.
    done = frames_done >= zoom_settings.frames
    return iter(()) if done else run(dreamed(image, frames_done, contrast), contrast)


def _check_resumed(
    plan: _Plan, frames_done: int, contrast: Contrast | None, first_image: AnyArray | None
) -> None:
    """Make sure that there is what only the frames that are done already have shown.

    Raises:
        JaxdreamError: it is missing.
    """
    if not frames_done:
        return
    if contrast is None and (plan.zoom.damping or "damping" in plan.curves):
        raise JaxdreamError(
            "contrast is missing: where frames are done, give that of the first frame, which is in "
            "every later state, or damping=0"
        )
    if first_image is None and OBJECTIVE in plan.curves:
        raise JaxdreamError(
            "first_image is missing: where frames are done and the objective has a curve, give the "
            "picture that the first frame was dreamed from"
        )


@jax.jit
def _contrast(frame: Array, mask: AnyArray | None) -> Float[Array, "2 3"]:
    """The contrast of a frame; with a mask, of what it has a share in."""
    shares = jnp.ones_like(frame[..., :1]) if mask is None else jnp.asarray(mask)[..., None]
    total = jnp.sum(shares)
    mean = jnp.sum(shares * frame, axis=(0, 1)) / total
    variance = jnp.sum(shares * (frame - mean) ** 2, axis=(0, 1)) / total
    return jnp.stack([mean, jnp.sqrt(variance)])


@jax.jit
def _damped(
    frame: Array, contrast: AnyArray, damping: float | Array, mask: AnyArray | None
) -> Float[Array, "h w 3"]:
    """A frame whose contrast is brought back towards that of the first."""
    (mean, deviation), (first_mean, first_deviation) = _contrast(frame, mask), contrast
    scale = jnp.minimum(1, (first_deviation / jnp.maximum(deviation, 1e-6)) ** damping)
    damped = mean + damping * (first_mean - mean) + scale * (frame - mean)
    return damped if mask is None else frame + jnp.asarray(mask)[..., None] * (damped - frame)
