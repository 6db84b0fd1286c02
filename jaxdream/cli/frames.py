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

import numpy as np

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import read_bytes
from jaxdream.files.writing import make_folder, remove_temporaries, replacing
from jaxdream.images.picture_files import read_size, write_image

SCHEMA = 2
_LONGEST = 60  # characters of a setting in a message
_SHORT_HASH = 12
_LOCK = ".zoom.lock"
_MAX_JSON = 1 << 20  # bytes
_MAX_STATE = 1 << 32


class FrameFolder:
    """The frames made so far, ``done`` of them, and the last one as it was computed."""

    def __init__(self, path: Path, settings: dict, provenance: dict) -> None:
        """Open the folder of a zoom, or prepare to make it; nothing is written yet.

        Args:
            settings: what the frames depend on, as JSON can hold it.
            provenance: the versions and names that matter for nothing except rounding.

        Raises:
            JaxdreamError: frames of other settings are there, or damaged ones.
        """
        self.path, self.settings, self.provenance = path, settings, provenance
        self.done = 0
        self.last: np.ndarray | None = None  # (h, w, 3), RGB, 0..255
        self.begun_with: dict = provenance
        numbered = path.is_dir() and any(re.fullmatch(r"\d+\.png", p.name) for p in path.iterdir())
        if numbered or self._recipe.exists() or self._state.exists():
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

    def add(self, frame) -> None:
        """Write the next frame: RGB, 0..255, (h, w, 3), NumPy or JAX."""
        from safetensors.numpy import save

        if self.done == 0:
            with replacing(self._recipe) as file:
                file.write(self.to_json(indent=1).encode("ascii") + b"\n")
        values = np.array(frame, np.float32)
        write_image(self.paths(self.done + 1)[-1], values)
        # Last, and at once: a run that ends before this line makes this frame again.
        done = str(self.done + 1)
        metadata = {"zoom": str(SCHEMA), "done": done, "sha256": _hash(values, done)}
        content = save({"frame": values}, metadata)
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
            there = json.loads(read_bytes(self._recipe, limit=_MAX_JSON).decode("ascii"))
            settings, self.begun_with = dict(there["settings"]), dict(there["made_with"])
            known = there["zoom"] == SCHEMA
        except (ValueError, KeyError, TypeError, RecursionError):
            if not self._recipe.exists():
                raise JaxdreamError(
                    f"{self.path} holds frames, but not the zoom.json of a zoom: choose another "
                    "folder"
                ) from None
            raise JaxdreamError(
                f"{self._recipe} is not the zoom.json of a zoom, or is damaged: choose another "
                "folder, or delete it to begin again"
            ) from None
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
        from safetensors import SafetensorError, safe_open

        try:
            read_bytes(self._state, limit=_MAX_STATE)  # a regular file, of a possible size
            with safe_open(self._state, framework="np") as file:
                frame, metadata = file.get_tensor("frame"), file.metadata() or {}
            whole = metadata["sha256"] == _hash(frame, metadata["done"])
            done = int(metadata["done"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged(self._state) from None
        shape = (*self.settings["size"], 3)
        if frame.shape != shape or frame.dtype != np.float32 or not whole:
            raise self._damaged(self._state)
        self._check_frames(done)
        self.done, self.last = done, frame

    def _check_frames(self, done: int) -> None:
        """Make sure that all frames are whole pictures of the right size."""
        size = tuple(self.settings["size"])
        for path in self.paths(done):
            if not path.exists():
                raise JaxdreamError(
                    f"{path} is missing, one of the {done} frames made so far: put it back, or "
                    f"delete {self.path} to begin again"
                )
            try:
                whole = read_size(path) == size and _is_whole_png(path)
            except JaxdreamError:
                whole = False
            if not whole:
                raise JaxdreamError(
                    f"{path} is damaged, one of the {done} frames made so far: put it back, or "
                    f"delete {self.path} to begin again"
                )

    def _damaged(self, path: Path) -> JaxdreamError:
        return JaxdreamError(f"{path} is damaged: delete {self.path} to begin the zoom again")


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


def _is_whole_png(path: Path) -> bool:
    """Whether a PNG has its last chunk."""
    return read_bytes(path)[-12:-4] == b"\0\0\0\0IEND"


def _hash(frame: np.ndarray, done: str) -> str:
    """Of the last frame and its number, by which damage is found."""
    return hashlib.sha256(done.encode() + np.ascontiguousarray(frame).tobytes()).hexdigest()


def _differ(name: str, there: dict, now: dict) -> bool:
    return (name in there, there.get(name)) != (name in now, now.get(name))


def _short(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        value = value[:_SHORT_HASH]
    return json.dumps(value)[:_LONGEST]
