"""The 1000 classes of ImageNet's challenge of 2012, by which classifiers number their outputs."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jaxdream.errors import JaxdreamError


@dataclass(frozen=True)
class ImageClass:
    """One class."""

    index: int  # of the classifier's output
    synset: str  # WordNet 3.0 id, n and eight digits
    names: tuple[str, ...]  # the first is the usual one

    def __str__(self) -> str:
        return f"{self.names[0]} ({self.index})"


@cache
def imagenet_classes() -> tuple[ImageClass, ...]:
    """All classes, in the order of networks' outputs."""
    text = files("jaxdream.objectives").joinpath("data", "imagenet_classes.tsv").read_text("utf-8")
    classes = []
    for index, line in enumerate(text.splitlines()):
        synset, names = line.split("\t")
        classes.append(ImageClass(index, synset, tuple(names.split(", "))))
    return tuple(classes)


def resolve_class(text: str) -> ImageClass:
    """The class that a name, a WordNet id or an index means.

    Any of a class's names will do, or all of them as listed ("maillot, tank suit"); upper and
    lower case are one, and so are spaces, underscores and hyphens.

    Raises:
        JaxdreamError: no such class, with the nearest names; or several of that name, with their
            indices.
    """
    classes = imagenet_classes()
    wanted = _plain(text)
    if re.fullmatch(r"-?[0-9]{1,9}", text.strip()):
        index = int(text)
        if not 0 <= index < len(classes):
            raise JaxdreamError(f"no class {index}: the classes are 0 to {len(classes) - 1}")
        return classes[index]
    named = [c for c in classes if wanted in (c.synset, *map(_plain, c.names))]
    if "," in text:
        named = [c for c in classes if wanted == _plain(", ".join(c.names))]
    if len(named) > 1:
        which = ", ".join(f"{c.index} ({', '.join(c.names)})" for c in named)
        raise JaxdreamError(f"{len(named)} classes are called {text!r}: give an index of {which}")
    if not named:
        near = _nearest(wanted, classes)
        hint = f"the nearest are {', '.join(near)}" if near else "give a name, WordNet id or index"
        raise JaxdreamError(f"no class {text!r}: {hint}")
    return named[0]


def _nearest(wanted: str, classes: Sequence[ImageClass]) -> list[str]:
    """Up to four names that contain this one, or look like it."""
    known = {_plain(name): name for c in classes for name in c.names}
    with_it = [name for name in known if wanted and re.search(rf"\b{re.escape(wanted)}\b", name)]
    alike = difflib.get_close_matches(wanted, known, n=4)
    return [known[name] for name in dict.fromkeys([*with_it, *alike])][:4]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", text).lower().split())
