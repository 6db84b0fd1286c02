"""Objectives as text, as the command line takes them and ``repr`` shows them.

    0.5*inception_3b/output + inception_4c/output:12 - 0.01*total_variation()

A layer's name is the layer's energy, ``LAYER:INDEX`` a channel's energy; numbers scale, ``+ - *``
and parentheses combine. A class's name alone is its logit. The functions are those of
``objectives``; a file stands for the model and the picture, or for the vector, and comes before
the layer, which can be left out::

    layer(LAYER)                  the same as LAYER
    channel(LAYER, INDEX)         the channel's mean activation
    channel_energy(LAYER, INDEX)  the same as LAYER:INDEX
    strongest(LAYER, N)           the energy of the N channels that the picture excites most
    weakest(LAYER, N)             of those that it excites least
    without(LAYER, N)             of all except the N that it excites most
                                  with every_octave after N, these three choose the channels
                                  again before every octave
    neuron(LAYER, INDEX, X, Y)    X and Y from 0 to 1, the middle if left out
    neuron(LAYER, INDEX, TOKEN)   of a layer that is a sequence of tokens, from 0
    logit(CLASS)                  an index, or a name with quotes; class(CLASS) is the same
    guide("FILE", LAYER)          a picture file; LAYER is the model's default one if left out
    caricature("FILE", LAYER)     a picture file
    style("FILE", LAYER, ...)     a picture file; the model's good layers if none is given
    direction("FILE", LAYER)      a .npy file
    direction_neuron("FILE", LAYER, X, Y)
                                  a .npy file; or the number of a token
    cosine("FILE", LAYER)         a .npy file
    mask("FILE")*OBJECTIVE        a sum over positions, where the picture FILE is white;
                                  mask("FILE", inverted) where it is black
    l1(LAYER)
    total_variation(LAYER)        of the picture itself if LAYER is left out
    boundary(WIDTH)               20 pixels if left out
    interpolate(OBJECTIVE, OBJECTIVE)
    alignment(LAYER)              both over the pictures of one ``visualize``
    of_network(NAME, OBJECTIVE)   an objective of another network

Options come last: ``power=P`` of a direction and a caricature, and ``mean``, for the mean over
positions in the place of a sum.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from jaxdream import objectives
from jaxdream.errors import JaxdreamError
from jaxdream.objectives.base import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.functions import FILE_FUNCTIONS, NETWORK_FUNCTION
from jaxdream.objectives.labels import KNOWN_CLASSES, classes_of, named_classes
from jaxdream.objectives.morphs import check_alone
from jaxdream.objectives.parser import Parser
from jaxdream.objectives.tokens import Token, read_tokens, shortened

if TYPE_CHECKING:
    from jaxdream.models.network import Network


def as_objective(
    objective: Objective | str | None, model: "Network", *, together: bool = False
) -> Objective:
    """An objective for a network, checked against it.

    Args:
        objective: an objective; or its text, which may be a layer's or a class's name
            (``parse_objective``); or None for the energy of the model's default layer.
        together: whether it may be one of several pictures that are made together.

    Raises:
        JaxdreamError: it is none of these, or the network lacks what it names, or it is of several
            pictures and may not.
    """
    if isinstance(objective, str):
        objective = parse_objective(objective, model)
    if objective is None:
        objective = objectives.layer(model.default_layer)
    if not isinstance(objective, Objective):
        raise JaxdreamError(
            f"an objective cannot be of type {type(objective).__name__}: give one of "
            'jaxdream.objectives, or a text such as "inception_4c/output"'
        )
    objective.check(model.graph)
    if not together:
        check_alone(objective)
    return objective


def parse_objective(
    text: str, model: "Network", *, files: ObjectiveFiles | None = None
) -> Objective:
    """The objective that a text means for a network.

    Args:
        text: for example ``"0.5*inception_3b/output + inception_4c/output:12"``, or a class's name
            such as ``"banana"``; see the module.
        files: reads the files and networks that the text names, and keeps their hashes; by default
            files are read as they are.

    Raises:
        JaxdreamError: the text cannot be read (says where), or names a layer, channel, class, file
            or network that does not exist.
    """
    objective = _class_named(text, model)
    if objective is None:
        objective = Parser(text, model, files or ObjectiveFiles()).parse()
    objective.check(model.graph)
    return objective


def names_objective(text: str, model: "Network") -> bool:
    """Whether a text means an objective for a network."""
    try:
        parse_objective(text, model)
    except JaxdreamError:
        return False
    return True


def named_files(text: str) -> tuple[str, ...]:
    """The picture and vector files that a text names, each once.

    Raises:
        JaxdreamError: the text has characters that mean nothing.
    """
    return tuple(dict.fromkeys(token.value for token in _file_tokens(text)))


def named_networks(text: str) -> tuple[str, ...]:
    """The other networks that a text names, each once.

    Raises:
        JaxdreamError: as ``named_files``.
    """
    named = _arguments(text, "name", "text", of=(NETWORK_FUNCTION,))
    return tuple(dict.fromkeys(token.value for token in named))


def with_files_renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for its files, by the names they have.

    Raises:
        JaxdreamError: a file in the text is not among the names, or as ``named_files``.
    """
    for token in reversed(_file_tokens(text)):
        if token.value not in names:
            raise JaxdreamError(
                f"the objective names the file {shortened(token.value)!r}, which is not among "
                "the files listed with it"
            )
        end = token.start + len(token.value) + 2  # the quotes
        text = f"{text[: token.start]}{quoted(names[token.value])}{text[end:]}"
    return text


def without_folders(text: str) -> str:
    """The text with the names of its files alone, as a recipe has it.

    Raises:
        JaxdreamError: as ``named_files``.
    """
    return with_files_renamed(text, {path: PurePath(path).name for path in named_files(text)})


def quoted(name: str) -> str:
    """A file's name as an objective's text has it.

    Raises:
        JaxdreamError: it has both kinds of quotes.
    """
    mark = "'" if '"' in name else '"'
    if mark in name:
        raise JaxdreamError(f"{name}: rename the file so that its name has no quotes")
    return f"{mark}{name}{mark}"


def _class_named(text: str, model: "Network") -> Objective | None:
    """The logit of a class where its name is all of the text, and is no layer's name."""
    if not re.fullmatch(r"[\w /-]+", text):
        return None
    if not any(named_classes(text, classes=classes()) for classes in KNOWN_CLASSES):
        return None
    if _has_layer(model, text) or not _has_layer(model, "logits"):
        return None
    return objectives.logit(text, classes=classes_of(model.graph))


def _has_layer(model: "Network", name: str) -> bool:
    try:
        model.graph.resolve(name)
    except JaxdreamError:
        return False
    return True


def _file_tokens(text: str) -> list[Token]:
    return _arguments(text, "text", of=FILE_FUNCTIONS)


def _arguments(text: str, *kinds: str, of: tuple[str, ...]) -> list[Token]:
    """The first arguments of some functions, where they are of these kinds."""
    tokens = read_tokens(text)
    return [
        token
        for function, sign, token in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token.kind in kinds and sign.value == "(" and function.value in of
    ]
