"""The sizes that a picture is dreamed at: each octave a fixed factor smaller than the next."""

import warnings
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float

from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.images.resample import resize
from jaxdream.images.seamless import check_sphere
from jaxdream.models.layer_table import check_minimum
from jaxdream.models.network import Network
from jaxdream.objectives.base import Objective
from jaxdream.settings import SPHERE, DreamSettings, describe
from jaxdream.types import AnyArray, Size

# Steps times pixels; a processor of 2026 computes some millions of them a second.
MAX_WORK = 10**15


def plan_octaves(
    size: Size,
    *,
    octaves: int = DreamSettings.octaves,
    octave_scale: float = DreamSettings.octave_scale,
    smallest: int | None = DreamSettings.smallest,
    minimum: int = 1,
    sphere: bool = False,
) -> tuple[Size, ...]:
    """Sizes of the octaves, smallest first; the last is the picture's own.

    Each size is ``round(n / octave_scale)`` of the next larger, so that rounding accumulates as in
    the 2015 notebook: (575, 1024) gives (210, 373), (294, 522), (411, 731), (575, 1024). Octaves
    with a side under ``minimum`` pixels are left out, so that fewer than ``octaves`` may come back.

    Args:
        size: height and width of the picture.
        smallest: as many octaves as there are whose shorter side is at least this many pixels,
            whatever ``octaves`` says; always the picture's own.
        minimum: smallest side the layers can see (``objective.minimum_size(model.graph)``).
        sphere: the picture is that of a sphere.

    Raises:
        JaxdreamError: the picture itself is under the minimum, or cannot be that of a sphere, or a
            setting is out of range.
    """
    # Which checks them.
    DreamSettings(octaves=octaves, octave_scale=octave_scale, smallest=smallest)
    check_minimum(size, minimum)
    if sphere:
        check_sphere(size)
    most = octaves if smallest is None else describe(DreamSettings)["octaves"].maximum
    sizes = [size]
    while len(sizes) < most:
        height, width = (round(n / octave_scale) for n in sizes[-1])
        if min(height, width) < max(minimum, smallest or 1):
            break
        sizes.append((height, width))
    return tuple(reversed(sizes))


def octave_options(settings: DreamSettings) -> dict[str, Any]:
    """The options of ``plan_octaves`` that settings have."""
    options = {name: getattr(settings, name) for name in ("octaves", "octave_scale", "smallest")}
    return options | {"sphere": settings.seamless == SPHERE}


def check_work(sizes: Sequence[Size], steps: int) -> None:
    """Make sure that a dream ends within some years.

    Args:
        sizes: of the octaves, from ``plan_octaves``.
        steps: in each octave.

    Raises:
        JaxdreamError: it has more than ``MAX_WORK`` steps times pixels.
    """
    work = steps * sum(height * width for height, width in sizes)
    if work > MAX_WORK:
        raise JaxdreamError(
            f"{steps:,} steps at these sizes compute {work:.1e} pixels: at most {MAX_WORK:.0e} are "
            "computed, so take fewer steps or octaves, or a smaller size"
        )


def octave_bases(
    image: Float[AnyArray, "*n h w c"],
    sizes: Sequence[Size],
    *,
    wrap: tuple[bool, bool] = (False, False),
) -> tuple[Float[AnyArray, "..."], ...]:
    """The picture at every octave, smallest first, each resampled from the next larger one.

    ``sizes`` is from ``plan_octaves``; any pixel range; ``wrap`` as of ``resize``.
    """
    bases = [image]
    for size in reversed(sizes[:-1]):
        bases.append(resize(bases[-1], size, wrap=wrap))
    return tuple(reversed(bases))


def sizes_for(
    model: Network, objective: Objective, size: Size, settings: DreamSettings
) -> tuple[Size, ...]:
    """The sizes of the octaves of a picture for a network and what it maximises.

    Raises:
        JaxdreamError: as ``plan_octaves`` and ``check_work``, or a network takes another size.
    """
    if objective.fixed_size(model.graph) is not None:
        objective.check_size(model.graph, size)
    minimum = objective.minimum_size(model.graph)
    sizes = plan_octaves(size, **octave_options(settings), minimum=minimum)
    check_work(sizes, settings.steps)
    return sizes


def octave_sizes(
    model: Network, objective: Objective, size: Size, settings: DreamSettings
) -> tuple[Size, ...]:
    """The sizes of the octaves, with a warning where there are fewer than were asked for."""
    sizes = sizes_for(model, objective, size, settings)
    if settings.smallest is None and len(sizes) < settings.octaves:
        minimum = objective.minimum_size(model.graph)
        line = fewer_octaves(len(sizes), settings.octaves, minimum)
        warnings.warn(line, JaxdreamWarning, stacklevel=4)
    return sizes


def fewer_octaves(planned: int, octaves: int, minimum: int) -> str:
    """The line that says why a dream has fewer octaves than were asked for."""
    return (
        f"dreaming {planned} of the {octaves} octaves asked for: smaller ones would be under the "
        f"{minimum} pixels that the layer needs"
    )
