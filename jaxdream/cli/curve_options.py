"""``--curve``: what changes over the frames of a film, for the commands that make one.

Curves are checked before a network is loaded (``check_curves``, ``curve_files``). With the network,
``named_curves`` reads the files that the curve of an objective names.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxdream.cli.input_files import check_file
from jaxdream.curves.curve import OBJECTIVE, Curve, depends_on_count
from jaxdream.curves.expression import Expression
from jaxdream.curves.text import parse_curves
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Setting

if TYPE_CHECKING:
    from jaxdream.folder.worker import NamedObjective
    from jaxdream.models.network import Network
    from jaxdream.objectives import Objective
    from jaxdream.objectives.files import ObjectiveFiles


def add_curves(
    group: argparse._ActionsContainer, names: str = "step_size, strength or objective"
) -> None:
    """Add ``--curve`` to a parser, or to a group of one.

    Args:
        names: of what can have one, for the help.
    """
    group.add_argument(
        "--curve", dest="curves", action="append", default=[], metavar="TEXT",
        help=f"how {names} changes over the frames, as NAME: TIME VALUE, TIME VALUE EASING, where "
        "TIME is a frame's number from 0, 4s or 50%%, such as \"step_size: 0 0.5, 4s 2 in-out\" or "
        '"strength: 0.7 + 0.3*sin(t)"; may be repeated',
    )  # fmt: skip


def check_curves(
    options: argparse.Namespace, allowed: Mapping[str, Setting], timeline: Timeline
) -> dict[str, Curve]:
    """The curves that are asked for, by name: needs no network.

    Args:
        allowed: the settings that may have one, from ``curves.names``.
        timeline: of the film; where it has no number of frames, a share as a time is refused, and
            expressions are not computed yet.

    Raises:
        JaxdreamError: as ``parse_curves``, or an objective is given beside the curve of one.
    """
    curves = parse_curves(options.curves, allowed, timeline=timeline)
    given = {"--objective": options.objective, "--layer": options.layer}
    given["--guide"] = options.guide or None
    beside = [name for name, value in given.items() if value is not None]
    if OBJECTIVE in curves and beside:
        raise curves[OBJECTIVE].error(
            f"it takes the place of {' and '.join(beside)}: give one of the two"
        )
    return curves


def curve_files(curves: Mapping[str, Curve], memory: int | None) -> tuple[str, ...]:
    """The files that the curve of the objective names: needs no network.

    Args:
        memory: bytes that this process may have, if there is a limit.

    Raises:
        JaxdreamError: the text of an objective cannot be read, a file cannot be opened, or a
            picture does not fit into the memory as it is decoded.
    """
    if OBJECTIVE not in curves:
        return ()
    from jaxdream.objectives.text import named_files

    curve = curves[OBJECTIVE]
    try:
        paths = [path for text in curve.texts for path in named_files(text)]
        for path in paths:
            check_file(path, memory)
    except JaxdreamError as error:
        raise curve.error(str(error)) from None
    return tuple(dict.fromkeys(paths))


@dataclass(frozen=True)
class NamedCurves:
    """The curves of a film, checked against its network, and how a record names them."""

    curves: Mapping[str, Curve]
    files: "ObjectiveFiles"  # to read the files of the objective's curve again, without a word
    sha256: Mapping[str, str]  # of these files, by name

    @property
    def depends_on_count(self) -> bool:
        """Whether the same curves are other ones for another number of frames."""
        return depends_on_count(self.curves.values())

    @property
    def depends_on_fps(self) -> bool:
        """Whether the same curves are other ones for other frames a second."""
        return any(
            key.time.unit == "s" or (isinstance(key.value, Expression) and "t" in _names(key.value))
            for curve in self.curves.values()
            for key in curve.keys
        )

    def recorded(self, fps: float | int) -> dict[str, object]:
        """What the frames depend on, as JSON can hold it; nothing without curves.

        Files have their names alone, since their folders here mean nothing elsewhere.
        """
        from jaxdream.objectives.text import without_folders

        if not self.curves:
            return {}
        known = dict(self.curves)
        if OBJECTIVE in known:
            known[OBJECTIVE] = known[OBJECTIVE].with_texts(without_folders)
        # Sorted, since the order of the options means nothing.
        recorded: dict[str, object] = {"curves": sorted(map(str, known.values()))}
        return recorded | {"fps": fps} if self.depends_on_fps else recorded


def _names(expression: Expression) -> set[str]:
    """The variables in an expression."""
    return {each for each in expression.operations if isinstance(each, str)}


def named_curves(
    curves: Mapping[str, Curve],
    model: "Network",
    guide_size: int,
    notify: Callable[[str], None],
) -> NamedCurves:
    """The curves of a film for a network; the files of the objective's curve are read.

    Args:
        guide_size: longest side of pictures that a curve names, in pixels.
        notify: is called with a line about a picture that is made smaller, or a network.

    Raises:
        JaxdreamError: an objective or a file cannot be read, the network lacks what is named, or
            two different files have one name.
    """
    from jaxdream.objectives.files import ObjectiveFiles
    from jaxdream.objectives.text import parse_objective

    files, by_name = ObjectiveFiles(guide_size, notify), {}
    if OBJECTIVE in curves:
        curve = curves[OBJECTIVE]
        try:
            for text in curve.texts:
                parse_objective(text, model, files=files)
            by_name = files.by_name()
        except JaxdreamError as error:
            raise curve.error(str(error)) from None
    again = ObjectiveFiles(guide_size, loaded=files.networks)
    return NamedCurves(curves, again, by_name)


def film_objective(
    options: argparse.Namespace,
    curves: NamedCurves,
    model: "Network",
    guide_size: int,
    notify: Callable[[str], None],
) -> "tuple[Objective | None, NamedObjective]":
    """The objective of a film, and how a recipe names it.

    Where the objective has a curve there is none: a recipe's text is empty, and its files are
    those of the curve.

    Args:
        guide_size: as of ``named_curves``.
        notify: as of ``named_curves``.

    Raises:
        JaxdreamError: as ``asked_objective`` and ``named_objective``.
    """
    from jaxdream.cli.objective_options import asked_objective
    from jaxdream.folder.worker import NamedObjective, named_objective

    if OBJECTIVE in curves.curves:
        return None, NamedObjective("", dict(curves.sha256))
    text = asked_objective(options, model)
    return named_objective(text, model, guide_size, notify)[:2]
