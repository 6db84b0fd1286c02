"""A folder of the frames of a zoom, in which a run that was stopped goes on.

It holds ``0001.png`` and so on; ``zoom.json``, the settings they were made with; and
``zoom.safetensors``, the last frame as it was computed, not rounded. That file is replaced after
its picture is written, so it tells how many frames are finished.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import read_bytes
from jaxdream.files.safetensors_bytes import safetensors_bytes
from jaxdream.files.schema import convert, decode
from jaxdream.files.writing import make_folder, remove_temporaries, replacing
from jaxdream.images.picture_files import check_png, mark, write_image

SCHEMA = 2
_LONGEST = 60  # characters of a setting in a message
_SHORT_HASH = 12
_LOCK = ".zoom.lock"
_MAX_JSON = 1 << 20  # bytes
_MAX_STATE = 1 << 32
_PNG = b"\x89PNG\r\n\x1a\n"
_MARK = mark("frame")


class _ZoomFile(msgspec.Struct):
    """What ``zoom.json`` holds."""

    zoom: int  # ``SCHEMA``
    settings: dict[str, Any]
    made_with: dict[str, Any]


class _StateMetadata(msgspec.Struct):
    """What ``zoom.safetensors`` says beside the last frame."""

    done: Annotated[str, Meta(pattern="^[0-9]{1,7}$")]  # how many frames are finished
    sha256: str


class FrameFolder:
    """The frames made so far, ``done`` of them, and the last one as it was computed."""

    def __init__(
        self, path: Path, settings: dict, provenance: dict, *, overwrite: bool = False
    ) -> None:
        """Open the folder of a zoom, or prepare to make it; nothing is written yet.

        Args:
            settings: what the frames depend on, as JSON can hold it.
            provenance: the versions and names that matter for nothing except rounding.
            overwrite: begin again, whatever is there.

        Raises:
            JaxdreamError: frames of other settings are there.
        """
        self.path, self.settings, self.provenance = path, settings, provenance
        self.done = 0
        self.damaged: list[int] = []  # numbers of frames made so far that must be made again
        self.problem = ""  # a line for the user about damage
        self.last: np.ndarray | None = None  # (h, w, 3), RGB, 0..255
        self.contrast: np.ndarray | None = None  # of the first, as of ``ZoomState``
        self.begun_with: dict = provenance
        numbered = path.is_dir() and any(re.fullmatch(r"\d+\.png", p.name) for p in path.iterdir())
        if not overwrite and (numbered or self._recipe.exists() or self._state.exists()):
            self._check_settings()
            if self._state.exists():
                self._read_state()
        remove_temporaries(
            [self._recipe, self._state, *self.paths(self.done), *self.paths(self.done + 1)]
        )

    @property
    def _recipe(self) -> Path:
        return self.path / "zoom.json"

    @property
    def _state(self) -> Path:
        return self.path / "zoom.safetensors"

    def paths(self, count: int) -> list[Path]:
        """The first ``count`` pictures."""
        return [self.path / f"{number:04d}.png" for number in range(1, count + 1)]

    def restore(self, number: int, frame) -> None:
        """Write one of the damaged frames again: RGB, 0..255, (h, w, 3), NumPy or JAX."""
        write_image(self.paths(number)[-1], np.array(frame, np.float32), recipe=_MARK)
        self.damaged.remove(number)

    def add(self, frame, contrast) -> None:
        """Write the next frame: RGB, 0..255, (h, w, 3), NumPy or JAX.

        Args:
            contrast: of the first frame, as ``ZoomState`` has it; or None.
        """
        if self.done == 0:
            # The state of another zoom. If it cannot be removed, writing in its place says why.
            with suppress(OSError):
                self._state.unlink()
            with replacing(self._recipe) as file:
                file.write(self.to_json(indent=1).encode("ascii") + b"\n")
        values = np.array(frame, np.float32)
        tensors = {"frame": values}
        if contrast is not None:  # a zoom of before there was damping has none
            tensors["contrast"] = self.contrast = np.array(contrast, np.float32)
        write_image(self.paths(self.done + 1)[-1], values, recipe=_MARK)
        # Last, and at once: a run that ends before this line makes this frame again.
        done = str(self.done + 1)
        metadata = {"zoom": str(SCHEMA), "done": done, "sha256": _hash(tensors, done)}
        content = safetensors_bytes(tensors, metadata)
        with replacing(self._state) as file:
            file.write(content)
        self.done, self.last = self.done + 1, values

    def to_json(self, indent: int | None = None) -> str:
        """The settings as ASCII."""
        values = {"zoom": SCHEMA, "settings": self.settings, "made_with": self.provenance}
        return json.dumps(values, indent=indent)

    def remove(self) -> None:
        """Delete what this wrote."""
        for path in (*self.paths(self.done), self._state, self._recipe):
            path.unlink(missing_ok=True)

    def _check_settings(self) -> None:
        try:
            there = decode(read_bytes(self._recipe, limit=_MAX_JSON), _ZoomFile)
        except JaxdreamError:
            if not self._recipe.exists():
                raise JaxdreamError(
                    f"{self.path} holds frames, but not the zoom.json of a zoom: choose another "
                    "folder, or give --overwrite"
                ) from None
            raise JaxdreamError(
                f"{self._recipe} is not the zoom.json of a zoom, or is damaged: choose another "
                "folder, or give --overwrite to begin again"
            ) from None
        settings, known = there.settings, there.zoom == SCHEMA
        self.begun_with = there.made_with
        wanted = json.loads(json.dumps(self.settings))
        if not known or settings != wanted:
            names = [name for name in {**wanted, **settings} if _differ(name, settings, wanted)]
            which = ", ".join(
                f"{name} {_short(settings.get(name))} there and {_short(wanted.get(name))} now"
                for name in names
            )
            raise JaxdreamError(
                f"{self.path} holds frames of another zoom ({which or 'of another jaxdream'}): "
                "give the same settings, or another output, or delete it to begin again"
            )

    def _read_state(self) -> None:
        from safetensors import safe_open

        try:
            read_bytes(self._state, limit=_MAX_STATE)  # a regular file, of a possible size
            with safe_open(self._state, framework="np") as file:
                metadata = convert(file.metadata(), _StateMetadata)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                frame, contrast = tensors["frame"], tensors.get("contrast")
        except Exception:  # of many kinds, depending on the damage
            return self._begin_again()
        # A state of before there was damping has no contrast.
        fits = frame.shape == (*self.settings["size"], 3) and (
            not self.settings.get("damping") if contrast is None else contrast.shape == (2, 3)
        )
        if not fits or metadata.sha256 != _hash(tensors, metadata.done):
            return self._begin_again()
        self.done, self.last, self.contrast = int(metadata.done), frame, contrast
        paths = self.paths(self.done)
        self.damaged = [number for number, path in enumerate(paths, 1) if self._is_damaged(path)]
        if self.damaged:
            first = self.paths(self.damaged[0])[-1]
            what = f"{first} and {len(self.damaged) - 1} others are"
            what = what if self.damaged[1:] else f"{first} is"
            self.problem = f"{what} damaged or missing: made again"
        return None

    def _begin_again(self) -> None:
        self.problem = f"{self._state} is damaged: all frames are made again"

    def _is_damaged(self, path: Path) -> bool:
        """Whether a frame is missing, or was one and is not whole any more.

        Raises:
            JaxdreamError: something else is in its place.
        """
        if not os.path.lexists(path):
            return True
        try:
            if check_png(path) == tuple(self.settings["size"]):
                return False
        except JaxdreamError:
            content = read_bytes(path)
            if _PNG.startswith(content[: len(_PNG)]) or not content.strip(b"\0"):
                return True
        raise JaxdreamError(
            f"{path} is not the frame that was written there: move it away, or give --overwrite to "
            "begin again"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one run writes into a folder of frames, which is made if it is not there.

    A folder that is empty in the end is removed.

    Raises:
        JaxdreamError: another run is writing into it.
    """
    with folder_lock(make_folder(path) / _LOCK, alternative="another output"):
        try:
            yield
        finally:
            # While it is still held. A run that waits for it sees that, and makes the file again.
            with suppress(OSError):
                (path / _LOCK).unlink()
                path.rmdir()  # which fails if there is anything in it


def check_folder(path: Path) -> None:
    """Make sure that a folder of frames can be made here, or is one.

    Raises:
        JaxdreamError: it cannot.
    """
    if os.path.exists(path) and not os.path.isdir(path):  # which a name too long does not upset
        raise JaxdreamError(f"{path} is a file: name a folder, or a .gif, .webp or .mp4")
    session.check_folder(path)


def _hash(tensors: dict[str, np.ndarray], done: str) -> str:
    """Of the last frame, its number and the contrast, by which damage is found."""
    named = [tensors[name] for name in ("frame", "contrast") if name in tensors]
    content = b"".join(np.ascontiguousarray(values).tobytes() for values in named)
    return hashlib.sha256(done.encode() + content).hexdigest()


def _differ(name: str, there: dict, now: dict) -> bool:
    return (name in there, there.get(name)) != (name in now, now.get(name))


def _short(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        value = value[:_SHORT_HASH]
    return json.dumps(value)[:_LONGEST]
