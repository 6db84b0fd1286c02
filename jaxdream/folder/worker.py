"""What is done for one picture file among many, in threads beside the device: reading, writing."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, printable, reason
from jaxdream.folder.decoding_memory import DecodingMemory
from jaxdream.folder.inputs import Input
from jaxdream.folder.journal import Journal, JournalEntry, settings_hash
from jaxdream.folder.targets import TargetError, write_whole
from jaxdream.images import formats, picture_files
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.decoding import picture_bytes
from jaxdream.images.masks import MaskSource
from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import parse_size
from jaxdream.images.seamless import make_seamless
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.morphs import check_alone
from jaxdream.objectives.text import parse_objective, without_folders
from jaxdream.recipe import UNFINISHED, Provenance, Recipe
from jaxdream.settings import DreamSettings, SourceSettings
from jaxdream.types import AnyArray, Size


class PictureFile(NamedTuple):
    """A picture file that is to be dreamed."""

    input: Input
    output: str  # path of the dream, relative to the output folder or absolute
    seed: int


class Loaded(NamedTuple):
    """A picture file, read."""

    file: PictureFile
    picture: Picture
    mask: Float[np.ndarray, "h w"] | None = None  # 0..1


class FileResult(NamedTuple):
    """What came of a picture file."""

    input: Path
    relative_path: str  # of the input among the others, with slashes
    output: Path
    status: Literal["dreamed", "skipped", "failed"]  # skipped: it was done already
    picture: Float[np.ndarray, "h w 3"] | None = None  # RGB, 0..255, not rounded; if dreamed now
    error: JaxdreamError | None = None  # if failed
    seconds: float = 0.0  # of the device, its share of its batch


@dataclass
class Progress:
    """How far the dreams of many files have got, and how the time was spent."""

    pictures: int = 0  # of all that were given, those that this process takes care of
    dreamed: int = 0
    skipped: int = 0
    failed: int = 0
    without_alpha: int = 0  # dreamed, in a format that has no transparency
    batch_pictures: int = 0  # in the batch that is being computed
    batch_done: float = 0.0  # share of that batch, 0..1
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
    def processed(self) -> int:
        """Pictures that are dreamed, skipped or failed."""
        return self.dreamed + self.skipped + self.failed

    @property
    def done(self) -> float:
        """Share of all pictures, 0..1, by their number."""
        done = self.processed + self.batch_pictures * self.batch_done
        return min(done / max(self.pictures, 1), 1.0)

    def count(self, name: str) -> None:
        """One more of something; from any thread."""
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)


class NamedObjective(NamedTuple):
    """How a recipe names an objective: its text, and the sha256 of what it names, by name."""

    text: str
    files: dict[str, str]  # also of networks' weights


def named_objective(
    text: str,
    model: Network,
    guide_size: int,
    notify: Callable[[str], None],
    networks: dict[str, Network] | None = None,
) -> tuple[Objective, NamedObjective, tuple[str, ...]]:
    """The objective of a text, how a recipe names it, and the files that were read.

    A recipe has files by their names alone: their folders here mean nothing elsewhere.

    Args:
        guide_size: longest side of pictures that the text names, in pixels.
        notify: is called with a line about a picture that is made smaller, or a network.
        networks: those that texts before it named, which are not read again; it is added to.

    Raises:
        JaxdreamError: the text or a file cannot be read, the network lacks what it names, or it is
            of several pictures that are made together.
    """
    files = ObjectiveFiles(guide_size, notify, loaded={} if networks is None else networks)
    objective = parse_objective(text, model, files=files)
    check_alone(objective)
    return objective, NamedObjective(without_folders(text), files.by_name()), tuple(files.sha256)


def named_mask(
    source: SourceSettings, objective: NamedObjective, notify: Callable[[str], None]
) -> tuple[MaskSource | None, SourceSettings, NamedObjective]:
    """The mask of a run, if it has one, and the settings and files as a recipe names them.

    Raises:
        JaxdreamError: the mask cannot be used.
    """
    masks = MaskSource.asked(source, notify)
    if masks is None:
        return None, source, objective
    source, files = masks.named(source, objective.files)
    return masks, source, objective._replace(files=files)


@dataclass(frozen=True)
class FileWork:
    """Reads and writes the pictures of a run; its methods may run in any thread."""

    folder: Path
    settings: DreamSettings
    source: SourceSettings
    objective: NamedObjective
    provenance: Provenance
    progress: Progress
    journal: Journal | None = None  # of the folder, if it has one
    overwrite: bool = False
    preloaded: dict[str, Picture] = field(default_factory=dict)  # by output: read already
    masks: MaskSource | None = None
    before_after: bool = False  # whether each picture is also written beside its dream

    @property
    def key(self) -> str:
        """A hash of all that the pictures have in common, to know what was made before."""
        return settings_hash(self.common)

    @property
    def common(self) -> dict[str, object]:
        """All that the pictures have in common, as JSON can hold it."""
        made_by = ("model", "weights_sha256", "precision")
        return {
            **self.settings.recorded(),
            **self.source.recorded(),
            "objective": self.objective.text,
            "files": self.objective.files,
            **{name: getattr(self.provenance, name) for name in made_by},
        }

    def output(self, file: PictureFile) -> Path:
        """Where a picture's dream goes."""
        return self.folder / file.output

    def planned_size(self, file: PictureFile) -> Size:
        """Height and width that a picture is dreamed at, from its header.

        Raises:
            JaxdreamError: it is no picture, or the format of its dream cannot hold this size.
        """
        if file.output in self.preloaded:
            height, width, _ = self.preloaded[file.output].pixels.shape
        else:
            height, width = self.header_size(file)
            if self.source.size is not None:
                height, width = parse_size(self.source.size, height, width)
        formats.picture_format(self.output(file), (height, width))
        return height, width

    def header_size(self, file: PictureFile) -> Size:
        """Height and width of a picture's file, as ``read_size`` gives them."""
        return picture_files.read_size(file.input.path)

    def load(self, file: PictureFile, memory: DecodingMemory) -> Loaded | FileResult:
        """Read a picture, if it is still to be dreamed.

        Args:
            memory: that all threads share.
        """
        sha256 = ""
        try:
            if file.output in self.preloaded:
                return self._loaded(file, self.preloaded.pop(file.output))
            content = picture_bytes(file.input.path)
            sha256 = hashlib.sha256(content).hexdigest()
            if not self.overwrite and self._is_done(file, sha256):
                self.progress.count("skipped")
                return self._result(file, "skipped")
            with memory.reserved(file.input.path):
                return self.decoded(file, content)
        except TargetError:
            raise
        except JaxdreamError as error:
            return self.failed(file, error, sha256)

    def decoded(self, file: PictureFile, content: bytes) -> Loaded:
        """The picture in the bytes of a file, at the size to dream at, with its mask.

        Raises:
            JaxdreamError: it is no picture, or its mask cannot be used.
        """
        picture = picture_files.decode_picture(content, file.input.path)
        return self._loaded(file, self.resized(picture))

    def _loaded(self, file: PictureFile, picture: Picture) -> Loaded:
        if self.source.make_tile and self.settings.seamless is not None:
            picture = make_seamless(picture, self.settings.seamless)
        mask = None if self.masks is None else self.masks.of(picture, str(file.input.path))
        return Loaded(file, picture, mask)

    def resized(self, picture: Picture) -> Picture:
        """A picture at the size to dream at."""
        if self.source.size is None:
            return picture
        size = parse_size(self.source.size, *picture.pixels.shape[:2])
        return picture_files.resize_picture(picture, size)

    def recipe(self, loaded: Loaded, shapes: str) -> Recipe:
        """The recipe of a picture's dream."""
        height, width, _ = loaded.picture.pixels.shape
        return Recipe(
            settings=self.settings,
            source=self.source.replace(seed=loaded.file.seed, size=None),
            size=(height, width),
            objective=self.objective.text,
            files=self.objective.files,
            shapes=shapes,
            input_name=loaded.file.input.path.name,
            input_sha256=loaded.picture.sha256,
            provenance=self.provenance,
        )

    def save(
        self, loaded: Loaded, pixels: AnyArray, shapes: str | None, seconds: float = 0.0
    ) -> FileResult:
        """Write a dream.

        Args:
            pixels: RGB, 0..255, (h, w, 3).
            shapes: its padded shapes, for the recipe; None of an unfinished dream.
            seconds: of the device.
        """
        file, picture = loaded.file, loaded.picture
        path, pixels = self.output(file), np.asarray(pixels)
        try:
            content = self.encoded(loaded, pixels, shapes)
            sha256 = hashlib.sha256(content).hexdigest()
            self._write(file, path, content, self._entry(file, picture.sha256, sha256))
            if self.before_after and shapes is not None:
                sheet = contact_sheet([picture.pixels, pixels], columns=2, gap=0)
                mark = picture_files.mark("sheet")
                picture_files.write_image(formats.before_after_path(path), sheet, recipe=mark)
        except TargetError:
            raise
        except JaxdreamError as error:
            return self.failed(file, error, picture.sha256)
        if picture.alpha is not None and not formats.keeps_alpha(path):
            self.progress.count("without_alpha")
        self.progress.count("dreamed")
        return self._result(file, "dreamed", picture=pixels, seconds=seconds)

    def encoded(self, loaded: Loaded, pixels: AnyArray, shapes: str | None) -> bytes:
        """The bytes of a dream's file; arguments are those of ``save``.

        Raises:
            JaxdreamError: as ``encode_image``.
        """
        recipe = UNFINISHED if shapes is None else self.recipe(loaded, shapes).to_json()
        return picture_files.encode_image(
            self.output(loaded.file), pixels, alpha=loaded.picture.alpha, recipe=recipe
        )

    def failed(self, file: PictureFile, error: JaxdreamError, sha256: str = "") -> FileResult:
        """Note that there is no dream of a picture."""
        path = printable(file.input.path)
        if path not in str(error):
            error = JaxdreamError(f"{path}: {error}")
        if self.journal is not None:
            if not sha256:
                with suppress(JaxdreamError):  # which may be what is wrong with it
                    sha256 = file_hash(file.input.path, "sha256")
            note = self.journal.failed
            self._note(note, file.input.relative_path, sha256, self.key, str(error))
        self.progress.count("failed")
        return self._result(file, "failed", error=error)

    def _is_done(self, file: PictureFile, sha256: str) -> bool:
        if self.journal is None:
            return False
        path = self.output(file)
        try:
            existing = file_hash(path, "sha256") if os.path.lexists(path) else None
        except OSError as error:
            raise JaxdreamError(f"cannot read {path}: {reason(error)}") from error
        if existing is None:
            return False
        if self.journal.has(file.output, self._entry(file, sha256, existing)):
            return True
        if not self.journal.knows(file.output):
            raise JaxdreamError(
                f"{path} exists and is not known to be a dream of {file.input.path}: move it away, "
                "choose another output folder, or give --overwrite"
            )
        return False

    def _write(self, file: PictureFile, path: Path, content: bytes, entry: JournalEntry) -> None:
        def note() -> None:
            if self.journal is not None:
                self._note(self.journal.made, file.output, entry)

        write_whole(path, content, note=note)

    def _note(self, note: Callable[..., None], *values: object) -> None:
        try:
            note(*values)
        except JaxdreamError as error:
            raise TargetError(str(error)) from error

    def _entry(self, file: PictureFile, input_sha256: str, sha256: str) -> JournalEntry:
        return JournalEntry(file.input.relative_path, input_sha256, self.key, sha256)

    def _result(self, file: PictureFile, status, **more) -> FileResult:
        return FileResult(
            file.input.path, file.input.relative_path, self.output(file), status, **more
        )
