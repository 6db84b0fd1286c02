"""Pictures of one size for a network: fitted, and read from files ahead of the device."""

import hashlib
import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import available
from jaxdream.files.reading import printable
from jaxdream.folder.decoding_memory import DecodingMemory
from jaxdream.folder.inputs import Input
from jaxdream.images.decoding import picture_bytes
from jaxdream.images.picture_files import Picture, decode_picture, resize_picture
from jaxdream.images.pixels import as_pixels, parse_size
from jaxdream.models.network import Network
from jaxdream.settings import VisualizeSettings
from jaxdream.types import AnyArray, Size

NOT_FINITE = "the network's activations on it are not finite"
_THREADS = 4  # that decode
_BATCHES_AHEAD = 2


class Unreadable(NamedTuple):
    """A picture that could not be used."""

    name: str  # relative, with slashes
    reason: str  # a line that names the file

    @classmethod
    def of(cls, one: Input, reason: str) -> "Unreadable":
        path = printable(one.path)
        return cls(one.relative_path, reason if path in reason else f"{path}: {reason}")


def shown_size(text: str | None, model: Network) -> Size:
    """Height and width that pictures are shown to a network at.

    Args:
        text: as the setting ``size`` has it.

    Raises:
        JaxdreamError: it is no size.
    """
    if text is None:
        side = VisualizeSettings().side
        return model.graph.fixed_size or (side, side)
    return parse_size(text, 1, 1)


def fit(image: Float[AnyArray, "h w 3"], size: Size) -> Float[np.ndarray, "_ _ 3"]:
    """A picture that fills a height and width: scaled, and what is longer cut off at both ends.

    Args:
        image: RGB, 0..255.

    Raises:
        JaxdreamError: it is no picture.
    """
    pixels = as_pixels(image)
    scale = max(side / now for side, now in zip(size, pixels.shape, strict=False))
    scaled = [max(side, round(now * scale)) for side, now in zip(size, pixels.shape, strict=False)]
    pixels = resize_picture(Picture(pixels, None, ""), (scaled[0], scaled[1])).pixels
    top, left = ((now - side) // 2 for now, side in zip(scaled, size, strict=True))
    return pixels[top : top + size[0], left : left + size[1]]


def read_fitted(
    one: Input, size: Size, memory: DecodingMemory
) -> Float[np.ndarray, "h w 3"] | Unreadable:
    """A picture file, fitted; or why it cannot be."""
    try:
        content = picture_bytes(one.path)
        with memory.reserved(one.path):
            return fit(decode_picture(content, one.path).pixels, size)
    except JaxdreamError as error:
        return Unreadable.of(one, str(error))


class Read(NamedTuple):
    """A batch of pictures from files."""

    numbers: list[int]  # of its pictures, among all
    pictures: list[Float[np.ndarray, "h w 3"] | Unreadable]


def read_batches(
    inputs: Sequence[Input], numbers: Sequence[int], size: Size, *, batch: int
) -> Generator[Read, None, None]:
    """Pictures from files, decoded in threads ahead of the one who takes them.

    Args:
        numbers: of the inputs to read, in this order.
        batch: pictures in each, but the last.
    """
    memory = DecodingMemory(available())
    ahead: deque[tuple[list[int], list[Future]]] = deque()
    readers = ThreadPoolExecutor(_THREADS, "jaxdream-read")
    try:
        for first in range(0, len(numbers), batch):
            part = list(numbers[first : first + batch])
            reading = [readers.submit(read_fitted, inputs[i], size, memory) for i in part]
            ahead.append((part, reading))
            if len(ahead) > _BATCHES_AHEAD:
                yield _read(ahead.popleft())
        while ahead:
            yield _read(ahead.popleft())
    finally:
        readers.shutdown(cancel_futures=True)


def _read(reading: tuple[list[int], list[Future]]) -> Read:
    numbers, futures = reading
    return Read(numbers, [future.result() for future in futures])


def stacked(
    pictures: Sequence[Float[np.ndarray, "h w 3"] | Unreadable | None], size: Size, batch: int
) -> tuple[Float[np.ndarray, "n h w 3"], np.ndarray]:
    """Pictures as a batch of a fixed length, and which of its slots have one."""
    array = np.zeros((batch, *size, 3), np.float32)
    valid = np.zeros(batch, bool)
    for slot, picture in enumerate(pictures):
        if isinstance(picture, np.ndarray):
            array[slot], valid[slot] = picture, True
    return array, valid


def folder_hash(inputs: Sequence[Input]) -> str:
    """A hash of the names, sizes and times of files, to know whether a folder has changed."""
    digest = hashlib.sha256()
    for one in inputs:
        try:
            status = os.stat(one.path)
            facts = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            facts = "unreadable"
        digest.update(f"{one.relative_path}\0{facts}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
