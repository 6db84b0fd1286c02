"""What zooms and videos share: the files of their frames, and errors that name no place here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable
from jaxdream.files.writing import make_folder, remove_tree
from jaxdream.images.picture_files import mark, write_image
from jaxdream.types import AnyArray

_MARK = mark("frame")


class KeptFrames:
    """The finished frames of a film, as picture files."""

    def __init__(self, folder: Path) -> None:
        """They lie in ``folder``."""
        self._folder = folder
        self.paths: list[Path] = []

    def add(self, frame: Float[AnyArray, "h w 3"]) -> None:
        """Keep the next frame: RGB, 0..255.

        Raises:
            JaxdreamError: it cannot be written.
        """
        path = self._folder / f"{len(self.paths) + 1:05}.png"
        write_image(path, np.asarray(frame), recipe=_MARK)
        self.paths.append(path)


@contextmanager
def kept_frames(film: Path) -> Iterator[KeptFrames]:
    """A place for the frames of a film, beside it; they are deleted at the end of the block."""
    folder = make_folder(film.with_name("frames"))
    try:
        yield KeptFrames(folder)
    finally:
        remove_tree(folder)


@contextmanager
def called(path: PathLike, name: str) -> Iterator[None]:
    """Errors in the block call a file by its name for the visitor.

    Raises:
        JaxdreamError: what the block raises, by that name.
    """
    try:
        yield
    except JaxdreamError as error:
        raise JaxdreamError(by_name(str(error), path, name)) from None


def by_name(line: str, path: PathLike, name: str) -> str:
    """A line that calls a file by its name for the visitor."""
    return line.replace(printable(path), name)


def count_text(made: int, wanted: int | None = None) -> str:
    """How many frames were made, and of how many, where that is more."""
    if wanted is None or wanted <= made:
        return "1 frame" if made == 1 else f"{made:,} frames"
    return f"{made:,} of {wanted:,} frames"
