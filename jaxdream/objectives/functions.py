"""The functions of an objective's text; each reads its arguments from a parser."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jaxdream import objectives
from jaxdream.objectives.base import Objective
from jaxdream.objectives.labels import classes_of
from jaxdream.objectives.masked import Mask
from jaxdream.objectives.terms import EVERY_OCTAVE, MEAN

if TYPE_CHECKING:
    from jaxdream.objectives.parser import Parser

_POWER = "power="  # an option


def _of_layer(make: Callable[..., Objective]) -> Callable[["Parser"], Objective]:
    def build(parser: "Parser") -> Objective:
        layer = parser.layer()
        return make(layer, **parser.options(MEAN))

    return build


def _of_channel(make: Callable[..., Objective], *options: str) -> Callable[["Parser"], Objective]:
    """Of a function of a layer and a whole number: an index, or a count of channels."""

    def build(parser: "Parser") -> Objective:
        layer = parser.layer()
        parser.expect(",")
        index = parser.index()
        return make(layer, index, **parser.options(*options))

    return build


def _neuron(parser: "Parser") -> Objective:
    layer = parser.layer()
    parser.expect(",")
    index = parser.index()
    return objectives.neuron(layer, index, **_place(parser))


def _place(parser: "Parser") -> dict[str, Any]:
    """X and Y, or the number of a token, after commas; or nothing."""
    if not parser.follows("number"):
        return {}
    parser.expect(",")
    if not parser.follows("number", after=1):
        return {"token": parser.index()}
    x = parser.number()
    parser.expect(",")
    return {"position": (x, parser.number())}


def _logit(parser: "Parser") -> Objective:
    if parser.next.kind == "number":
        return objectives.logit(parser.index())
    if parser.next.kind not in ("text", "name"):
        raise parser.expected("a class")
    return objectives.logit(parser.advance(), classes=classes_of(parser.model.graph))


def _of_picture(make: Callable[..., Objective], *options: str) -> Callable[["Parser"], Objective]:
    names = [name.rstrip("=") for name in options]

    def build(parser: "Parser") -> Objective:
        image = parser.files.picture(parser.file())
        layer = parser.layer_after_file(*names)
        return make(parser.model, image, layer, **parser.options(*options))

    return build


def _style(parser: "Parser") -> Objective:
    image = parser.files.picture(parser.file())
    layers = []
    while parser.take(","):
        layers.append(parser.layer())
    return objectives.style(parser.model, image, layers or None)


def _mask(parser: "Parser") -> Mask:
    shares = parser.files.mask(parser.file())
    return objectives.mask(1 - shares if parser.options("inverted") else shares)


def _of_vector(make: Callable[..., Objective], *options: str) -> Callable[["Parser"], Objective]:
    names = [name.rstrip("=") for name in options]

    def build(parser: "Parser") -> Objective:
        vector = parser.files.vector(parser.file())
        layer = parser.layer_after_file(*names)
        return make(layer, vector, **parser.options(*options))

    return build


def _direction_neuron(parser: "Parser") -> Objective:
    vector = parser.files.vector(parser.file())
    layer = parser.layer_after_file("power")
    place = _place(parser)
    return objectives.direction_neuron(layer, vector, **place, **parser.options(_POWER))


def _total_variation(parser: "Parser") -> Objective:
    if parser.next.kind == "name" and parser.next.value != MEAN:
        return _of_layer(objectives.total_variation)(parser)
    return objectives.total_variation(**parser.options(MEAN, comma=False))


def _boundary(parser: "Parser") -> Objective:
    if parser.next.kind == "number":
        width = parser.index()
        return objectives.boundary(width, **parser.options(MEAN))
    return objectives.boundary(**parser.options(MEAN, comma=False))


def _interpolate(parser: "Parser") -> Objective:
    first = parser.objective()
    parser.expect(",")
    return objectives.interpolate(first, parser.objective())


def _of_network(parser: "Parser") -> Objective:
    network = parser.files.network(parser.network(), parser.model.precision)
    parser.expect(",")
    outer, parser.model = parser.model, network
    objective = parser.objective()
    parser.model = outer
    return objectives.of_network(network, objective)


FUNCTIONS: Mapping[str, Callable[["Parser"], Objective | Mask]] = {
    "layer": _of_layer(objectives.layer),
    "channel": _of_channel(objectives.channel),
    "channel_energy": _of_channel(objectives.channel_energy, MEAN),
    "strongest": _of_channel(objectives.strongest, EVERY_OCTAVE, MEAN),
    "weakest": _of_channel(objectives.weakest, EVERY_OCTAVE, MEAN),
    "without": _of_channel(objectives.without, EVERY_OCTAVE, MEAN),
    "neuron": _neuron,
    "logit": _logit,
    "class": _logit,
    "guide": _of_picture(objectives.guide, MEAN),
    "caricature": _of_picture(objectives.caricature, _POWER, MEAN),
    "style": _style,
    "direction": _of_vector(objectives.direction, _POWER, MEAN),
    "direction_neuron": _direction_neuron,
    "cosine": _of_vector(objectives.cosine, MEAN),
    "mask": _mask,
    "l1": _of_layer(objectives.l1),
    "total_variation": _total_variation,
    "boundary": _boundary,
    "interpolate": _interpolate,
    "alignment": lambda parser: objectives.alignment(parser.layer()),
    "of_network": _of_network,
}
# Those whose first argument is a file, or a network.
FILE_FUNCTIONS = (
    "guide", "caricature", "style", "direction", "direction_neuron", "cosine", "mask",
)  # fmt: skip
NETWORK_FUNCTION = "of_network"
