"""``jaxdream zoom``; returns the exit code."""

import argparse
import dataclasses
import math
import os
import warnings
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.dream import asked_objective, asked_recipe
from jaxdream.cli.frames import FrameFolder, check_folder
from jaxdream.cli.main import INTERRUPTED
from jaxdream.errors import JaxdreamError
from jaxdream.images.animation import check_animation_writable, write_animation
from jaxdream.images.formats import ANIMATION_SUFFIXES
from jaxdream.images.picture_files import Picture
from jaxdream.recipe import Recipe, dream_settings

# Of a recipe, what makes no difference to the frames but for rounding.
_MADE_WITH = ("jaxdream", "input_name", "jax", "platform")


def zoom_picture(options: argparse.Namespace) -> int:
    from jaxdream.zooming import plan_zoom

    animation, folder = _targets(options)
    picture = session.read(options.input, options.size)
    if animation is not None:
        check_animation_writable(animation, fps=options.fps, size=picture.pixels.shape[:2])
    plan_zoom(options.frames, **_movement(options))
    session.start_jax(options.device)
    model = session.load(options.model, options.weights, options.precision)
    objective, named = asked_objective(options, model)
    recipe = asked_recipe(options, model, options.input, picture, **named)
    frames = _open(folder, options, recipe)
    if picture.alpha is not None:
        session.say(f"{options.input}: its transparency is left out")
    interrupted = not _make(frames, options, model, objective, picture, recipe)
    return _finish(frames, options, animation, interrupted=interrupted)


def _targets(options: argparse.Namespace) -> tuple[Path | None, Path]:
    """The animation that is asked for, if one is, and the folder of the frames; both checked."""
    output = options.output or str(Path(options.input).with_name(_default_name(options.input)))
    path = Path(output)
    if path.suffix.lower() in ANIMATION_SUFFIXES and not os.path.isdir(path):
        check_animation_writable(path, fps=options.fps)
        session.check_not_input(path, [options.input])
        folder = path.with_name(f"{path.name}.frames")
        check_folder(folder)
        return path, folder
    if path.suffix and not os.path.isdir(path) and not output.endswith("/"):
        raise JaxdreamError(
            f"{path}: a zoom is written as {', '.join(ANIMATION_SUFFIXES)} or into a folder, not "
            f"as {path.suffix!r} (a folder of such a name: {path}/)"
        )
    if not (math.isfinite(options.fps) and options.fps > 0):
        raise JaxdreamError(f"frames a second must be over 0, not {options.fps}")
    check_folder(path)
    return None, path


def _default_name(path: str) -> str:
    return f"{Path(path).stem}_zoom.mp4"


def _movement(options: argparse.Namespace) -> dict:
    return {
        "zoom": options.zoom,
        "rotate": options.rotate,
        "shift": tuple(options.shift),
        "easing": options.easing,
    }


def _open(folder: Path, options: argparse.Namespace, recipe: Recipe) -> FrameFolder:
    """The frames there are of the zoom that is asked for."""
    settings = dataclasses.asdict(recipe)
    made_with = {name: settings.pop(name) for name in _MADE_WITH}
    settings |= _movement(options) | {"classic_warp": options.classic_warp}
    if options.easing != "linear":
        settings["frames"] = options.frames  # which the movement of every frame depends on
    frames = FrameFolder(folder, settings, made_with)
    if frames.done >= options.frames:
        session.say(f"{folder} has {_number(frames.done)} already: nothing to dream")
    elif frames.done > 0:
        session.say(f"going on after frame {frames.done} of {options.frames} in {folder}")
        if any(frames.begun_with.get(name) != made_with[name] for name in ("jax", "platform")):
            begun = " on ".join(str(frames.begun_with.get(name)) for name in ("jax", "platform"))
            session.say(
                f"they were begun with jax {ascii(begun[:60])[1:-1]}: the same but for rounding"
            )
    return frames


def _make(
    frames: FrameFolder,
    options: argparse.Namespace,
    model,
    objective,
    picture: Picture,
    recipe: Recipe,
) -> bool:
    """Make the frames that are missing; False if interrupted on the way."""
    import jax

    from jaxdream.zooming import iterate_zoom

    name = Path(options.output or _default_name(options.input)).name
    with (
        warnings.catch_warnings(record=True) as said,
        session.progress(name, frames=options.frames) as show,
    ):
        warnings.simplefilter("always")
        made = iterate_zoom(
            jax.random.key(recipe.seed),
            model,
            picture.pixels if frames.last is None else frames.last,
            frames=options.frames,
            classic_warp=options.classic_warp,
            done=frames.done,
            watch=lambda frame, state: show(state, said, frame),
            objective=objective,
            **_movement(options),
            **dream_settings(recipe),
        )
        try:
            for frame in made:
                frames.add(frame)
        except KeyboardInterrupt:
            return False
    return True


def _finish(
    frames: FrameFolder, options: argparse.Namespace, animation: Path | None, *, interrupted: bool
) -> int:
    """Make the animation of the frames there are, and say what is where."""
    if frames.done == 0:
        session.say("interrupted before the first frame: nothing written")
        return INTERRUPTED
    count = min(frames.done, options.frames)
    written = False
    if animation is not None:
        if interrupted:
            session.say(f"interrupted: writing {animation} of the {_number(count)} made so far")
        try:
            paths = frames.paths(count)
            write_animation(animation, paths, fps=options.fps, recipe=frames.to_json())
            written = True
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        shown = f", and {animation} shows them" if written else ""
        session.say(
            f"interrupted: {count} of {options.frames} frames are in {frames.path}{shown}; "
            "the same command goes on from there"
        )
        return INTERRUPTED
    if animation is not None and not options.keep_frames and frames.done == count:
        frames.remove()
    print(f"wrote {animation or frames.path}: {_number(count)}", flush=True)
    return 0


def _number(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
