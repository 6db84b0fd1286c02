"""The objective that a command line or a recipe asks for, and the files it is made from."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash


def objective_text(options: argparse.Namespace, default_layer: str) -> str:
    """What ``--objective``, or ``--layer`` and ``--guide``, mean as one text.

    Raises:
        JaxdreamError: they contradict each other.
    """
    from jaxdream.objectives.text import quoted

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
