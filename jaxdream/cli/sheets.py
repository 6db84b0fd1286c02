"""Contact sheets of dreams of one picture: with every look, and with a grid of settings."""

import argparse
import itertools
import math
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import NamedTuple

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, INTERRUPTED
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.objective_options import asked_objective, check_objective, dream_settings
from jaxdream.cli.options import convert, read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import check_place, remove_temporaries
from jaxdream.images import formats
from jaxdream.images.picture_files import mark, write_image
from jaxdream.settings import Compute, DreamSettings, SourceSettings, describe

_MOST = 100  # dreams in a sheet
_TEXTS = ("layer", "look", "objective")  # that a grid may vary beside settings


class Entry(NamedTuple):
    """One dream of a sheet: its label, and the options of ``jaxdream dream`` that make it."""

    label: str
    options: argparse.Namespace


def write_sheet(
    options: argparse.Namespace,
    output: Path,
    entries: Sequence[Entry],
    source: SourceSettings,
) -> int:
    """Dream a picture in several ways, and write all into one sheet; the exit code.

    Args:
        options: of the command, with the picture and the network.
        output: a picture file.
        source: with the size to dream at, and that of guides.
    """
    formats.picture_format(output)
    check_place(output)
    compute = read_settings(options, Compute)
    guard = session.file_guard(options, [options.input])
    for each in (options, *(entry.options for entry in entries)):
        check_input_files(each, guard=guard, memory=compute.memory)
    guard.add_write(output)
    remove_temporaries([output])
    settings = [dream_settings(entry.options) for entry in entries]
    for entry in entries:
        check_objective(entry.options)
    picture = session.read(options.input, source.size, compute.memory)
    session.start_jax(options.device, compute.memory)
    model = session.load(options, compute)

    from jaxdream.folder.worker import named_objective
    from jaxdream.images.contact_sheet import contact_sheet
    from jaxdream.variants import Variant, iterate_variants

    variants, networks = [], {}
    for entry, chosen in zip(entries, settings, strict=True):
        text = asked_objective(entry.options, model)
        reading = model, source.guide_size, session.say, networks
        objective, _, _ = named_objective(text, *reading)
        variants.append(Variant(objective, chosen, entry.options.seed))
    dreams = {}
    with session.running(output.name) as run:
        for state in iterate_variants(model, picture.pixels, variants, compute=compute):
            first = entries[state.indices[0]].label
            others = f" and {len(state.indices) - 1} more" if len(state.indices) > 1 else ""
            run.show_state(state.dream, f"{first}{others} ", state.done)
            if state.dream.done == 1:
                dreams |= zip(state.indices, state.dream.at_octave, strict=True)
    if run.interrupted and not dreams:
        session.say("interrupted before the first dream was done: nothing written")
        return INTERRUPTED
    shown = sorted(dreams)
    sheet = contact_sheet([dreams[i] for i in shown], [entries[i].label for i in shown])
    write_image(output, sheet, recipe=mark("sheet"))
    session.report(f"wrote {output}: {len(dreams)} of {len(entries)} dreams")
    return INTERRUPTED if run.interrupted else DONE


def dream_grid(options: argparse.Namespace) -> int:
    """``jaxdream dream IN --grid layer=3b,4c step_size=0.7,1.5``; the exit code."""
    if len(options.inputs) != 1:
        raise JaxdreamError(f"--grid takes one picture, not {len(options.inputs)}")
    if options.plan or options.preview or options.gif or options.before_after or options.log:
        raise JaxdreamError(
            "--grid does not go with --plan, --preview, --gif, --before-after or --log"
        )
    source = read_settings(options, SourceSettings)
    if source.mask is not None or source.make_tile or source.begin is not None:
        raise JaxdreamError("--grid does not go with --mask, --make-tile or --from")
    options.input = options.inputs[0]
    output = session.output_path(options.output, session.beside(options.input, "_grid.png"))
    return write_sheet(options, output, _entries(options), source)


def _entries(options: argparse.Namespace) -> list[Entry]:
    """Every combination of the values that ``--grid`` names.

    Raises:
        JaxdreamError: a name or a value that is none, or too many of them.
    """
    axes = [_axis(text) for text in options.grid]
    names = [name for name, _ in axes]
    for name in names:
        if names.count(name) > 1:
            raise JaxdreamError(f"--grid names {name} twice: give all of its values at once")
    if math.prod(len(values) for _, values in axes) > _MOST:
        raise JaxdreamError(f"--grid makes more than {_MOST} dreams: name fewer values")
    entries = []
    for values in itertools.product(*(values for _, values in axes)):
        chosen = copy(options)
        for name, (_, value) in zip(names, values, strict=True):
            setattr(chosen, name, value)
        label = " ".join(f"{name}={text}" for name, (text, _) in zip(names, values, strict=True))
        entries.append(Entry(label, chosen))
    return entries


def _axis(text: str) -> tuple[str, list[tuple[str, object]]]:
    """The name and the values, as text and as they are, of one part of ``--grid``."""
    name, sign, values = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    known = {**describe(DreamSettings), "seed": describe(SourceSettings)["seed"]}
    if name not in (*known, *_TEXTS) or not sign or not values:
        names = ", ".join((*_TEXTS, *known))
        raise JaxdreamError(f"--grid takes NAME=VALUE,VALUE with one of {names}, not {text!r}")
    texts = [value.strip() for value in values.split(",")]
    if name in _TEXTS:
        return name, [(value, value) for value in texts]
    return name, [(value, convert(name, known[name], value)) for value in texts]
