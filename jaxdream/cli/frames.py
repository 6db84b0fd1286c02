"""A folder of the frames of a film, in which a run that was stopped goes on.

It holds ``0001.png`` and so on; for a zoom ``zoom.json``, the settings they were made with; and
``zoom.safetensors``, what the next frame depends on, not rounded. That file is replaced after its
picture is written, so it tells which frames are finished. For a video the two are ``video.json``
and ``video.safetensors``.
"""

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import file_hash, open_regular, read_bytes
from jaxdream.files.safetensors_bytes import safetensors_bytes
from jaxdream.files.schema import convert, decode
from jaxdream.files.writing import make_folder, remove_temporaries, replacing
from jaxdream.images.picture_files import check_png, is_own, mark, write_image
from jaxdream.recipe import FILM_SCHEMAS, Recipe, film_json

_LONGEST = 60  # characters of a setting in a message
_SHORT_HASH = 12
_LOCK = ".zoom.lock"  # for all kinds, so that two of them do not share a folder
_MAX_JSON = 1 << 20  # bytes
_MAX_STATE = 1 << 40  # a part for each scene that is begun
_PNG = b"\x89PNG\r\n\x1a\n"
_MARK = mark("frame")


class _StateMetadata(msgspec.Struct):
    """What ``zoom.safetensors`` says beside the state."""

    done: Annotated[str, Meta(pattern="^[0-9]{1,7}$")]  # how many frames are finished
    sha256: str


class FrameFolder:
    """The frames made so far, ``done`` of them, and the state that the next one depends on."""

    kind: str  # what the frames are of

    def __init__(
        self, path: Path, settings: dict, provenance: dict, *, overwrite: bool = False
    ) -> None:
        """Open a folder of frames, or prepare to make it; nothing is written yet.

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
        self.tensors: dict[str, np.ndarray] = {}  # the state
        self.begun_with: dict = provenance
        self._prepared = False  # to be written into
        numbered = path.is_dir() and any(re.fullmatch(r"\d+\.png", p.name) for p in path.iterdir())
        if not overwrite and (numbered or self._recipe.exists() or self._state.exists()):
            self._check_settings()
            if self._state.exists():
                self._read_state()
        unfinished = [self._picture(max(self.numbers, default=0) + 1)]
        remove_temporaries([self._recipe, self._state, *self.paths(), *unfinished])

    @property
    def numbers(self) -> list[int]:
        """The numbers of the frames that are finished, from 1, in order."""
        return list(range(1, self.done + 1))

    @property
    def shown(self) -> int:
        """How many frames there are before the first that is missing or damaged."""
        whole = [n for at, n in enumerate(self.numbers, 1) if n == at]
        return min(len(whole), min(self.damaged, default=len(whole) + 1) - 1)

    def fits(self, tensors: dict[str, np.ndarray], done: int) -> bool:
        """Whether this can be the state of so many frames of these settings."""
        raise NotImplementedError

    @property
    def schema(self) -> int:
        """Of the files."""
        return FILM_SCHEMAS[self.kind]

    @property
    def _recipe(self) -> Path:
        return self.path / f"{self.kind}.json"

    @property
    def _state(self) -> Path:
        return self.path / f"{self.kind}.safetensors"

    def _picture(self, number: int) -> Path:
        return self.path / _name(number)

    def paths(self) -> list[Path]:
        """The pictures of the finished frames, in order."""
        return [self._picture(number) for number in self.numbers]

    def restore(self, number: int, frame) -> None:
        """Write one of the damaged frames again: RGB, 0..255, (h, w, 3), NumPy or JAX."""
        self.write(number, frame)
        self.damaged.remove(number)

    def write(self, number: int, frame) -> None:
        """Write the picture of a frame: RGB, 0..255, (h, w, 3), NumPy or JAX.

        The frame is finished after ``keep``. A run that ends before that makes it again.
        """
        self.prepare()
        _write(self._picture(number), frame)

    def prepare(self) -> None:
        """Make the folder ready for its first frame, if it has none yet."""
        if self.done or self._prepared:
            return
        self._prepared = True
        # The state of another film. If it cannot be removed, writing in its place says why.
        with suppress(OSError):
            self._state.unlink()
        for path in self.path.iterdir():  # the frames of another film
            if re.fullmatch(r"\d{4,}\.png", path.name) and is_own(path):
                path.unlink()
        with replacing(self._recipe) as file:
            file.write(self.to_json(indent=1).encode("ascii") + b"\n")

    def writer(self) -> "FrameWriter":
        """What writes the pictures of frames from other processes, when this is prepared."""
        recipe = Path(os.path.abspath(self._recipe))
        return FrameWriter(recipe, file_hash(recipe, "sha256", limit=_MAX_JSON))

    def keep(self, tensors: dict[str, np.ndarray], done: int) -> None:
        """Keep the state after so many frames, whose pictures are written."""
        text = str(done)
        metadata = {self.kind: str(self.schema), "done": text, "sha256": _hash(tensors, text)}
        content = safetensors_bytes(tensors, metadata)
        with replacing(self._state) as file:
            file.write(content)
        self.done, self.tensors = done, tensors

    def to_json(self, indent: int | None = None) -> str:
        """The settings as ASCII."""
        return film_json(self.kind, self.settings, self.provenance, indent=indent)

    def remove(self) -> None:
        """Delete what this wrote."""
        remove_temporaries(self.paths())
        for path in (*self.paths(), self._state, self._recipe):
            path.unlink(missing_ok=True)

    def _check_settings(self) -> None:
        name = self._recipe.name
        try:
            there = decode(read_bytes(self._recipe, limit=_MAX_JSON), dict[str, Any])
            settings, self.begun_with = there["settings"], there["made_with"]
            schema = there[self.kind]
            if not (isinstance(settings, dict) and isinstance(self.begun_with, dict)):
                raise JaxdreamError("settings are no object")
        except (JaxdreamError, KeyError):
            if not self._recipe.exists():
                raise JaxdreamError(
                    f"{self.path} holds frames, but not the {name} of a {self.kind}: choose "
                    "another folder, or give --overwrite"
                ) from None
            raise JaxdreamError(
                f"{self._recipe} is not the {name} of a {self.kind}, or is damaged: choose "
                "another folder, or give --overwrite to begin again"
            ) from None
        wanted = json.loads(json.dumps(self.settings))
        if schema != self.schema or settings != wanted:
            names = [name for name in {**wanted, **settings} if _differ(name, settings, wanted)]
            which = ", ".join(
                f"{name} {_short(settings.get(name))} there and {_short(wanted.get(name))} now"
                for name in names
            )
            raise JaxdreamError(
                f"{self.path} holds frames of another {self.kind} "
                f"({which or 'of another jaxdream'}): give the same settings, or another output, "
                "or delete it to begin again"
            )

    def _read_state(self) -> None:
        from safetensors import safe_open

        try:
            with open_regular(self._state, limit=_MAX_STATE):
                pass
            with safe_open(self._state, framework="np") as file:
                metadata = convert(file.metadata(), _StateMetadata)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            fits = self.fits(tensors, int(metadata.done))
        except Exception:  # of many kinds, depending on the damage
            return self._begin_again()
        if not fits or metadata.sha256 != _hash(tensors, metadata.done):
            return self._begin_again()
        self.done, self.tensors = int(metadata.done), tensors
        self.damaged = [n for n in self.numbers if self._is_damaged(self._picture(n))]
        if self.damaged:
            first = self._picture(self.damaged[0])
            others = len(self.damaged) - 1
            what = f"{first} is" if not others else f"{first} and {others} more are"
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


@dataclass(frozen=True)
class FrameWriter:
    """Writes the pictures of frames into a folder, from any machine that sees it."""

    recipe: Path  # by which the folder is known; absolute
    sha256: str

    def __call__(self, number: int, frame: np.ndarray) -> None:
        """Write the picture of a frame: its number from 0, and RGB, 0..255, (h, w, 3).

        Raises:
            JaxdreamError: it cannot be written, or the folder is another one here.
        """
        folder = self.recipe.parent
        try:
            same = file_hash(self.recipe, "sha256", limit=_MAX_JSON) == self.sha256
        except JaxdreamError:
            same = False
        if not same:
            raise JaxdreamError(
                f"{socket.gethostname()} does not see the folder {folder} of this run: give an "
                "--output that all machines see"
            )
        _write(folder / _name(number + 1), frame)


def _name(number: int) -> str:
    return f"{number:04d}.png"


def _write(path: Path, frame) -> None:
    write_image(path, np.array(frame, np.float32), recipe=_MARK)


class ZoomFolder(FrameFolder):
    """The frames of a zoom: the state is the last one, and the contrast of the first."""

    kind = "zoom"

    @property
    def last(self) -> np.ndarray | None:
        """The last frame, (h, w, 3), RGB, 0..255, not rounded."""
        return self.tensors.get("frame")

    @property
    def contrast(self) -> np.ndarray | None:
        """Of the first frame, as of ``ZoomState``."""
        return self.tensors.get("contrast")

    def fits(self, tensors: dict[str, np.ndarray], done: int) -> bool:
        del done
        contrast = tensors.get("contrast")
        # A state of before there was damping has no contrast.
        return tensors["frame"].shape == (*self.settings["size"], 3) and (
            not self.settings.get("damping") if contrast is None else contrast.shape == (2, 3)
        )

    def add(self, frame, contrast) -> None:
        """Write the next frame: RGB, 0..255, (h, w, 3), NumPy or JAX.

        Args:
            contrast: of the first frame, as ``ZoomState`` has it; or None.
        """
        tensors = {"frame": np.array(frame, np.float32)}
        if contrast is not None:  # a zoom of before there was damping has none
            tensors["contrast"] = np.array(contrast, np.float32)
        self.write(self.done + 1, frame)
        self.keep(tensors, self.done + 1)


def say_what_is_there(frames: FrameFolder, recipe: Recipe, going_on: str) -> None:
    """Tell the user of frames that are there already.

    Args:
        going_on: the line, where some are missing.
    """
    if frames.problem:
        session.say(frames.problem)
    if not going_on or not frames.done:
        return
    session.say(going_on)
    then = [str(frames.begun_with.get(name)) for name in ("jax", "platform")]
    if then != [recipe.provenance.jax, recipe.provenance.platform]:
        session.say(
            f"they were begun with jax {' on '.join(then)[:60]}: the same except for rounding"
        )


def number_of_frames(count: int) -> str:
    """A number of frames in words."""
    return f"{count} frame" if count == 1 else f"{count} frames"


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
        raise JaxdreamError(f"{path} is a file: move it away, or give another --output")
    session.check_folder(path)


def _hash(tensors: dict[str, np.ndarray], done: str) -> str:
    """Of the state and its number of frames, by which damage is found."""
    digest = hashlib.sha256(done.encode())
    for name in sorted(tensors, reverse=True):
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _differ(name: str, there: dict, now: dict) -> bool:
    return (name in there, there.get(name)) != (name in now, now.get(name))


def _short(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        value = value[:_SHORT_HASH]
    return json.dumps(value)[:_LONGEST]
