"""``jaxdream video``; returns the exit code."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxdream.cli import session
from jaxdream.cli.curve_options import check_curves, curve_files, film_objective, named_curves
from jaxdream.cli.exit_codes import INTERRUPTED
from jaxdream.cli.frames import locked, number_of_frames, say_what_is_there
from jaxdream.cli.input_files import check_file, check_input_files
from jaxdream.cli.objective_options import check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.cli.video_engine import ThisMachine, VideoEngine
from jaxdream.cli.video_frames import VideoFolder
from jaxdream.cli.video_target import VideoTarget
from jaxdream.curves.curve import Curve
from jaxdream.curves.names import dream_curve_settings
from jaxdream.curves.times import Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard
from jaxdream.files.reading import file_hash
from jaxdream.recipe import Recipe, recorded_frames
from jaxdream.settings import (
    VIDEO_LONGEST,
    ClipSettings,
    Compute,
    DreamSettings,
    SourceSettings,
    VideoSettings,
)
from jaxdream.types import Size
from jaxdream.video.flow import flow_library
from jaxdream.video.masks import VideoMasks
from jaxdream.video.opening import MAX_VIDEO_BYTES, VideoInfo
from jaxdream.video.reading import open_video
from jaxdream.video.source import ClipSource, size_to_dream

if TYPE_CHECKING:
    from jaxdream.video.dreamer import Dreamer

_PREVIEW_EVERY, _PREVIEW_LONGEST = 10, 320


class Asked(NamedTuple):
    """The settings that the options ask for."""

    dream: DreamSettings
    video: VideoSettings
    clip: ClipSettings
    source: SourceSettings
    compute: Compute

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Asked":
        clip = read_settings(options, ClipSettings)
        if options.preview:
            clip = clip.replace(every=_PREVIEW_EVERY * clip.every)
        asked = cls(
            dream_settings(options), read_settings(options, VideoSettings), clip,
            read_settings(options, SourceSettings), read_settings(options, Compute),
        )  # fmt: skip
        asked.source.check_with(asked.dream)
        asked.video.check_with(asked.dream)
        if options.preview and asked.video.cut_frames():
            raise JaxdreamError("--preview has other frames than --cuts names: leave out one")
        return asked


def dream_video(options: argparse.Namespace) -> int:
    asked = Asked.of(options)
    check_objective(options)
    if options.cluster is not None:
        from jaxdream.cli.video_cluster import check_options

        check_options(options)
    guard = session.file_guard(options, [options.input])
    check_file(options.input)
    # A mask may be a folder here.
    check_input_files(options, guard=guard, memory=asked.compute.memory, without=["mask"])
    flow_library()
    target = VideoTarget.asked(options, guard)
    with open_video(options.input, notify=session.say) as reader:
        size = _size(reader.info, asked.source, preview=options.preview)
        masks = VideoMasks.asked(asked.source, size, session.say)
        for mask in masks.files if masks else ():
            guard.add_read(mask, what="the mask")
        source = ClipSource(reader, asked.clip, size, masks)
        target.check(source)
        if masks is not None and masks.one_for_each:
            if options.preview:
                raise JaxdreamError("--preview takes some frames only, and no folder of masks")
            masks.check_count(source.count)
        return _dream(options, asked, source, target, guard)


def _size(info: VideoInfo, source: SourceSettings, *, preview: bool) -> Size:
    """Height and width to dream at."""
    longest = _PREVIEW_LONGEST if preview else VIDEO_LONGEST
    return size_to_dream(info.size, source.size, longest=longest)


def _dream(
    options: argparse.Namespace,
    asked: Asked,
    source: ClipSource,
    target: VideoTarget,
    guard: FileGuard,
) -> int:
    first = source.first()
    timeline, curves = _curves(options, asked, source, guard)
    input_sha256 = file_hash(options.input, "sha256", limit=MAX_VIDEO_BYTES)
    model = _network(options, asked.compute)
    from jaxdream.video.dreaming import plan_video

    named = named_curves(curves, model, asked.source.guide_size, session.say)
    objective, text = film_objective(options, named, model, asked.source.guide_size, session.say)
    dreamer = plan_video(
        asked.source.seed, model, objective, video_settings=asked.video, settings=asked.dream,
        compute=asked.compute if options.cluster is None else asked.compute.replace(shard=None),
        timeline=timeline, curves=options.curves, first_image=first.pixels, files=named.files,
    )  # fmt: skip
    if options.plan:
        from jaxdream.cli.video_plan import print_plan

        return print_plan(source, asked, dreamer)
    more = asked.video.recorded_with(asked.clip) | named.recorded(timeline.fps)
    if source.masks is not None:
        more["mask_sha256"] = source.masks.sha256
    if named.depends_on_count:
        more["frames"] = timeline.frames
    with _engine(options, asked, dreamer) as engine:
        recipe = Recipe(
            settings=asked.dream, source=_recorded(asked.source), size=source.size,
            objective=text.text, files=text.files, input_name=Path(options.input).name,
            input_sha256=input_sha256, provenance=engine.made_with,
        )  # fmt: skip
        with locked(target.folder):
            frames = VideoFolder(
                target.folder, *recorded_frames(recipe, more), overwrite=options.overwrite
            )
            whole_film = _say_what_is_there(frames, recipe, target)
            interrupted = _make(frames, target.path.name, source, engine, first.time)
            replace = not (interrupted and whole_film)
            return _finish(
                frames, options, source, target, interrupted=interrupted, replace=replace
            )


def _network(options: argparse.Namespace, compute: Compute):
    """The network, with JAX started for what this process computes."""
    if options.cluster is not None:
        from jaxdream.cli.cluster import load_for_workers

        return load_for_workers(options, compute)
    session.start_jax(options.device, compute.memory)
    return session.load(options, compute)


@contextmanager
def _engine(options: argparse.Namespace, asked: Asked, dreamer: "Dreamer") -> Iterator[VideoEngine]:
    """What dreams the frames: this machine, or a cluster."""
    if options.cluster is None:
        yield ThisMachine(dreamer)
        return
    from jaxdream.cli.video_cluster import joined_cluster

    with joined_cluster(options, asked.source, asked.compute, dreamer) as cluster:
        yield cluster


def _curves(
    options: argparse.Namespace, asked: Asked, source: ClipSource, guard: FileGuard
) -> tuple[Timeline, dict[str, Curve]]:
    """The film's timeline, and the curves over it, checked with the files they name."""
    timeline = Timeline(float(source.fps), _count(options, source))
    curves = check_curves(options, dream_curve_settings(), timeline)
    if timeline.frames is None and source.expected is not None:
        # What an expression is at the end should not be found out there.
        for curve in curves.values():
            curve.check(Timeline(timeline.fps, source.expected))
    for path in curve_files(curves, asked.compute.memory):
        guard.add_read(path, what="a file of a curve")
    return timeline, curves


def _count(options: argparse.Namespace, source: ClipSource) -> int | None:
    """How many frames there are, where a curve has shares of them; then they are counted."""
    if not any("%" in text for text in options.curves):
        return None
    return source.count


def _say_what_is_there(frames: VideoFolder, recipe: Recipe, target: VideoTarget) -> bool:
    """Tell of earlier runs; whether a whole film is there, which was not stopped.

    A part of the same film must not replace that.
    """
    going_on = f"going on after {number_of_frames(frames.done)} in {target.folder}"
    say_what_is_there(frames, recipe, going_on)
    whole_film = not frames.done and target.path != target.folder and target.path.exists()
    if whole_film:
        session.say(
            f"dreaming all frames: those of {target.path} were not kept (--keep-frames keeps them)"
        )
    return whole_film


def _recorded(source: SourceSettings) -> SourceSettings:
    """The settings as they are recorded: without the folders of files."""
    return source if source.mask is None else source.replace(mask=Path(source.mask).name)


def _make(
    frames: VideoFolder, name: str, source: ClipSource, engine: VideoEngine, begin: Fraction
) -> bool:
    """Make the frames that are missing; whether it was interrupted on the way."""
    with session.running(name) as run:
        engine.make(frames, source, begin, run.show)
    return run.interrupted


def _finish(
    frames: VideoFolder,
    options: argparse.Namespace,
    source: ClipSource,
    target: VideoTarget,
    *,
    interrupted: bool,
    replace: bool,
) -> int:
    """Write the film of the frames there are, and say where everything is.

    Args:
        replace: whether a film that is there may be replaced.
    """
    if frames.done == 0:
        session.say("interrupted before the first frame: nothing written")
        return INTERRUPTED
    is_folder = target.path == target.folder
    count, shown, written = number_of_frames(frames.done), len(frames.playable), False
    if not is_folder and shown and replace:
        if interrupted:
            session.say(f"interrupted: writing {target.path} of the frames made so far")
        try:
            target.write(frames, source, whole=not interrupted)
            written = True
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        which = "them" if shown == frames.done else f"the first {shown}"
        also = f", and {target.path} shows {which}" if written else ""
        again = "the same command without --overwrite" if options.overwrite else "the same command"
        session.say(
            f"interrupted: {count} of the video are in {frames.path}{also}; {again} goes on from "
            "there"
        )
        return INTERRUPTED
    made = sum(map(source.has, frames.finished))
    if not is_folder and not options.keep_frames and made == frames.done:
        frames.remove()
    session.report(f"wrote {target.path}: {number_of_frames(made)}")
    return 0
