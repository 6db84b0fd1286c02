"""Frames of a dream on its way: a folder of pictures, or an animation of them."""

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard
from jaxdream.files.writing import (
    make_folder,
    remove_temporaries,
    remove_tree,
    temporary_name,
)
from jaxdream.images import picture_files

if TYPE_CHECKING:
    from jaxdream.dream_state import DreamState
    from jaxdream.folder.worker import Loaded

_DIGITS = 5
FPS = 10
_MARK = picture_files.mark("preview")


@dataclass
class Previews:
    """Numbered pictures of the states of dreams, and an animation of them at the end.

    To be used in a ``with`` block, at whose end the animation is made.
    """

    folder: Path | None  # None: one of its own, until the animation is made
    animation: Path | None
    every: str  # step or octave
    scaled: bool
    _temporary: Path | None = None
    _paths: dict[str, list[Path]] = field(default_factory=dict)  # by output

    @classmethod
    def asked(
        cls, options: argparse.Namespace, outputs: list[Path], guard: FileGuard
    ) -> "Previews | None":
        """What the options ask for, if anything, checked before anything is computed.

        Raises:
            JaxdreamError: the frames cannot be written, or would replace files.
        """
        if options.gif is None and options.preview is None:
            return None
        if options.gif is not None:
            from jaxdream.images.animation import check_animation_writable

            if len(outputs) > 1:
                raise JaxdreamError("--gif is for one picture: use --preview for several")
            check_animation_writable(options.gif)
            guard.add_write(options.gif)
            remove_temporaries([options.gif])
        folder = None
        if options.preview is not None:
            folder = Path(options.preview)
            session.check_folder(folder)
            for output in outputs:
                pattern = rf"{re.escape(output.stem)}_\d{{{_DIGITS}}}\.png"
                guard.add_write_pattern(folder, pattern, replace=options.overwrite)
        animation = Path(options.gif) if options.gif is not None else None
        scaled = not getattr(options, "clip", True)
        return cls(folder, animation, options.preview_every, scaled)

    def add(self, state: "DreamState", pictures: Iterable[tuple["Loaded", object]]) -> None:
        """A frame of each picture (RGB, 0..255, at full size), if one is due."""
        from jaxdream.display import to_uint8

        if self.every == "octave" and state.step < state.steps:
            return
        for loaded, picture in pictures:
            paths = self._paths.setdefault(loaded.file.output, [])
            name = _name(Path(loaded.file.output).stem, len(paths) + 1)
            path = self._frames() / name
            shown = to_uint8(picture, scaled=self.scaled)  # pyright: ignore[reportArgumentType]
            picture_files.write_image(path, shown, recipe=_MARK)
            paths.append(path)

    def __enter__(self) -> "Previews":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Make the animation of the frames there are, also when the dream was interrupted."""
        try:
            if kind is None:
                self._animate()
        finally:
            if self._temporary is not None:
                remove_tree(self._temporary)

    def _animate(self) -> None:
        paths = next(iter(self._paths.values()), [])
        if self.animation is not None and paths:
            from jaxdream.images.animation import write_animation

            write_animation(self.animation, paths, fps=FPS, recipe=_MARK)
            session.report(f"wrote {self.animation}")

    def _frames(self) -> Path:
        """The folder of the frames, which is made with the first of them."""
        if self.folder is not None:
            return make_folder(self.folder)
        if self._temporary is None:
            assert self.animation is not None
            self._temporary = make_folder(temporary_name(self.animation))
        return self._temporary


def _name(stem: str, number: int) -> str:
    return f"{stem}_{number:0{_DIGITS}}.png"
