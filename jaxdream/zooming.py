"""The frames loop of 2015: dream a frame, warp it a little, dream that, and so on.

``plan_zoom`` says how far each frame moves; ``iterate_zoom`` makes the frames. Nothing in either
depends on the frames a second at which they are shown.
"""

import difflib
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, UInt32

from jaxdream.deepdream import DreamState, iterate_dream
from jaxdream.errors import JaxdreamError
from jaxdream.images.resample import check_movement, warp
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.types import AnyArray

# Share of the whole way that is behind after a share t of the warps.
EASINGS: dict[str, Callable[[Fraction], Fraction]] = {
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


def plan_zoom(
    frames: int,
    *,
    zoom: float = 0.05,
    rotate: float = 0.0,
    shift: tuple[float | int, float | int] = (0.0, 0.0),
    easing: str = "linear",
) -> tuple[Movement, ...]:
    """The warps between ``frames`` frames, one fewer than frames.

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

    Raises:
        JaxdreamError: a setting out of range, an unknown easing.
    """
    if frames < 1:
        raise JaxdreamError(f"frames must be at least 1, not {frames}")
    check_movement(zoom, rotate, shift)
    if easing not in EASINGS:
        near = difflib.get_close_matches(easing, EASINGS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(EASINGS)}"
        raise JaxdreamError(f"no easing is named {easing!r}: {hint}")
    curve = EASINGS[easing]
    warps = frames - 1
    # In fractions, so that the parts of a linear curve are 1 and not nearly so.
    parts = [
        float(warps * (curve(Fraction(i + 1, warps)) - curve(Fraction(i, warps))))
        for i in range(warps)
    ]
    return tuple(
        Movement(1 - (1 - zoom) ** part, part * rotate, (part * shift[0], part * shift[1]))
        for part in parts
    )


def iterate_zoom(
    key: Key[Array, ""] | UInt32[Array, "2"],
    model: Network,
    image: Float[AnyArray, "h w 3"],
    *,
    frames: int = 100,
    zoom: float = 0.05,
    rotate: float = 0.0,
    shift: tuple[float | int, float | int] = (0.0, 0.0),
    easing: str = "linear",
    classic_warp: bool = False,
    done: int = 0,
    watch: Callable[[int, DreamState], object] | None = None,
    objective: Objective | None = None,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float | Float[Array, ""] = 1.5,
    jitter: int = 32,
    clip: bool = True,
    optimizer: optax.GradientTransformation | None = None,
    scan: bool | None = None,
) -> Iterator[Float[Array, "h w 3"]]:
    """Dream a zoom, yielding frame after frame: RGB, 0..255, not rounded.

    The first frame is the dream of the picture, each further one the dream of the frame before it,
    warped. Frame i (from 0) dreams with ``jax.random.fold_in(key, i)``, so that a run that goes on
    from its last frame makes the same frames as one that was never interrupted. All frames run the
    same compiled programs.

    Args:
        key: a JAX random key.
        model: from ``load_model``.
        image: RGB, 0..255; where frames are ``done``, the last of them, as it was yielded.
        frames: of the whole zoom; the length of the run is ``frames - done``.
        zoom: share of each side that leaves the frame, from frame to frame; below 0 the picture
            shrinks and its edges are drawn out.
        rotate: degrees from frame to frame, counter-clockwise.
        shift: pixels from frame to frame, to the right and down.
        easing: how the movement is spread over the frames: ``linear``, ``in``, ``out``, ``in-out``
            (``plan_zoom`` gives the curves).
        classic_warp: the notebook's warp, off centre by half a pixel (see ``warp``).
        done: how many frames there are already.
        watch: called with the frame's number (from 0) and its ``DreamState`` after every step.
        objective, steps, octaves, octave_scale, step_size, jitter, clip, optimizer, scan: of every
            frame's ``dream``.

    Raises:
        JaxdreamError: a setting of the zoom out of range, at once; what ``dream`` raises, when the
            first frame is asked for, before anything is computed.

    Source: the last cells of Google's 2015 notebook ``deepdream/dream.ipynb``.
    """
    movements = plan_zoom(frames, zoom=zoom, rotate=rotate, shift=shift, easing=easing)
    if done < 0:
        raise JaxdreamError(f"frames already done must be 0 or more, not {done}")

    def run() -> Iterator[Float[Array, "h w 3"]]:
        frame = image
        for number in range(done, frames):
            if number > 0:
                frame = warp(frame, **movements[number - 1]._asdict(), classic=classic_warp)
            states = iterate_dream(
                jax.random.fold_in(key, number),
                model,
                frame,
                objective=objective,
                steps=steps,
                octaves=octaves,
                octave_scale=octave_scale,
                step_size=step_size,
                jitter=jitter,
                clip=clip,
                optimizer=optimizer,
                scan=scan,
            )
            if watch is not None:
                states = _watched(states, number, watch)
            frame = jnp.asarray(deque(states, maxlen=1).pop().image)
            yield frame

    return run()


def _watched(
    states: Iterator[DreamState], number: int, watch: Callable[[int, DreamState], object]
) -> Iterator[DreamState]:
    for state in states:
        watch(number, state)
        yield state
