"""The frames loop of 2015: dream a frame, warp it a little, dream that, and so on.

``plan_zoom`` says how far each frame moves; ``iterate_zoom`` makes the frames. Nothing in either
depends on the frames a second at which they are shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.algorithm.keys import single_key
from jaxdream.deepdream import DreamState, iterate_dream
from jaxdream.errors import JaxdreamError
from jaxdream.images.resample import warp
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.text import as_objective
from jaxdream.settings import Compute, DreamSettings, ZoomSettings, takes_settings
from jaxdream.types import AnyArray, OneKey

# The mean and the standard deviation of each channel of a frame, in levels.
Contrast = Float[AnyArray, "2 3"]

# The share of the whole movement that is done after a share t of the warps.
_CURVES: dict[str, Callable[[Fraction], Fraction]] = {
    "linear": lambda t: t,
    "in": lambda t: t**2,
    "out": lambda t: 1 - (1 - t) ** 2,
    "in-out": lambda t: t**2 * (3 - 2 * t),
}


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
def plan_zoom(*, zoom_settings: ZoomSettings) -> tuple[Movement, ...]:
    """The warps between the frames of a zoom, one fewer than frames.

    The amounts are those of a frame on average; the easing spreads them. With n warps and the curve
    E, warp i (from 0) moves ``w = n * (E((i + 1) / n) - E(i / n))`` times as far as on average:
    ``w * rotate`` degrees, ``w * shift`` pixels and a zoom of ``1 - (1 - zoom) ** w``, a power
    because zooms multiply. So every easing ends at the same enlargement, rotation and sum of
    shifts. The curves:

    - ``linear``: ``E(t) = t``, all warps alike;
    - ``in``: ``E(t) = t**2``, from slow to twice as fast;
    - ``out``: ``E(t) = 1 - (1 - t)**2``, from twice as fast to slow;
    - ``in-out``: ``E(t) = t**2 * (3 - 2 * t)``, slow, 1.5 times as fast in the middle, slow.

    Only with ``linear`` are the first warps the same whatever the number of frames.

    Args:
        {settings}

    Raises:
        JaxdreamError: a setting out of range, an unknown easing.
    """
    return tuple(_movement(zoom_settings, number) for number in range(1, zoom_settings.frames))


def _movement(zoom: ZoomSettings, number: int) -> Movement:
    """How frame ``number`` (from 1) was moved since the one before."""
    curve, warps = _CURVES[zoom.easing], zoom.frames - 1
    # In fractions, so that the shares of a linear curve are 1 and not nearly so.
    ends = curve(Fraction(number, warps)), curve(Fraction(number - 1, warps))
    share = float(warps * (ends[0] - ends[1]))
    x, y = zoom.shift
    return Movement(1 - (1 - zoom.zoom) ** share, share * zoom.rotate, (share * x, share * y))


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
        model: from ``load_model``.
        image: RGB, 0..255; where some frames are done, the last of them, not rounded.
        objective: as of ``dream``.
        {settings}
        frames_done: how many frames there are already.
        contrast: of the first frame (``ZoomState.contrast``), where frames are done already.
        mask: as of ``dream``; it stays where it is while the picture moves.

    Raises:
        JaxdreamError: as of ``dream``, a setting of the zoom out of range, or no contrast of the
            first frame, when it is called.

    Source: the last cells of Google's 2015 notebook ``deepdream/dream.ipynb``.
    """
    zoom_settings.check_with(settings)
    objective = as_objective(objective, model)
    key = single_key(key)
    if frames_done < 0:
        raise JaxdreamError(f"frames_done must be at least 0, not {frames_done}")
    damping = zoom_settings.damping
    if frames_done and damping and contrast is None:
        raise JaxdreamError(
            "contrast is missing: where frames are done, give that of the first frame, which is in "
            "every later state, or damping=0"
        )

    def dreamed(before: AnyArray, number: int, contrast: Contrast | None) -> Iterator[DreamState]:
        """The dream of frame ``number``, from the frame before it."""
        if number > 0:
            movement = _movement(zoom_settings, number)
            before = warp(before, **movement._asdict(), classic=zoom_settings.classic_warp)
            if damping and contrast is not None:
                before = _damped(before, contrast, damping, mask)
        return iterate_dream(
            jax.random.fold_in(key, number), model, before, objective,
            settings=settings, compute=compute, mask=mask,
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
