"""A visitor's order for a zoom: checked, and then made by ``iterate_zoom``."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.images.animation import check_animation_writable, repeating, write_animation
from jaxdream.recipe import film_json, recorded_frames
from jaxdream.settings import FADED, LOOP, PING_PONG, ZoomFilmSettings, ZoomSettings
from jaxdream.web.as_python import zoom_python
from jaxdream.web.as_text import zoom_command
from jaxdream.web.context import Context
from jaxdream.web.dreams import Order, Prepared, Subject, shown, subject, where
from jaxdream.web.films import KeptFrames, called, count_text, kept_frames
from jaxdream.web.jobs import Progress
from jaxdream.web.visitors import Result, Visitor
from jaxdream.zooming import ZoomState, iterate_zoom


def prepare_zoom(
    context: Context, visitor: Visitor, order: Order, zoom: ZoomSettings, film: ZoomFilmSettings
) -> Prepared:
    """Check an order for a zoom; what makes it is run later.

    Raises:
        JaxdreamError: as ``subject``, more frames than are allowed, too few for a loop, or a film
            that cannot be written.
    """
    context.check_frames(zoom.frames)
    zoom.check_with(order.settings)
    repeat = _repeat(film, zoom.frames)
    dreamed = subject(context, visitor, order)
    path = visitor.new_path(f"{Path(dreamed.name).stem}_zoom.mp4")
    with called(path, path.name):
        check_animation_writable(path, fps=film.fps, size=dreamed.size)

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        last = Progress("preparing", 0.0)
        with called(path, path.name), kept_frames(path) as frames:
            for last in _frames(context, dreamed, zoom, film, frames):
                yield last
                if stopped():
                    break
            if not frames.paths:
                yield Progress("stopped before the first frame was finished", last.done, last.shown)
                return
            yield Progress("writing the film", last.done, last.shown)
            recorded = recorded_frames(dreamed.recipe, zoom.recorded_for_frames())
            write_animation(
                path, repeating(frames.paths, **repeat), fps=film.fps,
                recipe=film_json("zoom", *recorded),
            )  # fmt: skip
            made = len(frames.paths)
        result = _result(path, made, dreamed, zoom, film, repeat)
        visitor.keep(result)
        text = "finished" if made == zoom.frames else "stopped"
        yield Progress(text, last.done, last.shown, result)

    return Prepared(run, zoom.frames * dreamed.cost)


def _frames(
    context: Context, dreamed: Subject, zoom: ZoomSettings, film: ZoomFilmSettings, kept: KeptFrames
) -> Iterator[Progress]:
    """Dream the frames, and keep each when it is finished."""
    recipe, pixels, picture = dreamed.recipe, dreamed.picture.pixels, None
    states = iterate_zoom(
        recipe.source.seed, dreamed.model, pixels, dreamed.objective, zoom_settings=zoom,
        settings=recipe.settings, compute=context.compute, mask=dreamed.mask, fps=film.fps,
    )  # fmt: skip
    for state in states:
        if state.is_finished:
            kept.add(state.image)
        if _has_full_size(state):
            picture = shown(state.dream.at_octave)
        elif state.frame == 0:
            picture = shown(state.dream.at_full_size(pixels))
        frame = f"frame {state.frame + 1} of {state.frames}"
        yield Progress(f"{frame}, {where(state.dream)}", state.done, picture)


def _has_full_size(state: ZoomState) -> bool:
    """Whether a frame is in its last octave. Before, it would look blurred after the last frame."""
    return state.dream.octave == state.dream.octaves - 1


def _repeat(film: ZoomFilmSettings, frames: int) -> dict[str, Any]:
    """How a film of so many frames repeats, as ``repeating`` and ``zoom_command`` take it.

    Raises:
        JaxdreamError: there are too few frames for that.
    """
    if film.repeat == PING_PONG:
        return {"ping_pong": True}
    if film.repeat != FADED:
        return {}
    if frames < 3:
        raise JaxdreamError(f"a faded loop needs at least 3 frames, not {frames}")
    return {"loop": min(LOOP, (frames - 1) // 2)}


def _result(
    path: Path, made: int, dreamed: Subject, zoom: ZoomSettings, film: ZoomFilmSettings,
    repeat: dict[str, Any],
) -> Result:  # fmt: skip
    recipe, (height, width) = dreamed.recipe, dreamed.size
    count = count_text(made, zoom.frames)
    caption = f"{recipe.objective}, {width}x{height}, {count}, seed {recipe.source.seed}"
    words = dreamed.name, recipe.objective, recipe.settings, dreamed.source
    named = {"model": dreamed.model.name, "output": path.name, "zoom": zoom, "fps": film.fps}
    return Result(
        path, caption, zoom_command(*words, **named, **repeat),
        zoom_python(*words, **named, **repeat), mask=dreamed.mask_path,
    )  # fmt: skip
