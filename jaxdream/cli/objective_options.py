"""The objective that the options of a command ask for, as one text."""

import argparse

from jaxdream.errors import JaxdreamError


def check_objective(options: argparse.Namespace) -> None:
    """Make sure that ``--objective``, ``--layer`` and ``--guide`` go together: needs no network.

    Raises:
        JaxdreamError: they contradict each other, or a value is empty.
    """
    if options.objective is not None and (options.layer is not None or options.guide):
        raise JaxdreamError(
            "--objective cannot be combined with --layer or --guide: name the layers in the "
            'objective, and a guide as guide("FILE", LAYER)'
        )
    if options.layer == "":
        raise JaxdreamError("--layer is empty: give the name of a layer")
    guides, weights = len(options.guide), len(options.guide_weight)
    if weights and not guides:
        raise JaxdreamError("--guide-weight needs a --guide FILE")
    if weights not in (0, guides):
        raise JaxdreamError(
            f"--guide is given {guides} times and --guide-weight {weights} times: give one weight "
            "for each guide, or none"
        )


def objective_text(options: argparse.Namespace, default_layer: str) -> str:
    """What ``--objective``, or ``--layer`` and ``--guide``, mean as one text.

    Raises:
        JaxdreamError: as ``check_objective``.
    """
    from jaxdream.objectives.text import quoted

    check_objective(options)
    if options.objective is not None:
        return options.objective
    layer = options.layer or default_layer
    if not options.guide:
        return layer
    weights = options.guide_weight or [1.0] * len(options.guide)
    terms = []
    for weight, path in zip(weights, options.guide, strict=True):
        guide = f"guide({quoted(path)}, {layer})"
        terms.append(guide if weight == 1 else f"{weight}*{guide}")
    return " + ".join(terms)
