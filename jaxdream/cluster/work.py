"""What goes from stage to stage of a run over a cluster: the run, and a batch of its pictures."""

import io
import pickle
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jaxdream.cluster.entries import Entry, entry_size
from jaxdream.cluster.manifest import Row
from jaxdream.cluster.storage import joined
from jaxdream.folder.pipeline import Job
from jaxdream.folder.worker import FileWork, Loaded, PictureFile, Progress
from jaxdream.types import Size

UNFINISHED = ".jaxdream-parts"  # in the output folder: dreams whose shard is not written yet


@dataclass(frozen=True)
class PlaceWork(FileWork):
    """``FileWork`` for pictures that fsspec reads and writes; by name, where each is."""

    place: str = ""  # of the output folder
    shards: str | None = None  # what dreams are written into: "tar", "parquet"; None for files
    entries: dict[str, Entry] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        # Each process counts for itself.
        return {**self.__dict__, "progress": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, progress=Progress())

    @property
    def files_place(self) -> str:
        """The place of dreams as files; of those for a shard, until that is written."""
        return self.place if self.shards is None else joined(self.place, UNFINISHED)

    def target(self, file: PictureFile) -> str:
        """The place where a dream is written."""
        return joined(self.files_place, file.output)

    def header_size(self, file: PictureFile) -> Size:
        return entry_size(self.entries[file.input.relative_path])


class Planning(NamedTuple):
    """What the batches of a run depend on, beside the pictures."""

    max_batch: int | None
    budget_bytes: int  # for a batch, on each device
    device_count: int  # that share the pictures of a batch
    platform: str


@dataclass
class Work:
    """Some pictures on their way, by their slots in a batch, and what came of others."""

    part: int  # of the list, that they are from
    entries: tuple[Entry, ...]
    files: tuple[PictureFile, ...]
    job: Job | None = None  # when it is planned; its files are these
    before: dict[str, Row] = field(default_factory=dict)  # of the manifest, by name
    kept: dict[str, Entry] = field(default_factory=dict)  # dreams in shards that are there, by name
    loaded: dict[int, Loaded] = field(default_factory=dict)
    shapes: dict[int, str] = field(default_factory=dict)  # when it is dreamed
    seconds: dict[int, float] = field(default_factory=dict)
    worker: str = ""
    rows: list[Row] = field(default_factory=list)

    def dumps(self) -> bytes:
        """As bytes, in which pictures of whole levels take a byte for each."""
        file = io.BytesIO()
        _Packer(file, protocol=5).dump(self)
        return file.getvalue()


class _Packer(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is np.ndarray and obj.dtype == np.float32 and obj.ndim == 3:
            with np.errstate(invalid="ignore"):
                levels = obj.astype(np.uint8)
            if np.array_equal(levels, obj):
                return _unpacked, (levels,)
        return NotImplemented


def _unpacked(levels: np.ndarray) -> np.ndarray:
    return levels.astype(np.float32)
