"""What is done for one picture file among many, in threads beside the device: reading, writing."""

import errno
import hashlib
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, reason
from jaxdream.files.writing import replacing
from jaxdream.folder.inputs import Input
from jaxdream.folder.journal import Journal, Made
from jaxdream.images import picture_files
from jaxdream.images.decoding import picture_bytes
from jaxdream.images.formats import keeps_alpha, picture_format
from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import parse_size
from jaxdream.recipe import Recipe

# Errors of writing that are one name's own; after any other, the next would fail too.
_ONE_NAMES = (
    errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ,
)  # fmt: skip


class PictureFile(NamedTuple):
    """A picture file that is to be dreamed."""

    input: Input
    output: str  # name of the dream in the output folder
    seed: int


class Loaded(NamedTuple):
    """A picture file, read."""

    file: PictureFile
    picture: Picture


class FileResult(NamedTuple):
    """What came of a picture file."""

    input: Path
    name: str  # relative, with slashes
    output: Path
    status: Literal["dreamed", "skipped", "failed"]  # skipped: it was done already
    picture: Float[np.ndarray, "h w 3"] | None = None  # RGB, 0..255, not rounded; if dreamed now
    error: JaxdreamError | None = None  # if failed
    seconds: float = 0.0  # of the device, its share of its batch


class TargetError(JaxdreamError):
    """Nothing more can be written: the disk is full, or the folder has gone."""


@dataclass
class Report:
    """How far the dreams of many files have got, and how the time was spent."""

    pictures: int = 0  # to be seen to, of all that were given
    dreamed: int = 0
    skipped: int = 0
    failed: int = 0
    without_alpha: int = 0  # dreamed, but their format has no transparency
    busy: float = 0.0  # seconds in which batches were computed, compiling included
    compiling: float = 0.0  # seconds, some of them while the device computed
    begun: float = field(default_factory=time.perf_counter)
    ended: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def seconds(self) -> float:
        """From the beginning to the end, or until now."""
        return (time.perf_counter() if self.ended is None else self.ended) - self.begun

    @property
    def seen_to(self) -> int:
        return self.dreamed + self.skipped + self.failed

    def count(self, name: str) -> None:
        """One more of something; from any thread."""
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)


@dataclass(frozen=True)
class FileWork:
    """Reads and writes the pictures of a run; its methods may run in any thread."""

    folder: Path
    journal: Journal
    settings: str  # ``settings_hash`` of the run
    size: str | None  # to dream at, as ``parse_size`` reads it
    overwrite: bool
    recipe: Recipe  # of all pictures, but for what is each one's own
    report: Report

    def planned_size(self, file: PictureFile) -> tuple[int, int]:
        """Height and width that a picture is dreamed at, from its header.

        Raises:
            JaxdreamError: it is no picture, or its dream cannot have this size.
        """
        height, width = picture_files.read_size(file.input.path)
        if self.size is not None:
            height, width = parse_size(self.size, height, width)
        picture_format(self.folder / file.output, (height, width))
        return height, width

    def load(self, file: PictureFile) -> Loaded | FileResult:
        """Read a picture, if it is still to be dreamed."""
        sha256 = ""
        try:
            content = picture_bytes(file.input.path)
            sha256 = hashlib.sha256(content).hexdigest()
            if not self.overwrite and self._is_done(file, sha256):
                self.report.count("skipped")
                return self._result(file, "skipped")
            picture = picture_files.decode_picture(content, file.input.path)
            if self.size is not None:
                size = parse_size(self.size, *picture.pixels.shape[:2])
                picture = picture_files.resize_picture(picture, size)
            return Loaded(file, picture)
        except TargetError:
            raise
        except JaxdreamError as error:
            return self.failed(file, error, sha256)

    def save(
        self, loaded: Loaded, pixels: Float[np.ndarray, "h w 3"], canvases: str, seconds: float
    ) -> FileResult:
        """Write a dream."""
        file, picture = loaded
        path = self.folder / file.output
        recipe = replace(
            self.recipe,
            seed=file.seed,
            input_name=file.input.path.name,
            input_sha256=picture.sha256,
            size=picture.pixels.shape[:2],
            canvases=canvases,
        )
        try:
            content = picture_files.encode_image(
                path, pixels, alpha=picture.alpha, recipe=recipe.to_json()
            )
            made = self._made(file, picture.sha256, hashlib.sha256(content).hexdigest())
            self._write(file, path, content, made)
        except TargetError:
            raise
        except JaxdreamError as error:
            return self.failed(file, error, picture.sha256)
        if picture.alpha is not None and not keeps_alpha(path):
            self.report.count("without_alpha")
        self.report.count("dreamed")
        return self._result(file, "dreamed", picture=pixels, seconds=seconds)

    def failed(self, file: PictureFile, error: JaxdreamError, sha256: str = "") -> FileResult:
        """Note that there is no dream of a picture."""
        path = str(file.input.path)
        if path not in str(error):
            error = JaxdreamError(f"{path}: {error}")
        if not sha256:
            with suppress(OSError, ValueError):  # which may be what is wrong with it
                sha256 = file_hash(file.input.path, "sha256")
        self._note(self.journal.failed, file.input.name, sha256, self.settings, str(error))
        self.report.count("failed")
        return self._result(file, "failed", error=error)

    def _is_done(self, file: PictureFile, sha256: str) -> bool:
        path = self.folder / file.output
        try:
            there = file_hash(path, "sha256") if path.exists() else None
        except OSError as error:
            raise JaxdreamError(f"cannot read {path}: {reason(error)}") from error
        if there is None:
            return False
        if self.journal.has(file.output, self._made(file, sha256, there)):
            return True
        if not self.journal.knows(file.output):
            raise JaxdreamError(
                f"{path} is there already and not known to be a dream of {file.input.path}: move "
                "it away, choose another output folder, or give --overwrite"
            )
        return False

    def _write(self, file: PictureFile, path: Path, content: bytes, made: Made) -> None:
        try:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise JaxdreamError(f"cannot make {path.parent}: {reason(error)}") from error
            with replacing(path) as target:
                target.write(content)
                target.flush()
                # Before the file has its name: so no file of ours is unknown to the journal.
                self._note(self.journal.made, file.output, made)
        except JaxdreamError as error:
            cause = error.__cause__
            code = cause.errno if isinstance(cause, OSError) else None
            if code is None or code in _ONE_NAMES:
                raise
            raise TargetError(str(error)) from error

    def _note(self, note, *values) -> None:
        try:
            note(*values)
        except JaxdreamError as error:
            raise TargetError(str(error)) from error

    def _made(self, file: PictureFile, input_sha256: str, sha256: str) -> Made:
        return Made(file.input.name, input_sha256, self.settings, sha256)

    def _result(self, file: PictureFile, status, **more) -> FileResult:
        return FileResult(
            file.input.path, file.input.name, self.folder / file.output, status, **more
        )
