"""The files that an objective is made from, and how a recipe names them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash
from jaxdream.images import picture_files
from jaxdream.images.pixels import parse_size
from jaxdream.objectives.text import (
    Files,
    named_files,
    parse_objective,
    read_vector,
    with_files_renamed,
)


@dataclass
class Sources:
    """Reads the files that an objective names, and remembers their hashes."""

    guide_size: int  # pixels
    notify: Callable[[str], None]
    sha256: dict[str, str] = field(default_factory=dict)  # by path

    def picture(self, path: str):
        """The pixels of a picture, made smaller if its longest side is over ``guide_size``."""
        picture = picture_files.read_picture(path)
        height, width, _ = picture.pixels.shape
        if max(height, width) > self.guide_size:
            size = parse_size(str(self.guide_size), height, width)
            self.notify(f"{path} is used at {size[1]}x{size[0]} pixels (--guide-size)")
            picture = picture_files.resize_picture(picture, size)
        self.sha256[path] = picture.sha256
        return picture.pixels

    def vector(self, path: str):
        """The numbers of a ``.npy`` file."""
        vector = read_vector(path)
        self.sha256[path] = file_hash(Path(path), "sha256")
        return vector

    def by_name(self) -> dict[str, str]:
        """The hashes by the files' names alone, which is all that a recipe tells of them."""
        names: dict[str, str] = {}
        for path, sha256 in self.sha256.items():
            if names.setdefault(Path(path).name, sha256) != sha256:
                raise JaxdreamError(f"two files are named {Path(path).name}: rename one of them")
        return names


def read_objective(text: str, model, sources: Sources):
    """The objective of a text, with the files that it names."""
    return parse_objective(text, model, files=Files(sources.picture, sources.vector))


def named_objective(text: str, model, sources: Sources):
    """The objective of a text, and how a recipe names it.

    Of files, it has the names alone: where they lay here tells nothing elsewhere.
    """
    objective = read_objective(text, model, sources)
    portable = with_files_renamed(text, {path: Path(path).name for path in named_files(text)})
    return objective, {"objective": portable, "files": sources.by_name()}
