"""What ``jaxdream visualize`` is asked to show, from its options to objectives."""

import argparse
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.objectives import direction, layer, logit, neuron
from jaxdream.objectives.base import Objective
from jaxdream.objectives.files import read_vector
from jaxdream.objectives.labels import resolve_class
from jaxdream.objectives.text import parse_objective
from jaxdream.visualization.visualize import channel_mean

_MOST = 4096  # channels in one list of them, more than any layer has


@dataclass(frozen=True)
class Target:
    """One thing to show; what it is of is not checked against a network yet."""

    label: str
    kind: str  # class, layer, channel, neuron, direction or objective
    layer: str = ""  # of an objective, its text
    index: int = 0
    position: tuple[float, float] = (0.5, 0.5)  # (x, y), shares of the layer's width and height
    vector: Float[np.ndarray, " c"] | None = None

    def objective(self, model: Network) -> Objective:
        """What to maximise for it.

        Raises:
            JaxdreamError: the network has no such layer, channel or class.
        """
        if self.kind == "class":
            return logit(self.index)
        if self.kind == "objective":
            return parse_objective(self.layer, model)
        name = model.graph.resolve(self.layer)
        if self.kind == "channel":
            return channel_mean(model, name, self.index)
        if self.kind == "neuron":
            return neuron(name, self.index, position=self.position)
        return layer(name) if self.vector is None else direction(name, self.vector)


def parse_targets(options: argparse.Namespace) -> list[Target]:
    """What the options ask for, in their order.

    Raises:
        JaxdreamError: nothing, options that exclude each other, an unknown class, a list of
            channels or a neuron that is not one, or a file that holds no direction.
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
        raise JaxdreamError(f"{given[0]} is of a layer: name it by --layer")
    if len(given) > 1:
        raise JaxdreamError(f"{given[0]} and {given[1]} exclude each other")
    if options.objective:
        return [Target(options.objective, "objective", options.objective)]
    if classes:
        found = [resolve_class(text) for text in classes]
        return [Target(c.names[0], "class", index=c.index) for c in found]
    if options.channels is not None:
        numbers = parse_channels(options.channels)
        return [Target(f"{at} {i}", "channel", at, i) for at in layers for i in numbers]
    if options.neurons is not None:
        neurons = [(text, *parse_neuron(text)) for text in options.neurons]
        return [
            Target(f"{at} neuron {text}", "neuron", at, index, position)
            for at in layers
            for text, index, position in neurons
        ]
    if options.direction is not None:
        vector = read_vector(options.direction)
        return [Target(f"{at} direction", "direction", at, vector=vector) for at in layers]
    return [Target(at, "layer", at) for at in layers]


def parse_channels(text: str) -> list[int]:
    """The numbers that a list such as ``3``, ``0-15`` or ``1,4,8-10`` means.

    Raises:
        JaxdreamError: not a list of channels, or an endless one.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", part, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise JaxdreamError(f"{text!r} are no channels: give numbers, as in 12 or 0-15 or 3,7")
        if len(numbers) + last - first >= _MOST:
            raise JaxdreamError(f"{text!r} are more than {_MOST} channels")
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))


def parse_neuron(text: str) -> tuple[int, tuple[float, float]]:
    """Channel and place, as shares of width and height, of ``12`` or ``12@0.25,0.5``.

    Raises:
        JaxdreamError: not a neuron, or a place outside the picture.
    """
    share = r"([0-9]*\.?[0-9]+)"
    match = re.fullmatch(rf"([0-9]{{1,6}})(?:@{share},{share})?", text.strip(), re.ASCII)
    place = (float(match[2] or 0.5), float(match[3] or 0.5)) if match else (2.0, 2.0)
    if match is None or max(place) > 1:
        raise JaxdreamError(
            f"{text!r} is no neuron: give its channel (in the middle), or CHANNEL@X,Y with X and Y "
            "from 0 to 1, as in 12@0.25,0.5"
        )
    return int(match[1]), place
