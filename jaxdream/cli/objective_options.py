"""The objective that the options of a command ask for, as one text."""

import argparse
from typing import TYPE_CHECKING

from jaxdream.cli.options import read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.settings import DreamSettings
from jaxdream.settings.looks import Look, find_look

if TYPE_CHECKING:
    from jaxdream.models.network import Network


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


def asked_look(options: argparse.Namespace) -> Look:
    """The look that is asked for; without one, the classic.

    Raises:
        JaxdreamError: no look has this name.
    """
    return find_look("classic" if options.look is None else options.look, options.seed)


def dream_settings(options: argparse.Namespace) -> DreamSettings:
    """The settings that the options ask for: those of the look, except what is given beside it.

    Raises:
        JaxdreamError: as ``asked_look``, or values that do not go together.
    """
    look = dict(asked_look(options).settings)
    if hasattr(options, "octaves") and not hasattr(options, "smallest"):
        look.pop("smallest", None)  # which would decide instead of the number that is given
    return read_settings(options, DreamSettings, base=look)


def asked_objective(options: argparse.Namespace, model: "Network") -> str:
    """The text of the objective that the options ask for, for this network.

    Raises:
        JaxdreamError: as ``check_objective`` and ``asked_look``.
    """
    from jaxdream.looks import look_objective

    if options.objective is not None or options.layer is not None or options.guide:
        return objective_text(options, model.default_layer)
    return look_objective(model, asked_look(options))


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
