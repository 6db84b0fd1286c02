"""Seeing a dream happen: pictures of its states, and a notebook cell that shows them in place."""

from collections.abc import Iterable

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.images.pixels import to_levels
from jaxdream.types import AnyArray

_BRIGHTEST = 99.98  # percentile


def to_uint8(
    image: Float[AnyArray, "h w 3"], *, scaled: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture (RGB, 0..255 or beyond) as whole levels that can be shown.

    Values beyond 0..255 are clipped; NaN becomes 0.

    Args:
        scaled: darken values beyond 255 until all except the brightest 0.02 % are within, for
            dreams with ``clip=False``.

    Source: the ``deepdream`` function of Google's notebook, which scaled by
    ``255 / percentile(vis, 99.98)``.
    """
    levels = np.asarray(image)
    if scaled:
        levels = levels * (255.0 / max(float(np.percentile(levels, _BRIGHTEST)), 1e-6))
    return to_levels(np.nan_to_num(levels), name="image")


def show_dream(
    states: Iterable[DreamState],
    image: Float[AnyArray, "h w 3"],
    *,
    every: int = 1,
    scaled: bool = False,
) -> Float[Array, "h w 3"]:
    """Run a dream in a notebook, with its picture changing in place; the dream (RGB, 0..255).

        out = jd.show_dream(jd.iterate_dream(key, model, image, scan=False), image)

    The kernel's interrupt button ends it early, with the picture as far as it got. ``show_page``
    shows the page of ``jaxdream web`` in a notebook instead, with its buttons and fields.

    Args:
        states: from ``iterate_dream``, of one picture; with ``scan=False`` there is a state for
            every step also on GPU and TPU, where otherwise there is one for every octave.
        image: the picture it began from.
        every: show every ``every``-th state, and the last.
        scaled: as in ``to_uint8``.

    Raises:
        JaxdreamError: IPython is not installed, ``states`` is empty, or ``every`` is under 1.
    """
    try:
        from IPython.display import display
    except ImportError:
        raise JaxdreamError("show_dream needs IPython: pip install ipython") from None
    from PIL import Image

    def picture(state: DreamState) -> Image.Image:
        full: AnyArray = state.at_full_size(image)  # pyright: ignore[reportAssignmentType]
        return Image.fromarray(to_uint8(full, scaled=scaled))

    if every < 1:
        raise JaxdreamError(f"every must be at least 1 state, not {every}")
    handle = None
    state = None
    count = 0
    try:
        for count, state in enumerate(states, start=1):
            if handle is None:
                handle = display(picture(state), display_id=True)
            elif count % every == 0:
                handle.update(picture(state))
    except KeyboardInterrupt:
        if state is None:
            raise
    if state is None:
        raise JaxdreamError("show_dream was given no states: make a new iterator for each dream")
    if handle is not None and count % every:
        handle.update(picture(state))
    return jax.numpy.asarray(state.at_full_size(image))
