"""What a picture can show: a class, a layer or a part of one, by its text and with its label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.objectives import channel, direction, layer, logit, neuron
from jaxdream.objectives.base import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.labels import classes_of, resolve_class
from jaxdream.objectives.text import parse_objective
from jaxdream.settings import DIVERSITY, VisualizeSettings

_MAX_CHANNELS = 4096  # in one list of them, more than any layer has


@dataclass(frozen=True)
class Target:
    """One thing to show; whether the network has it is checked by ``objective``."""

    kind: str  # class, layer, channel, neuron, direction or objective
    name: str  # within the layer, where there is one: "banana", "12", "neuron 12@0.25,0.5"
    layer: str = ""  # not of a class or an objective
    index: int = 0  # of a channel or neuron
    # (x, y), shares of the layer's width and height, or the number of a token
    position: tuple[float, float] | int = (0.5, 0.5)
    vector: Float[np.ndarray, " c"] | None = None
    class_text: str = ""  # a name, an id or an index, as it was given

    @property
    def label(self) -> str:
        """The layer and the name."""
        return f"{self.layer} {self.name}".strip()

    def objective(self, model: Network, files: ObjectiveFiles | None = None) -> Objective:
        """The objective that shows it.

        Args:
            files: as of ``parse_objective``.

        Raises:
            JaxdreamError: the network has no such layer, channel or class.
        """
        if self.kind == "class":
            if self.class_text.strip().isdecimal():  # also where classes have no names
                return logit(int(self.class_text))
            classes = classes_of(model.graph)
            return logit(resolve_class(self.class_text, classes=classes).index)
        if self.kind == "objective":
            return parse_objective(self.name, model, files=files)
        resolved = model.graph.resolve(self.layer)
        if self.kind == "channel":
            return channel(resolved, self.index)
        if self.kind == "neuron":
            if isinstance(self.position, int):
                return neuron(resolved, self.index, token=self.position)
            return neuron(resolved, self.index, position=self.position)
        return layer(resolved) if self.vector is None else direction(resolved, self.vector)


def picture_labels(targets: Sequence[Target], count: int = 1) -> list[str]:
    """Labels for the pictures of these targets, or for ``count`` pictures of the only one."""
    if count == 1:
        return [target.label for target in targets]
    return [f"{targets[0].label} {i + 1}" for i in range(count)]


def grid_labels(targets: Sequence[Target], count: int = 1) -> list[str]:
    """Such labels for a grid: without their layer where all have the same one."""
    shared = {target.layer for target in targets}
    if len(shared) == 1 and len({target.name for target in targets}) > 1:
        return [target.name for target in targets]
    return picture_labels(targets, count)


def with_diversity(
    settings: VisualizeSettings, objectives: Sequence[Objective]
) -> VisualizeSettings:
    """The settings, with a diversity where there are several pictures of one objective.

    Those that change into one another are to be alike.
    """
    first = objectives[0]
    several = len(objectives) > 1 and all(one is first for one in objectives)
    if settings.diversity is None and several and not first.needs_batch:
        return settings.replace(diversity=DIVERSITY)
    return settings


def picture_name(label: str, *, grid: bool = False) -> str:
    """The name of the file of the picture with this label, or of a grid that begins with it."""
    stem = re.sub(r"[^0-9A-Za-z._-]+", "_", label)
    return f"{stem}_grid.png" if grid else f"{stem}.png"


def parse_channels(text: str) -> list[int]:
    """The channels of a list such as ``3``, ``0-15`` or ``1,4,8-10``, each once.

    Raises:
        JaxdreamError: the list cannot be read, or has more than 4096 channels.
    """
    numbers: list[int] = []
    for item in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", item, re.ASCII)
        if match is None:
            raise JaxdreamError(f"channels {text!r}: give numbers, as in 12 or 0-15 or 3,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise JaxdreamError(
                f"channels {item.strip()!r}: the first number must not be larger than the second"
            )
        if len(numbers) + last - first >= _MAX_CHANNELS:
            raise JaxdreamError(f"channels {text!r}: give at most {_MAX_CHANNELS} channels")
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))


def parse_neuron(text: str) -> tuple[int, tuple[float, float] | int]:
    """Channel and position (x, y), as shares of width and height, of ``12`` or ``12@0.25,0.5``.

    Of ``12@7`` the channel and the number of a token.

    Raises:
        JaxdreamError: the text cannot be read, or the position is outside the picture.
    """
    share = r"([0-9]*\.?[0-9]+)"
    if match := re.fullmatch(r"([0-9]{1,6})@([0-9]{1,6})", text.strip(), re.ASCII):
        return int(match[1]), int(match[2])
    match = re.fullmatch(rf"([0-9]{{1,6}})(?:@{share},{share})?", text.strip(), re.ASCII)
    if match is None:
        raise JaxdreamError(
            f"neuron {text!r}: give its channel for the middle of the layer, CHANNEL@X,Y, as in "
            "12@0.25,0.5, or CHANNEL@TOKEN"
        )
    position = (float(match[2] or 0.5), float(match[3] or 0.5))
    if max(position) > 1:
        raise JaxdreamError(f"neuron {text!r}: X and Y are shares from 0 to 1, as in 12@0.25,0.5")
    return int(match[1]), position
