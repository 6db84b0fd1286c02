"""Frames of a dream on its way: a folder of pictures, or an animation of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import make_folder
from jaxdream.images import picture_files

_DIGITS = 5
FPS = 10


class Frames:
    """Numbered pictures of the states of one dream in a folder."""

    def __init__(self, folder: Path, name: str, *, every: str, scaled: bool) -> None:
        self.folder, self.name, self.every, self.scaled = folder, name, every, scaled
        self.paths: list[Path] = []

    def add(self, state, image) -> None:
        """A frame of a state, at the full size of ``image``, if one is due."""
        from jaxdream.display import preview

        if self.every == "octave" and state.step < state.steps:
            return
        path = self.folder / f"{self.name}_{len(self.paths) + 1:0{_DIGITS}}.png"
        picture_files.write_image(path, preview(state.picture(image), scaled=self.scaled))
        self.paths.append(path)


def check(options, outputs: list[Path]) -> None:
    """Make sure that the frames can be written and replace nothing, before anything is computed.

    Raises:
        JaxdreamError: they cannot, or there are some already.
    """
    if options.gif is not None:
        from jaxdream.images.animation import check_animation_writable

        if len(outputs) > 1:
            raise JaxdreamError("--gif is of one picture: dream them apart, or use --preview")
        check_animation_writable(options.gif)
        session.check_not_input(Path(options.gif), options.inputs)
    if options.preview is not None:
        folder = make_folder(options.preview)
        for output in outputs:
            first = folder / f"{output.stem}_{1:0{_DIGITS}}.png"
            picture_files.check_writable(first)
            if first.exists():
                raise JaxdreamError(f"{first} is there already: preview into another folder")


@contextmanager
def recording(options, output: Path) -> Iterator[Frames | None]:
    """The frames of one dream, if any are wanted; an animation is made of them at the end.

    It is made of those there are when the dream is interrupted.
    """
    if options is None or (options.preview is None and options.gif is None):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="jaxdream-") as temporary:
        folder = Path(options.preview or temporary)
        every, scaled = options.preview_every, options.no_clip
        frames = Frames(folder, output.stem, every=every, scaled=scaled)
        yield frames
        if options.gif is not None and frames.paths:
            from jaxdream.images.animation import write_animation

            write_animation(options.gif, frames.paths, fps=FPS)
            print(f"wrote {options.gif}", flush=True)
