"""``jaxdream zoom``; returns the exit code."""

import argparse
import os
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.curve_options import (
    NamedCurves,
    check_curves,
    curve_files,
    film_objective,
    named_curves,
)
from jaxdream.cli.exit_codes import INTERRUPTED
from jaxdream.cli.frames import (
    ZoomFolder,
    check_folder,
    locked,
    number_of_frames,
    say_what_is_there,
)
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.objective_options import check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.curves.names import zoom_curve_settings
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard
from jaxdream.images.animation import (
    check_animation_writable,
    repeating,
    write_animation,
)
from jaxdream.images.formats import ANIMATION_SUFFIXES
from jaxdream.images.picture_files import Picture
from jaxdream.images.seamless import make_seamless
from jaxdream.recipe import Recipe, provenance, recorded_frames
from jaxdream.settings import CLASSIC_ZOOM, Compute, SourceSettings, ZoomSettings


def zoom_picture(options: argparse.Namespace) -> int:
    zoom = read_settings(options, ZoomSettings, base=CLASSIC_ZOOM if options.classic else None)
    compute = read_settings(options, Compute)
    source = read_settings(options, SourceSettings)
    source.check_with(dream_settings(options))
    zoom.check_with(dream_settings(options))
    curves = check_curves(options, zoom_curve_settings(), Timeline(options.fps, zoom.frames))
    given = [] if options.input is None else [options.input]
    if options.loop is not None and options.ping_pong:
        raise JaxdreamError("--loop and --ping-pong are two ways to repeat: give one of them")
    if options.loop is not None and zoom.frames <= 2 * options.loop:
        raise JaxdreamError(
            f"--loop {options.loop} needs more than {2 * options.loop} frames, not {zoom.frames}: "
            "give a smaller number or more --frames"
        )
    guard = session.file_guard(options, given)
    (options.input,) = session.input_names(given, source)
    check_input_files(options, guard=guard, memory=compute.memory)
    for path in curve_files(curves, compute.memory):
        guard.add_read(path, what="a file of a curve")
    animation, folder = _targets(options, guard)
    picture = session.read_or_make(options.input, source, compute.memory)
    if animation is not None:
        check_animation_writable(animation, fps=options.fps, size=picture.pixels.shape[:2])
    check_objective(options)
    session.start_jax(options.device, compute.memory)
    model = session.load(options, compute)
    with locked(folder):
        return _zoom(options, zoom, compute, curves, picture, model, animation, folder)


def _zoom(
    options, zoom: ZoomSettings, compute: Compute, curves, picture, model, animation, folder
) -> int:
    from jaxdream.folder.worker import named_mask

    source = read_settings(options, SourceSettings)
    reading = model, source.guide_size, session.say
    curves = named_curves(curves, *reading)
    objective, named = film_objective(options, curves, *reading)
    masks, source, named = named_mask(source, named, session.say)
    seamless = dream_settings(options).seamless
    if source.make_tile and seamless is not None:
        picture = make_seamless(picture, seamless)
    mask = None if masks is None else masks.of(picture, options.input)
    height, width, _ = picture.pixels.shape
    recipe = Recipe(
        settings=dream_settings(options), source=source, size=(height, width),
        objective=named.text, files=named.files, input_name=Path(options.input).name,
        input_sha256=picture.sha256, provenance=provenance(model),
    )  # fmt: skip
    frames = _open(folder, zoom, recipe, curves, options)
    if frames.done == 0 and animation is not None and animation.exists():
        session.say(
            f"dreaming all {number_of_frames(zoom.frames)}: those of {animation} were not kept "
            "(--keep-frames keeps them)"
        )
    if picture.alpha is not None:
        session.say(f"{options.input}: its transparency is left out")
    name = (animation or folder).name
    interrupted = _make(
        frames, name, zoom, compute, model, objective, picture, mask, recipe, curves, options
    )
    return _finish(frames, options, zoom, animation, interrupted=interrupted)


def _targets(options: argparse.Namespace, guard: FileGuard) -> tuple[Path | None, Path]:
    """The animation that is asked for, if one is, and the folder of the frames; both checked."""
    path = session.output_path(options.output, session.beside(options.input, "_zoom.mp4"))
    if path.suffix.lower() in ANIMATION_SUFFIXES and not os.path.isdir(path):
        check_animation_writable(path, fps=options.fps)
        guard.add_write(path)
        folder = path.with_name(f"{path.name}.frames")
        check_folder(folder)
        return path, folder
    if path.suffix and not os.path.isdir(path) and not (options.output or "").endswith("/"):
        raise JaxdreamError(
            f"{path}: a zoom is written as {', '.join(ANIMATION_SUFFIXES)} or into a folder, not "
            f"as {path.suffix!r} (a folder of such a name: {path}/)"
        )
    if options.ping_pong or options.loop is not None:
        raise JaxdreamError("--ping-pong and --loop are for a film: write a .mp4, .webp or .gif")
    check_folder(path)
    # Whose files are there already, the folder itself finds out.
    guard.add_write_pattern(path, r"\d{4,}\.png|zoom\.(json|safetensors)", replace=True)
    return None, path


def _open(
    folder: Path,
    zoom: ZoomSettings,
    recipe: Recipe,
    curves: NamedCurves,
    options: argparse.Namespace,
) -> ZoomFolder:
    """The frames there are of the zoom that is asked for."""
    more = zoom.recorded_for_frames() | curves.recorded(options.fps)
    if curves.depends_on_count:
        more["frames"] = zoom.frames
    frames = ZoomFolder(folder, *recorded_frames(recipe, more), overwrite=options.overwrite)
    if frames.done >= zoom.frames:
        say_what_is_there(frames, recipe, "")
        session.say(f"{folder} has {number_of_frames(frames.done)} already: nothing to dream")
    else:
        going_on = f"going on after frame {frames.done} of {zoom.frames} in {folder}"
        say_what_is_there(frames, recipe, going_on)
    return frames


def _make(
    frames: ZoomFolder,
    name: str,
    zoom: ZoomSettings,
    compute: Compute,
    model,
    objective,
    picture: Picture,
    mask,
    recipe: Recipe,
    curves: NamedCurves,
    options: argparse.Namespace,
) -> bool:
    """Make the frames that are missing; whether it was interrupted on the way."""
    import jax

    from jaxdream.zooming import iterate_zoom

    def states(start, done: int):
        for state in iterate_zoom(
            jax.random.key(recipe.source.seed), model, start, objective, zoom_settings=zoom,
            settings=recipe.settings, compute=compute, frames_done=done, mask=mask,
            contrast=frames.contrast, curves=options.curves, fps=options.fps,
            first_image=picture.pixels, files=curves.files,
        ):  # fmt: skip
            run.show_state(state.dream, f"frame {state.frame + 1}/{zoom.frames} ", state.done)
            if state.is_finished:
                yield state

    with session.running(name) as run:
        if frames.damaged:
            for state in states(picture.pixels, 0):
                if state.frame + 1 in frames.damaged:
                    frames.restore(state.frame + 1, state.image)
                if not frames.damaged:
                    break
        start = picture.pixels if frames.last is None else frames.last
        for state in states(start, frames.done):
            frames.add(state.image, state.contrast)
    return run.interrupted


def _finish(
    frames: ZoomFolder,
    options: argparse.Namespace,
    zoom: ZoomSettings,
    animation: Path | None,
    *,
    interrupted: bool,
) -> int:
    """Make the animation of the frames there are, and say where everything is."""
    if frames.done == 0:
        session.say("interrupted before the first frame: nothing written")
        return INTERRUPTED
    count = min(frames.done, zoom.frames)
    # A run can be interrupted while a damaged frame is made again.
    shown = min(count, frames.shown)
    written = False
    if animation is not None and shown:
        if interrupted:
            session.say(
                f"interrupted: writing {animation} of the {number_of_frames(shown)} made so far"
            )
        try:
            paths = frames.paths()[:shown]
            film = repeating(paths, ping_pong=options.ping_pong, loop=options.loop)
            write_animation(animation, film, fps=options.fps, recipe=frames.to_json())
            written = True
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        which = "them" if shown == count else f"the first {shown}"
        also = f", and {animation} shows {which}" if written else ""
        again = "the same command without --overwrite" if options.overwrite else "the same command"
        session.say(
            f"interrupted: {count} of {zoom.frames} frames are in {frames.path}{also}; "
            f"{again} goes on from there"
        )
        return INTERRUPTED
    if animation is not None and not options.keep_frames and frames.done == count:
        frames.remove()
    session.report(f"wrote {animation or frames.path}: {number_of_frames(count)}")
    return 0
