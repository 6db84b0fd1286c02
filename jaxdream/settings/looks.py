"""Looks: settings and objectives that go well together, by name, for ``--look``."""

import difflib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxdream.errors import JaxdreamError

RANDOM = "random"


@dataclass(frozen=True)
class Look:
    """A row of settings; all that it does not name has its default."""

    help: str  # a sentence without its full stop
    settings: Mapping[str, Any]  # of ``DreamSettings``
    # What is maximised: the first whose layers the network has. None: its default layer.
    objectives: tuple[str, ...] = ()

    def objective(self, has: Callable[[str], bool], default_layer: str) -> str:
        """The text of the objective for a network.

        Args:
            has: whether the network has all that a text names.
            default_layer: of the network.
        """
        return next(filter(has, self.objectives), default_layer)


LOOKS: Mapping[str, Look] = {
    "classic": Look("the defaults, those of 2015: animals, towers and eyes", {}),
    "eyes": Look(
        "eyes and snouts everywhere",
        {"smallest": 80, "steps": 14},
        ("inception_4a/output", "mixed_3"),
    ),
    "temples": Look(
        "arches, towers and pagodas",
        {"smallest": 90, "octave_scale": 1.3},
        ("inception_4d/5x5 + inception_4a/pool_proj", "mixed_4"),
    ),
    "cubist": Look(
        "sharp lines and spirals",
        {"smallest": 100},
        ("inception_3b/5x5_reduce", "mixed_2"),
    ),
    "fur": Look(
        "fine rays, as of fur and feathers",
        {"smallest": 100, "octave_scale": 1.3},
        ("inception_4c/1x1", "mixed_3"),
    ),
    "reptile": Look(
        "scales and hatching",
        {"smallest": 60, "octave_scale": 1.5},
        ("conv2/3x3", "mixed"),
    ),
    "texture": Look(
        "the picture as a mosaic",
        {"smallest": 80},
        ("inception_3a/pool_proj", "mixed_1"),
    ),
    "swirls": Look(
        "swirls and spots, as of a painter",
        {"smallest": 70, "steps": 14, "step_size": 1.2},
        ("inception_3b/output", "mixed_2"),
    ),
    "creatures": Look(
        "what this picture looks most like, in many sizes",
        {"smallest": 100, "octave_scale": 1.3, "steps": 12},
        ("strongest(inception_4d/output, 12)", "strongest(mixed_4, 24)"),
    ),
    "gentle": Look(
        "a calm dream in the photograph's own colours",
        {"smallest": 150, "step_size": 0.8, "steps": 8, "smooth": 0.5, "keep_colours": True},
    ),
}


def find_look(name: str, seed: int) -> Look:
    """A look by its name.

    Args:
        seed: of the look ``random``.

    Raises:
        JaxdreamError: there is none; the message names the nearest.
    """
    if name == RANDOM:
        return _random_look(random.Random(seed))
    if name not in LOOKS:
        near = difflib.get_close_matches(name, [*LOOKS, RANDOM], n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*LOOKS, RANDOM])}"
        raise JaxdreamError(f"no look {name!r}: {hint}")
    return LOOKS[name]


def _random_look(draw: random.Random) -> Look:
    """One of many looks: settings from the ranges in which dreams are worth a look."""
    with_objectives = [look for look in LOOKS.values() if look.objectives]
    chosen = draw.sample(with_objectives, draw.choice((1, 1, 2)))
    # Of two looks the objectives are added, for each kind of network.
    objectives = tuple(
        " + ".join(texts) for texts in zip(*(look.objectives for look in chosen), strict=True)
    )
    settings = {
        "smallest": draw.randrange(60, 161),
        "octave_scale": round(draw.uniform(1.2, 1.5), 2),
        "steps": draw.randrange(6, 17),
        "step_size": round(draw.uniform(0.7, 2.0), 2),
        "smooth": draw.choice((0.0, 0.0, 0.5)),
    }
    return Look("drawn with the seed", settings, objectives)
