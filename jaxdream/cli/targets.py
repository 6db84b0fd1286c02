"""What ``jaxdream visualize`` is asked to show: from options to objectives."""

import argparse
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.models.weights.registry import record_of
from jaxdream.objectives import channel, direction, layer, logit, neuron
from jaxdream.objectives.base import Objective
from jaxdream.objectives.files import read_vector
from jaxdream.objectives.labels import (
    KNOWN_CLASSES,
    ImageClass,
    classes_of,
    imagenet_classes,
    resolve_class,
)
from jaxdream.objectives.text import parse_objective

_MAX_CHANNELS = 4096  # in one list of them, more than any layer has


@dataclass(frozen=True)
class Target:
    """One thing to show; whether the network has it is checked by ``objective``."""

    kind: str  # class, layer, channel, neuron, direction or objective
    name: str  # within the layer, where there is one: "banana", "12", "neuron 12@0.25,0.5"
    layer: str = ""  # not of a class or an objective
    index: int = 0  # of a channel or neuron
    position: tuple[float, float] = (0.5, 0.5)  # (x, y), shares of the layer's width and height
    vector: Float[np.ndarray, " c"] | None = None
    class_text: str = ""  # a name, an id or an index, as it was given

    @property
    def label(self) -> str:
        """The layer and the name."""
        return f"{self.layer} {self.name}".strip()

    def objective(self, model: Network) -> Objective:
        """The objective that shows it.

        Raises:
            JaxdreamError: the network has no such layer, channel or class.
        """
        if self.kind == "class":
            classes = classes_of(model.graph)
            return logit(resolve_class(self.class_text, classes=classes).index)
        if self.kind == "objective":
            return parse_objective(self.name, model)
        resolved = model.graph.resolve(self.layer)
        if self.kind == "channel":
            return channel(resolved, self.index)
        if self.kind == "neuron":
            return neuron(resolved, self.index, position=self.position)
        return layer(resolved) if self.vector is None else direction(resolved, self.vector)


def parse_targets(options: argparse.Namespace) -> list[Target]:
    """The targets that the options ask for, in their order.

    Raises:
        JaxdreamError: none, options that exclude each other, an unknown class, a list of channels
            or a neuron that cannot be read, or a file that holds no direction.
    """
    classes, layers = options.classes or [], options.layers or []
    within = {
        "--channel": options.channels,
        "--neuron": options.neurons,
        "--direction": options.direction,
    }
    given = [name for name, value in within.items() if value is not None]
    if sum(map(bool, (classes, layers, options.objective))) != 1:
        raise JaxdreamError("say what to show by one of --class, --layer and --objective")
    if given and not layers:
        raise JaxdreamError(f"{given[0]} needs a layer: name one with --layer")
    if len(given) > 1:
        raise JaxdreamError(f"{given[0]} and {given[1]} exclude each other: give one of them")
    if options.objective:
        return [Target("objective", options.objective)]
    if classes:
        return [
            Target("class", _class_name(text, options.model), class_text=text) for text in classes
        ]
    if options.channels is not None:
        numbers = parse_channels(options.channels)
        return [Target("channel", str(i), name, i) for name in layers for i in numbers]
    if options.neurons is not None:
        neurons = [(f"neuron {text}", *parse_neuron(text)) for text in options.neurons]
        return [
            Target("neuron", text, name, index, position)
            for name in layers
            for text, index, position in neurons
        ]
    if options.direction is not None:
        vector = read_vector(options.direction)
        return [Target("direction", "direction", name, vector=vector) for name in layers]
    return [Target("layer", "", name) for name in layers]


def classes_of_model(model: str) -> tuple[ImageClass, ...]:
    """The classes of the network that ``--model`` names; ImageNet's if it names none.

    Raises:
        JaxdreamError: there is no such network, or its classes have no names here.
    """
    return imagenet_classes() if model == "auto" else classes_of(record_of(model).build())


def _class_name(text: str, model: str) -> str:
    """How files and labels call a class, before the network is loaded.

    Raises:
        JaxdreamError: the network, or where none is named every network here, lacks the class.
    """
    if model != "auto":
        return resolve_class(text, classes=classes_of_model(model)).names[0]
    for classes in KNOWN_CLASSES:
        with suppress(JaxdreamError):
            return resolve_class(text, classes=classes()).names[0]
    return resolve_class(text).names[0]  # which says what is near


def grid_labels(targets: Sequence[Target]) -> list[str]:
    """Labels for a grid of these: without their layer where all have the same one."""
    shared = {target.layer for target in targets}
    if len(shared) == 1 and len({target.name for target in targets}) > 1:
        return [target.name for target in targets]
    return [target.label for target in targets]


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


def parse_neuron(text: str) -> tuple[int, tuple[float, float]]:
    """Channel and position (x, y), as shares of width and height, of ``12`` or ``12@0.25,0.5``.

    Raises:
        JaxdreamError: the text cannot be read, or the position is outside the picture.
    """
    share = r"([0-9]*\.?[0-9]+)"
    match = re.fullmatch(rf"([0-9]{{1,6}})(?:@{share},{share})?", text.strip(), re.ASCII)
    if match is None:
        raise JaxdreamError(
            f"neuron {text!r}: give its channel for the middle of the layer, or CHANNEL@X,Y, as in "
            "12@0.25,0.5"
        )
    position = (float(match[2] or 0.5), float(match[3] or 0.5))
    if max(position) > 1:
        raise JaxdreamError(f"neuron {text!r}: X and Y are shares from 0 to 1, as in 12@0.25,0.5")
    return int(match[1]), position
