"""What visitors upload: found in the folder of uploads, and read by jaxdream's own reader alone.

The page's events take their inputs as the browser sends them (``preprocess=False``). Gradio would
decode pictures itself, and download what a request names by an address.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable
from jaxdream.images.masks import resize_mask
from jaxdream.images.picture_files import Picture, decode_picture
from jaxdream.types import Size
from jaxdream.web.context import MAX_UPLOAD_MEGAPIXELS

_MAX_PIXELS = MAX_UPLOAD_MEGAPIXELS * 10**6
_LONGEST_NAME = 100


class Upload(NamedTuple):
    """A file that a visitor gave."""

    path: str
    name: str  # that it had there, without folders


def uploaded(payload: Any, folder: Path) -> Upload | None:
    """The file that a component's value names; None where it has none.

    Args:
        payload: the component's value, as the browser sent it.
        folder: of the uploads: no other file can be named.

    Raises:
        JaxdreamError: it names no uploaded file.
    """
    if payload is None:
        return None
    path = payload.get("path") if isinstance(payload, Mapping) else None
    if not isinstance(path, str) or not _is_in(path, folder):
        raise JaxdreamError("this is no uploaded file: give the file again")
    name = payload.get("orig_name")
    name = os.path.basename(name if isinstance(name, str) else path)
    return Upload(path, printable(name)[-_LONGEST_NAME:] or "picture")


def _is_in(path: str, folder: Path) -> bool:
    try:
        real = Path(path).resolve()
        return real.is_relative_to(folder.resolve()) and real.is_file()
    except (OSError, ValueError):  # a name that cannot be one
        return False


def read_upload(upload: Upload) -> Picture:
    """The picture in an uploaded file.

    Raises:
        JaxdreamError: it is no picture, or has too many pixels; names it by the visitor's name.
    """
    return decode_picture(Path(upload.path).read_bytes(), upload.name, max_pixels=_MAX_PIXELS)


@dataclass(frozen=True)
class Painting:
    """What a visitor painted over a picture: the layers' files, with transparency."""

    layers: tuple[bytes, ...]

    @classmethod
    def sent(
        cls, payload: Any, sent_before: MutableMapping[str, Any], folder: Path
    ) -> "Painting | None":
        """The painting in an image editor's value; None where there is none.

        Args:
            payload: the value, as the browser sent it.
            sent_before: of the editor, by id: the layers, which the browser sends on their own.
            folder: of the uploads.

        Raises:
            JaxdreamError: it names a file that was not uploaded.
        """
        if not isinstance(payload, Mapping):
            return None
        if isinstance(payload.get("id"), str):
            sent = sent_before.pop(payload["id"], None)
            layers = [] if sent is None else [layer for layer in sent.layers if layer]
        else:
            files = [uploaded(layer, folder) for layer in payload.get("layers") or ()]
            layers = [Path(file.path).read_bytes() for file in files if file is not None]
        return cls(tuple(layers)) if layers else None

    def mask(self, size: Size) -> Float[np.ndarray, "h w"] | None:
        """How opaque the paint is, 0..1, at a height and width; None where there is no paint.

        Raises:
            JaxdreamError: a layer is no picture.
        """
        covered = None
        for layer in self.layers:
            alpha = decode_picture(layer, "the painted mask", max_pixels=_MAX_PIXELS).alpha
            if alpha is None or not alpha.any():
                continue
            shares = resize_mask(alpha.astype(np.float32) / 255, size)
            covered = shares if covered is None else np.maximum(covered, shares)
        return covered
