"""The film of a clip: its dreamed frames at their own times, and the sound beside them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from jaxdream.files.reading import PathLike
from jaxdream.video.codecs import DEFAULT_CODEC
from jaxdream.video.sound import Sound, own_sound
from jaxdream.video.source import ClipSource
from jaxdream.video.writing import write_video


def write_clip(
    path: PathLike,
    frames: Sequence[PathLike],
    times: Sequence[Fraction],
    source: ClipSource,
    *,
    whole: bool,
    codec: str = DEFAULT_CODEC,
    crf: int | None = None,
    recipe: str | None = None,
    sound: Sound | None = None,
    silent: bool = False,
    notify: Callable[[str], None] | None = None,
) -> None:
    """Write the film of the first frames of a clip; the file is there whole or not at all.

    Args:
        path: a .mp4, .mov, .mkv or .m4v.
        frames: picture files, at least one.
        times: of each frame, in seconds from the video's first.
        source: the clip.
        whole: whether these are all frames of the clip.
        codec: as of ``write_video``, like ``crf``, ``recipe`` and ``notify``.
        sound: instead of the video's own.
        silent: whether there is no sound at all.

    Raises:
        JaxdreamError: as ``write_video``.
    """
    begin, last, info = times[0], times[-1], source.reader.info
    to_the_end = whole and source.clip.max_frames is None
    with_the_rest = to_the_end and source.clip.end is None  # as far as the sound goes on
    end = source.end(after=last) if to_the_end else last + 1 / source.fps
    if sound is None and not silent:
        sound = own_sound(info, start=begin, end=None if with_the_rest else end)
    write_video(
        path, ((frame, time - begin) for frame, time in zip(frames, times, strict=True)),
        like=replace(info, fps=source.fps), codec=codec, crf=crf,
        end=None if end is None else end - begin, recipe=recipe,
        sound=None if silent else sound, notify=notify,
    )  # fmt: skip
