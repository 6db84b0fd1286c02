"""The objective that the options of a command ask for, as one text."""

import argparse
import math

from jaxdream.errors import JaxdreamError


def objective_text(options: argparse.Namespace, default_layer: str) -> str:
    """What ``--objective``, or ``--layer`` and ``--guide``, mean as one text.

    Raises:
        JaxdreamError: they contradict each other, or a value is empty or out of range.
    """
    from jaxdream.objectives.text import quoted

    if options.objective is not None:
        if options.layer is not None or options.guide:
            raise JaxdreamError(
                "--objective cannot be combined with --layer or --guide: name the layers in the "
                'objective, and a guide as guide("FILE", LAYER)'
            )
        return options.objective
    layer = default_layer if options.layer is None else options.layer
    if not layer:
        raise JaxdreamError("--layer is empty: give the name of a layer")
    weights = options.guide_weight or []
    if not options.guide:
        if weights:
            raise JaxdreamError("--guide-weight needs a --guide FILE")
        return layer
    if weights and len(weights) != len(options.guide):
        raise JaxdreamError(
            f"--guide is given {len(options.guide)} times and --guide-weight {len(weights)} "
            "times: give one weight for each guide, or none"
        )
    for weight in weights:
        if not math.isfinite(weight):
            raise JaxdreamError(f"--guide-weight must be a finite number, not {weight}")
    terms = [f"guide({quoted(path)}, {layer})" for path in options.guide]
    if weights:
        terms = [f"{weight}*{term}" for weight, term in zip(weights, terms, strict=True)]
    return " + ".join(terms).removeprefix("1.0*")
