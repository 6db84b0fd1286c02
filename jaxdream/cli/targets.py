"""What ``jaxdream visualize`` is asked to show: from options to targets."""

import argparse
from contextlib import suppress

from jaxdream.cli.own_network import is_own, load_own
from jaxdream.errors import JaxdreamError
from jaxdream.models.weights.registry import record_of
from jaxdream.objectives.files import read_vector
from jaxdream.objectives.labels import (
    KNOWN_CLASSES,
    ImageClass,
    classes_of,
    imagenet_classes,
    resolve_class,
)
from jaxdream.visualization.targets import Target, parse_channels, parse_neuron


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
    if is_own(model):
        return classes_of(load_own(model).graph)
    return imagenet_classes() if model == "auto" else classes_of(record_of(model).build())


def _class_name(text: str, model: str) -> str:
    """How files and labels call a class, before the network is loaded.

    Raises:
        JaxdreamError: the network, or where none is named every network here, lacks the class.
            What one's own has is not known yet.
    """
    if is_own(model):
        return text
    if model != "auto":
        return resolve_class(text, classes=classes_of_model(model)).names[0]
    for classes in KNOWN_CLASSES:
        with suppress(JaxdreamError):
            return resolve_class(text, classes=classes()).names[0]
    return resolve_class(text).names[0]  # which says what is near
