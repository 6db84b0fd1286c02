"""The objective that a command line or a recipe asks for, and the files it is made from."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jaxdream import images
from jaxdream.commands import common
from jaxdream.errors import JaxdreamError
from jaxdream.files import file_hash


@dataclass
class Sources:
    """Reads the files that an objective names, and remembers their hashes."""

    guide_size: int
    sha256: dict[str, str] = field(default_factory=dict)  # by path

    def picture(self, path: str):
        """The pixels of a picture, made smaller if its longest side is over ``guide_size``."""
        picture = images.read_picture(path)
        height, width, _ = picture.pixels.shape
        if max(height, width) > self.guide_size:
            size = images.parse_size(str(self.guide_size), height, width)
            common.say(f"{path} is used at {size[1]}x{size[0]} pixels (--guide-size)")
            picture = images.resize_picture(picture, size)
        self.sha256[path] = picture.sha256
        return picture.pixels

    def vector(self, path: str):
        """The numbers of a ``.npy`` file."""
        from jaxdream.objective_text import read_vector

        vector = read_vector(path)
        self.sha256[path] = file_hash(Path(path), "sha256")
        return vector

    def by_name(self) -> dict[str, str]:
        """The hashes by the files' names alone, which is all that a recipe tells of them."""
        names: dict[str, str] = {}
        for path, sha256 in self.sha256.items():
            if names.setdefault(Path(path).name, sha256) != sha256:
                raise JaxdreamError(f"two files are named {Path(path).name}: rename one of them")
        return names


def objective_text(options: argparse.Namespace, default_layer: str) -> str:
    """What ``--objective``, or ``--layer`` and ``--guide``, mean as one text.

    Raises:
        JaxdreamError: they contradict each other.
    """
    from jaxdream.objective_text import quoted

    if options.objective is not None:
        if options.layer or options.guide:
            raise JaxdreamError(
                "give --objective alone, or --layer and --guide: an objective names its layers "
                'itself, and a guide as guide("FILE", LAYER)'
            )
        return options.objective
    layer = options.layer or default_layer
    if not options.guide:
        if options.guide_weight:
            raise JaxdreamError("--guide-weight goes with a --guide FILE before it")
        return layer
    weights = options.guide_weight or [1.0] * len(options.guide)
    if len(weights) != len(options.guide):
        raise JaxdreamError(
            f"{len(options.guide)} guides and {len(weights)} weights: give --guide-weight once "
            "for each --guide, or not at all"
        )
    terms = [
        f"{weight}*guide({quoted(path)}, {layer})"
        for path, weight in zip(options.guide, weights, strict=True)
    ]
    return " + ".join(terms).removeprefix("1.0*")


def find_files(
    wanted: Mapping[str, str], given: Sequence[str], folders: Sequence[Path]
) -> dict[str, str]:
    """Where the files of a recipe are, by their names there: known by their hashes.

    Raises:
        JaxdreamError: one is not among those given nor in the folders.
    """
    found = {}
    for name, sha256 in wanted.items():
        places = [Path(path) for path in given] + [folder / name for folder in folders]
        for place in places:
            if place.is_file() and file_hash(place, "sha256") == sha256:
                found[name] = str(place)
                break
        else:
            raise JaxdreamError(
                f"this was dreamed with {name} (sha256 {sha256[:12]}), which is not beside it: "
                "give it by --guide FILE"
            )
    return found
