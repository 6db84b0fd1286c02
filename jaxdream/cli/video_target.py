"""Where ``jaxdream video`` writes to: a film with sound, an animation or a folder of frames."""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.frames import check_folder
from jaxdream.cli.video_frames import VideoFolder
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard
from jaxdream.images.animation import check_animation_writable, write_animation
from jaxdream.images.formats import ANIMATION_SUFFIXES
from jaxdream.types import Size
from jaxdream.video.clip_film import write_clip
from jaxdream.video.codecs import DEFAULT_CODEC, VIDEO_SUFFIXES, check_video_writable
from jaxdream.video.sound import other_sound
from jaxdream.video.source import ClipSource

_ANIMATIONS = tuple(suffix for suffix in ANIMATION_SUFFIXES if suffix not in VIDEO_SUFFIXES)


@dataclass(frozen=True)
class VideoTarget:
    """What is written, and where the frames are kept until then."""

    path: Path
    folder: Path  # of the frames; the same as ``path`` where that is a folder
    codec: str
    crf: int | None
    sound: str | None  # a file whose sound is taken
    silent: bool

    @classmethod
    def asked(cls, options: argparse.Namespace, guard: FileGuard) -> "VideoTarget":
        """What the options ask for, checked.

        Raises:
            JaxdreamError: it cannot be written.
        """
        ending = "_preview.mp4" if options.preview else "_dream.mp4"
        path = session.output_path(options.output, session.beside(options.input, ending))
        suffix = path.suffix.lower()
        as_folder = os.path.isdir(path) or (options.output or "").endswith("/")
        folder = path if as_folder else path.with_name(f"{path.name}.frames")
        codec = options.codec or DEFAULT_CODEC
        target = cls(path, folder, codec, options.crf, options.sound, options.no_sound)
        if options.sound is not None and options.no_sound:
            raise JaxdreamError("--sound and --no-sound contradict each other: give one of them")
        if target.is_film:
            check_video_writable(path, codec=codec, crf=options.crf)
        else:
            target._check_no_film(options)
        if target.is_film or target.is_animation:
            check_folder(folder)
            guard.add_write(path)
        else:
            target = replace(target, folder=path)
            if path.suffix and not as_folder:
                known = ", ".join((*VIDEO_SUFFIXES, *_ANIMATIONS))
                raise JaxdreamError(
                    f"{path}: a video is written as {known} or into a folder, not as {suffix!r} "
                    f"(a folder of such a name: {path}/)"
                )
            check_folder(path)
            names = r"\d{4,}\.png|video\.(json|safetensors)"
            guard.add_write_pattern(path, names, replace=True)
        if options.sound is not None:
            guard.add_read(options.sound, what="the sound")
            other_sound(options.sound)
        return target

    def _check_no_film(self, options: argparse.Namespace) -> None:
        given = {
            "--codec": options.codec is not None,
            "--crf": options.crf is not None,
            "--sound": options.sound is not None,
        }
        for option in (name for name, is_given in given.items() if is_given):
            raise JaxdreamError(f"{option} is for a film: write a {', '.join(VIDEO_SUFFIXES)}")

    @property
    def is_film(self) -> bool:
        return self.path.suffix.lower() in VIDEO_SUFFIXES and self.path != self.folder

    @property
    def is_animation(self) -> bool:
        return self.path.suffix.lower() in _ANIMATIONS and self.path != self.folder

    def check(self, source: ClipSource) -> None:
        """Make sure that these frames can be written, before hours of computing.

        Raises:
            JaxdreamError: they cannot.
        """
        size: Size = source.size
        if self.is_film:
            check_video_writable(self.path, codec=self.codec, crf=self.crf, size=size)
        elif self.is_animation:
            check_animation_writable(self.path, fps=float(source.fps), size=size)

    def write(self, frames: VideoFolder, source: ClipSource, *, whole: bool) -> None:
        """Write the film of the frames that can be shown, of which there is at least one.

        Args:
            whole: whether these are all frames of the clip.

        Raises:
            JaxdreamError: it cannot be written.
        """
        places = list(filter(source.has, frames.playable))
        paths = frames.paths()[: len(places)]
        if self.is_animation:
            recipe = frames.to_json()
            write_animation(self.path, paths, fps=float(source.fps), recipe=recipe)
        elif self.is_film:
            write_clip(
                self.path, paths, [place.time for place in places], source, whole=whole,
                codec=self.codec, crf=self.crf, recipe=frames.to_json(), silent=self.silent,
                sound=None if self.sound is None else other_sound(self.sound), notify=session.say,
            )  # fmt: skip
