"""The files and networks that an objective is made from: read, hashed, found for a recipe again."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, reason
from jaxdream.images import picture_files
from jaxdream.images.masks import average_areas, brightness
from jaxdream.images.pixels import parse_size, size_of_longest
from jaxdream.settings import Precision

if TYPE_CHECKING:
    from jaxdream.models.network import Network

_MASK_SIDE = 512  # pixels: finer than the positions of a layer that is dreamed
_MOST_NUMBERS = 1 << 20  # of a vector: more than any layer has channels


def _ignore(message: str) -> None:
    del message


@dataclass
class ObjectiveFiles:
    """Reads the files and networks that an objective names, and remembers their hashes."""

    guide_size: int | None = None  # pixels; None for pictures of any size as they are
    notify: Callable[[str], None] = _ignore
    sha256: dict[str, str] = field(default_factory=dict)  # by path
    networks: dict[str, "Network"] = field(default_factory=dict)  # by the name in the text
    loaded: dict[str, "Network"] = field(default_factory=dict)  # by another reader, perhaps

    def read(self, path: str) -> picture_files.Picture:
        """A picture file, as it is.

        Raises:
            JaxdreamError: the file cannot be read, or is no picture.
        """
        return picture_files.read_picture(path)

    def picture(self, path: str) -> Float[np.ndarray, "h w 3"]:
        """A picture, RGB, 0..255, made smaller if its longest side is over ``guide_size``.

        Raises:
            JaxdreamError: the file cannot be read, or is no picture.
        """
        picture = self.read(path)
        height, width, _ = picture.pixels.shape
        if self.guide_size is not None and max(height, width) > self.guide_size:
            size = parse_size(str(self.guide_size), height, width)
            self.notify(f"{path} is used at {size[1]}x{size[0]} pixels (--guide-size)")
            picture = picture_files.resize_picture(picture, size)
        self.sha256[path] = picture.sha256
        return picture.pixels

    def mask(self, path: str) -> Float[np.ndarray, "h w"]:
        """A picture as a mask, by its brightness, 0..1, at most ``_MASK_SIDE`` pixels a side.

        Raises:
            JaxdreamError: the file cannot be read, or is no picture.
        """
        picture = self.read(path)
        self.sha256[path] = picture.sha256
        shares = brightness(picture)
        size = shares.shape[0], shares.shape[1]
        if max(size) > _MASK_SIDE:
            size = size_of_longest(_MASK_SIDE, *size)
        return np.asarray(average_areas(shares, size))

    def vector(self, path: str) -> Float[np.ndarray, " c"]:
        """The numbers of a ``.npy`` file.

        Raises:
            JaxdreamError: as ``read_vector``.
        """
        vector = read_vector(path)
        self.sha256[path] = file_hash(Path(path), "sha256")
        return vector

    def network(self, name: str, precision: Precision) -> "Network":
        """A pretrained network, by its name alone; the same one where it is named again.

        Raises:
            JaxdreamError: as ``load_model``; "auto", which is another one elsewhere, is no name,
                and neither is ``MODULE:FUNCTION``.
        """
        from jaxdream.models.weights.load import load_model
        from jaxdream.models.weights.registry import record_of

        if name not in self.loaded:
            if ":" in name:
                raise JaxdreamError(
                    f"no model {name!r}: a text names jaxdream's networks only, since it may be "
                    "that of a picture, which runs no code; one of your own is given in Python, by "
                    "jd.objectives.of_network(model, objective)"
                )
            record_of(name)  # which refuses all but registered names
            self.loaded[name] = load_model(name, precision=precision, notify=self.notify)
        self.networks[name] = self.loaded[name]
        return self.networks[name]

    def by_name(self) -> dict[str, str]:
        """The hashes by the files' names, without folders, as a recipe has them.

        A network has the hash of its weights, by the name it has in the text.

        Raises:
            JaxdreamError: two different files have one name.
        """
        names = {name: model.weights_sha256 for name, model in self.networks.items()}
        for path, sha256 in self.sha256.items():
            if names.setdefault(Path(path).name, sha256) != sha256:
                raise JaxdreamError(f"two files are named {Path(path).name}: rename one of them")
        return names


def find_files(
    wanted: Mapping[str, str], given: Sequence[str], folders: Sequence[Path]
) -> dict[str, str]:
    """The paths of a recipe's files, by their names in the recipe.

    A file is recognised by its hash. It is one of those given, or has its name in one of the
    folders; only the last part of a name in the recipe is used.

    Args:
        wanted: sha256 by name, from the recipe.
        given: paths of files under any names.
        folders: where to look.

    Raises:
        JaxdreamError: a file is not found.
    """
    found = {}
    for name, sha256 in wanted.items():
        places = [*map(Path, given), *(folder / Path(name).name for folder in folders)]
        match = next((place for place in places if _has_hash(place, sha256)), None)
        if match is None:
            raise JaxdreamError(
                f"this was dreamed with {name} (sha256 {sha256[:12]}), which was not found: give "
                "it by --guide FILE, or a mask by --mask FILE"
            )
        found[name] = str(match)
    return found


def read_vector(path: str) -> Float[np.ndarray, " c"]:
    """The numbers of a ``.npy`` file, (channels,).

    Raises:
        JaxdreamError: it cannot be read, holds anything else, or numbers beyond float32's range.
    """
    if not os.path.isfile(path):  # which also no name, however odd, makes fail
        raise JaxdreamError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's parser, about the header
            # Mapped, not read: the size that the header declares may be any.
            vector = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # whatever NumPy's and Python's parsers raise for a damaged file
        raise JaxdreamError(f"{path} is not a .npy file of numbers: {reason(error)}") from error
    if vector.ndim != 1 or vector.dtype.kind not in "fiu":
        kind = f"an array of shape {vector.shape} and type {vector.dtype}"
        raise JaxdreamError(f"{path} must hold one number per channel, not {kind}")
    if len(vector) > _MOST_NUMBERS:
        raise JaxdreamError(f"{path} holds {len(vector)} numbers: no layer has as many channels")
    with np.errstate(over="ignore"):
        values = np.array(vector, np.float32)
    if not np.isfinite(values).all():
        raise JaxdreamError(f"{path} holds numbers that are not finite, or beyond float32's range")
    return values


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return os.path.isfile(path) and file_hash(path, "sha256") == sha256
    except OSError:  # not permitted to read it
        return False
