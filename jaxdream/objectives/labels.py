"""The classes by which classifiers number their outputs.

They are the 1000 of ImageNet's challenge of 2012, or the 365 places of Places365.
"""

import difflib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jaxdream.errors import JaxdreamError, nearest_names

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

_SHOWN = 4  # classes that an error names


@dataclass(frozen=True)
class ImageClass:
    """One class."""

    index: int  # of the classifier's output
    synset: str  # WordNet 3.0 id, n and eight digits; empty where there is none
    names: tuple[str, ...]  # the first is the usual one

    def __str__(self) -> str:
        return f"{self.names[0]} ({self.index})"


Classes = Sequence[ImageClass] | None


@cache
def imagenet_classes() -> tuple[ImageClass, ...]:
    """The classes of ImageNet, in the order of networks' outputs."""
    return _read("imagenet_classes.tsv")


@cache
def places365_classes() -> tuple[ImageClass, ...]:
    """The classes of Places365, in the order of networks' outputs.

    Source: B. Zhou and others, "Places: A 10 million Image Database for Scene Recognition", 2017;
    the list of CSAILVision/places365, CC BY.
    """
    return _read("places365_classes.tsv")


KNOWN_CLASSES = (imagenet_classes, places365_classes)


def classes_of(graph: "LayerTable") -> tuple[ImageClass, ...]:
    """The classes of a network's outputs; ImageNet's where it has no classifier.

    Raises:
        JaxdreamError: their names are not known here.
    """
    count = graph.class_count or len(imagenet_classes())
    for known in KNOWN_CLASSES:
        if len(known()) == count:
            return known()
    raise JaxdreamError(
        f"this network has {count} classes of its own, which have no names here: give one as the "
        "objective logit(INDEX)"
    )


def _read(name: str) -> tuple[ImageClass, ...]:
    text = files("jaxdream.objectives").joinpath("data", name).read_text("utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    return tuple(
        ImageClass(index, synset, tuple(names.split(", ")))
        for index, (synset, names) in enumerate(lines)
    )


def find_classes(word: str, *, classes: Classes = None) -> tuple[ImageClass, ...]:
    """The classes that have a word, or several, in their names; none for an empty text.

    Those with whole words, or where there are none, those with part of a word. Classes whose usual
    name has them come first, then those where it is another of their names.

    Args:
        classes: among which to look, by default ImageNet's.
    """
    wanted = _plain(word)
    if not wanted:
        return ()
    for pattern in (rf"\b{re.escape(wanted)}\b", re.escape(wanted)):
        found = [c for c in classes or imagenet_classes() if _matching_names(c, pattern)]
        if found:
            usual = [c for c in found if re.search(pattern, _plain(c.names[0]))]
            return tuple(dict.fromkeys([*usual, *found]))
    return ()


def named_classes(text: str, *, classes: Classes = None) -> tuple[ImageClass, ...]:
    """The classes that have exactly this name, or WordNet id; see ``resolve_class``."""
    wanted, classes = _plain(text), classes or imagenet_classes()
    if "," in text:
        return tuple(c for c in classes if wanted == _plain(", ".join(c.names)))
    return tuple(c for c in classes if wanted and wanted in (c.synset, *map(_plain, c.names)))


def resolve_class(text: str, *, classes: Classes = None) -> ImageClass:
    """The class that a name, a WordNet id or an index means.

    Any of a class's names will do, or all of them as listed ("maillot, tank suit"); upper and
    lower case are the same, and so are spaces, underscores, hyphens and slashes.

    Args:
        classes: among which to look, by default ImageNet's.

    Raises:
        JaxdreamError: there is no such class (names some that have the word, or the nearest), or
            several have that name (with their indices).
    """
    classes = classes or imagenet_classes()
    if re.fullmatch(r"-?[0-9]{1,9}", text.strip()):
        index = int(text)
        if not 0 <= index < len(classes):
            raise JaxdreamError(f"no class {index}: the classes are 0 to {len(classes) - 1}")
        return classes[index]
    named = named_classes(text, classes=classes)
    if len(named) == 1:
        return named[0]
    if named:
        which = ", ".join(f"{c.index} ({', '.join(c.names)})" for c in named)
        raise JaxdreamError(f"{len(named)} classes are called {text!r}: give an index of {which}")
    raise JaxdreamError(f"no class {_shortened(text)!r}: {_suggestion(text, classes)}")


def _suggestion(text: str, classes: Sequence[ImageClass]) -> str:
    wanted = _plain(text)
    found = find_classes(text, classes=classes)
    if found:
        pattern = re.escape(wanted)
        some = [f"{_matching_names(c, pattern)[0]} ({c.index})" for c in found[:_SHOWN]]
        verb = "class has" if len(found) == 1 else "classes have"
        example = "such as " if len(found) > len(some) else ""
        return (
            f"{len(found)} {verb} it in a name, {example}{', '.join(some)} "
            f"(`jaxdream classes {shlex.quote(wanted)}` lists them)"
        )
    near = _nearest(wanted, classes)
    return nearest_names(near) if near else "give a name, WordNet id or index"


def _nearest(wanted: str, classes: Sequence[ImageClass]) -> list[str]:
    known = {_plain(name): f"{name} ({c.index})" for c in classes for name in c.names}
    return [known[name] for name in difflib.get_close_matches(wanted[:100], known, n=_SHOWN)]


def _matching_names(c: ImageClass, pattern: str) -> list[str]:
    return [name for name in c.names if re.search(pattern, _plain(name))]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\s_/-]+", " ", text).lower().split())


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
