"""A visitor's order for a video: checked, and then made with the objects of ``jaxdream video``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from jaxdream.algorithm.octaves import octave_options, octave_sizes, plan_octaves
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.recipe import Recipe, film_json, provenance, recorded_frames
from jaxdream.settings import ClipSettings, DreamSettings, SourceSettings, VideoSettings
from jaxdream.types import Size
from jaxdream.video.clip_film import write_clip
from jaxdream.video.clips import ClipFrame, Scene, split_scenes
from jaxdream.video.codecs import check_video_writable
from jaxdream.video.cuts import CutFinder
from jaxdream.video.dreamer import Dreamer
from jaxdream.video.dreaming import plan_video
from jaxdream.video.flow import flow_library
from jaxdream.video.opening import MAX_VIDEO_BYTES
from jaxdream.video.reading import VideoReader, open_video
from jaxdream.video.source import ClipSource
from jaxdream.web.as_python import video_python
from jaxdream.web.as_text import video_command
from jaxdream.web.context import MAX_UPLOAD_MEGAPIXELS, VIDEO_LONGEST, Context
from jaxdream.web.dreams import Prepared, read_objective, shown
from jaxdream.web.films import KeptFrames, by_name, called, count_text, kept_frames
from jaxdream.web.jobs import Progress
from jaxdream.web.uploads import Upload
from jaxdream.web.visitors import Result, Visitor

_FEW = 3  # frames that are shown before the video is dreamed

Notify = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class VideoOrder:
    """What a visitor asks for."""

    upload: Upload | None
    objective: str  # a layer's name, or any objective as text
    settings: DreamSettings
    source: SourceSettings  # of which the seed and the sizes are used
    video: VideoSettings
    clip: ClipSettings
    guide: Upload | None = None


@dataclass(frozen=True)
class _Asked:
    """An order that was checked."""

    context: Context
    upload: Upload
    video: VideoSettings
    clip: ClipSettings
    source: SourceSettings  # with the size's text
    size: Size  # height and width to dream at
    expected: int  # frames, more or less
    model: Network
    objective: Objective
    recipe: Recipe

    @contextmanager
    def opened(self, notify: Notify | None = None) -> Iterator[ClipSource]:
        """The clip, to be read."""
        with _opened(self.upload, notify) as reader:
            yield ClipSource(reader, self.clip, self.size)

    def dreamer(self, source: ClipSource) -> Dreamer:
        """What dreams its frames."""
        return plan_video(
            self.source.seed, self.model, self.objective, video_settings=self.video,
            settings=self.recipe.settings, compute=self.context.compute,
            timeline=Timeline(float(source.fps)),
        )  # fmt: skip

    def cost(self, *, stills: int, others: int = 0) -> int:
        """Pixels times steps of so many frames of each kind."""
        settings = self.recipe.settings
        sizes = octave_sizes(self.model, self.objective, self.size, settings)
        steps = stills * settings.steps + others * self.video.steps_of(settings)
        return steps * sum(height * width for height, width in sizes)


def look_at_video(upload: Upload) -> str:
    """What a video is, in a line.

    Raises:
        JaxdreamError: it is no video that can be read.
    """
    with _opened(upload) as reader:
        info = reader.info
    height, width = info.size
    facts = [f"{width}x{height} pixels", f"{float(info.fps):.4g} frames a second"]
    if info.seconds is not None:
        facts.append(f"{float(info.seconds):.4g} seconds")
    if info.frames is not None:
        facts.append(f"{info.frames:,} frames")
    facts.append("with sound" if info.sounds else "without sound")
    return f"{upload.name}: {', '.join(facts)}"


def prepare_few(context: Context, order: VideoOrder) -> Prepared:
    """Check an order; what is run later dreams a few frames of the clip, and keeps no film.

    Raises:
        JaxdreamError: as ``prepare_video``.
    """
    asked = _check(context, order)
    count = min(_FEW, asked.expected)

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        last = Progress("preparing", 0.0)
        pictures: list[np.ndarray] = []
        labels: list[str] = []
        with asked.opened() as source:
            # Each is a scene of its own, as the first frame of the video is.
            scenes = (Scene([frame]) for frame in _spread(source, count))
            for made, state in enumerate(asked.dreamer(source).dream(scenes), 1):
                pictures.append(state.image)
                labels.append(f"second {float(state.seconds or 0):.2f}")
                sheet = shown(contact_sheet(pictures, labels))
                last = Progress(f"frame {made} of {count}", made / count, sheet)
                yield last
                if stopped():
                    break
        told = f"{count_text(len(pictures), count)} of {asked.upload.name}, each dreamed by itself"
        yield replace(last, text=told)

    return Prepared(run, asked.cost(stills=count))


def prepare_video(context: Context, visitor: Visitor, order: VideoOrder) -> Prepared:
    """Check an order for a film; what makes it is run later.

    Raises:
        JaxdreamError: no video, or one that cannot be read; a bad objective, guide or setting; more
            than is allowed; or an extra of jaxdream is not installed.
    """
    asked = _check(context, order)
    path = visitor.new_path(f"{Path(asked.upload.name).stem}_dream.mp4")
    with called(path, path.name):
        check_video_writable(path, size=asked.size)

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        last, whole = Progress("preparing", 0.0), True
        notes: list[str] = []
        times: list[Fraction] = []
        with (
            called(path, path.name), kept_frames(path) as frames,
            asked.opened(notes.append) as source,
        ):  # fmt: skip
            for last in _frames(asked, source, frames, times):
                yield last
                if stopped():
                    whole = False
                    break
            yield Progress("writing the film", last.done, last.shown)
            recorded = recorded_frames(asked.recipe, asked.video.recorded_with(asked.clip))
            write_clip(
                path, frames.paths, times, source, whole=whole,
                recipe=film_json("video", *recorded), notify=notes.append,
            )  # fmt: skip
        result = _result(path, asked, count_text(len(times), None if whole else asked.expected))
        visitor.keep(result)
        told = ", ".join(["finished" if whole else "stopped", *dict.fromkeys(notes)])
        yield Progress(told, last.done, last.shown, result)

    return Prepared(run, asked.cost(stills=1, others=asked.expected - 1))


def _check(context: Context, order: VideoOrder) -> _Asked:
    upload, settings, clip = order.upload, order.settings, order.clip
    if upload is None:
        raise JaxdreamError("give a video first")
    flow_library()
    order.video.check_with(settings)
    with _opened(upload) as reader:
        own = reader.info.size
        source = order.source.replace(size=order.source.size or str(min(VIDEO_LONGEST, max(own))))
        size = context.size(source.size, own)
        if ClipSource(reader, clip, size).expected is None:  # only reading it all would tell
            clip = clip.replace(max_frames=context.limits.frames)
        read = ClipSource(reader, clip, size)
        read.first()
    expected = read.expected or 1
    context.check_frames(expected)
    model = context.model()
    objective, text, named = read_objective(model, order.objective, order.guide, source.guide_size)
    context.check_steps(settings.steps * len(plan_octaves(size, **octave_options(settings))))
    octave_sizes(model, objective, size, settings)  # which checks that the layer fits
    recipe = Recipe(
        settings=settings, source=source, size=size, objective=text, files=named,
        input_name=upload.name, provenance=provenance(model),
        input_sha256=file_hash(upload.path, "sha256", limit=MAX_VIDEO_BYTES),
    )  # fmt: skip
    return _Asked(
        context, upload, order.video, clip, source, size, expected, model, objective, recipe
    )


@contextmanager
def _opened(upload: Upload, notify: Notify | None = None) -> Iterator[VideoReader]:
    """An uploaded video; it has the visitor's name for it in errors and what ``notify`` is told."""

    def tell(line: str) -> None:
        if notify is not None:
            notify(by_name(line, upload.path, upload.name))

    with called(upload.path, upload.name), open_video(upload.path, notify=tell) as reader:
        height, width = reader.info.size
        if height * width > MAX_UPLOAD_MEGAPIXELS * 10**6:
            raise JaxdreamError(
                f"{upload.name} has {width}x{height} pixels, over the {MAX_UPLOAD_MEGAPIXELS} "
                "megapixels allowed here: make it smaller first"
            )
        yield reader


def _frames(
    asked: _Asked, source: ClipSource, kept: KeptFrames, times: list[Fraction]
) -> Iterator[Progress]:
    """Dream the frames of a clip, and keep each with its time, in seconds of the video."""
    begin = source.first().time
    # A file may hold more frames than it says.
    frames = source.frames(begin, end=asked.context.limits.frames)
    scenes = split_scenes(frames, CutFinder(asked.video))
    for made, state in enumerate(asked.dreamer(source).dream(scenes), 1):
        kept.add(state.image)
        times.append(begin + (state.seconds or 0))
        expected = max(asked.expected, made)
        yield Progress(f"frame {made} of {expected}", made / expected, shown(state.image))


def _spread(source: ClipSource, count: int) -> Iterator[ClipFrame]:
    """The frames in the middle of so many equal parts of a clip."""
    begin, length = Fraction(str(source.clip.start)), (source.expected or 1) / source.fps
    for number in range(count):
        start = float(begin + length * (2 * number + 1) / (2 * count))
        frame = replace(source, clip=ClipSettings(start=start, max_frames=1)).first()
        yield ClipFrame(number, frame.pixels, frame.time)


def _result(path: Path, asked: _Asked, count: str) -> Result:
    recipe, (height, width) = asked.recipe, asked.size
    caption = f"{recipe.objective}, {width}x{height}, {count}, seed {recipe.source.seed}"
    words = asked.upload.name, recipe.objective, recipe.settings, asked.source
    named = {
        "model": asked.model.name, "output": path.name, "video": asked.video, "clip": asked.clip
    }  # fmt: skip
    return Result(path, caption, video_command(*words, **named), video_python(*words, **named))
