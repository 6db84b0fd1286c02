"""``jaxdream looks``; returns the exit code."""

import argparse
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE, INTERRUPTED
from jaxdream.cli.objective_options import asked_objective
from jaxdream.cli.options import read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import check_place, remove_temporaries
from jaxdream.images import formats
from jaxdream.images.picture_files import Picture, mark, write_image
from jaxdream.settings import Compute, DreamSettings, SourceSettings
from jaxdream.settings.looks import LOOKS, RANDOM

_LONGEST = 384  # pixels of a picture in the sheet, unless a size is given


def show_looks(options: argparse.Namespace) -> int:
    if options.input is None:
        if options.output is not None:
            raise JaxdreamError("--output is for a sheet: name a picture to dream with each look")
        width = max(map(len, LOOKS))
        for name, look in LOOKS.items():
            session.report(f"{name:{width}}  {look.help}")
        session.report(f"{RANDOM:{width}}  another one for every --seed")
        return DONE
    output = session.output_path(options.output, session.beside(options.input, "_looks.png"))
    formats.picture_format(output)
    check_place(output)
    guard = session.file_guard(options, [options.input])
    guard.add_write(output)
    remove_temporaries([output])
    source, compute = read_settings(options, SourceSettings), read_settings(options, Compute)
    picture = session.read(options.input, source.size, compute.memory)
    if source.size is None and max(picture.pixels.shape) > _LONGEST:
        picture = session.read(options.input, str(_LONGEST), compute.memory)
    session.start_jax(options.device, compute.memory)
    return _write_sheet(options, output, picture, source, compute)


def _write_sheet(
    options: argparse.Namespace,
    output: Path,
    picture: Picture,
    source: SourceSettings,
    compute: Compute,
) -> int:
    from jaxdream.deepdream import iterate_dream
    from jaxdream.images.contact_sheet import contact_sheet

    model = session.load(options, compute)
    dreams = []
    with session.running(output.name) as run:
        for number, (name, look) in enumerate(LOOKS.items()):
            chosen = argparse.Namespace(objective=None, layer=None, guide=[], guide_weight=[],
                                        look=name, seed=source.seed)  # fmt: skip
            state = None
            for state in iterate_dream(
                source.seed, model, picture.pixels, asked_objective(chosen, model),
                settings=DreamSettings(**look.settings), compute=compute,
            ):  # fmt: skip
                run.show_state(state, f"{name} ", (number + state.done) / len(LOOKS))
            if state is not None:
                dreams.append(state.at_octave)
    if run.interrupted and not dreams:
        session.say("interrupted before the first look was done: nothing written")
        return INTERRUPTED
    sheet = contact_sheet(dreams, list(LOOKS)[: len(dreams)])
    write_image(output, sheet, recipe=mark("looks"))
    session.report(f"wrote {output}: {len(dreams)} looks")
    return INTERRUPTED if run.interrupted else DONE
