"""Weight files on this machine: the bundled one, those in the caches, and any other file.

Weights from the hub are converted once to our layout. A note beside the converted file holds the
hash of its values; a file that does not agree with its note is converted again.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, read_bytes, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import make_folder, remove_temporaries, replacing
from jaxdream.models.weights import hub
from jaxdream.models.weights.registry import RECORDS, WeightsRecord, record_of

if TYPE_CHECKING:
    import numpy as np

Status = Literal["bundled", "cached", "downloadable", "file only"]
_MAX_NOTE = 1 << 20  # bytes


class _Note(msgspec.Struct):
    """What the note beside converted weights holds, as JSON."""

    source: str  # the hub's file
    weights_sha256: str  # of the values


@dataclass(frozen=True)
class LocalWeights:
    """Checked weights, and the file that holds them."""

    path: Path
    arrays: "Mapping[str, np.ndarray]"
    sha256: str  # of the values


def status(record: WeightsRecord) -> Status:
    """Whether a weight file is on this machine, or how to get it. Needs no connection."""
    if record.bundled:
        return "bundled"
    if find(record) is not None:
        return "cached"
    return "downloadable" if record.repo else "file only"


def find(record: WeightsRecord) -> Path | None:
    """The file of these weights on this machine, if there is one. Needs no connection."""
    if record.bundled:
        return bundled_path(record.file)
    if record.repo is None:
        return None
    converted = converted_path(record)
    if _read_note(record) is not None and converted.is_file():
        return converted
    return hub.downloaded(record)


def bundled_path(file: str) -> Path:
    """A weight file that comes with jaxdream: inside the package, or beside it in a checkout.

    Raises:
        JaxdreamError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / file).is_file():
            return folder / file
    raise JaxdreamError(f"{file} is missing from {package / 'weights'}: reinstall jaxdream")


def cache_dir() -> Path:
    """The folder for files that can be made again: ``JAXDREAM_CACHE``, or the user's cache."""
    if chosen := os.environ.get("JAXDREAM_CACHE"):
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise JaxdreamError(f"JAXDREAM_CACHE={chosen}: {reason(error)}") from error
    import platformdirs

    return Path(platformdirs.user_cache_dir("jaxdream", appauthor=False))


def converted_path(record: WeightsRecord) -> Path:
    """The place of a model's converted weights."""
    return cache_dir() / "weights" / f"{record.model}.safetensors"


# Reading any file.


def load_file(name: str, path: Path) -> tuple[WeightsRecord, LocalWeights]:
    """Checked weights from any known kind of file.

    Args:
        name: the model that it holds; "auto" finds it out.
        path: the file.

    Raises:
        JaxdreamError: it cannot be read, is damaged, or does not fit the model.
    """
    return read_file(None if name.lower() == "auto" else record_of(name), path)


def read_file(record: WeightsRecord | None, path: Path) -> tuple[WeightsRecord, LocalWeights]:
    """``load_file`` with the record of the model; without a record, it finds out the model."""
    from jaxdream.models.weights.check import (
        check_weights,
        graph_for,
        read_metadata,
        weights_sha256,
    )
    from jaxdream.models.weights.porting import read_weights

    arrays = read_weights(path)
    asked = record
    record = record or record_of(_model_in(path, arrays))
    try:
        check_weights(arrays, graph_for(record.build(), arrays), source=path)
    except JaxdreamError as error:
        held = None if asked is None else _model_held(path)
        if asked is None or held in (None, asked.model):
            raise
        raise JaxdreamError(
            f"{path} has the weights of {held}, not of {asked.model}: give --model {held}, or "
            "another file"
        ) from error
    sha256 = weights_sha256(arrays)
    if read_metadata(path).get("weights_sha256", sha256) != sha256:
        raise JaxdreamError(
            f"{path} is damaged: the hash in it is not that of its values; get it again"
        )
    return record, LocalWeights(path, arrays, sha256)


def differs_from_published(path: Path) -> bool:
    """Whether a file has the name of a published one, but another hash."""
    return any(
        record.file == path.name
        and (record.sha1 or record.sha256)
        and not _has_hash(path, record, {})
        for record in RECORDS
    )


def _model_in(path: Path, arrays: "Mapping[str, np.ndarray]") -> str:
    """The model a file holds, found by its metadata, by its hash, or by its layers."""
    from jaxdream.models.weights.check import identify, read_metadata

    if name := read_metadata(path).get("jaxdream_model"):
        return name
    hashes: dict[str, str] = {}
    for record in RECORDS:
        if Path(record.file).suffix == path.suffix and _has_hash(path, record, hashes):
            return record.model
    return identify(arrays, source=path)


def _model_held(path: Path) -> str | None:
    """The model whose weights a file has; None if it has those of none."""
    try:
        return read_file(None, path)[0].model
    except JaxdreamError:
        return None


def _has_hash(path: Path, record: WeightsRecord, hashes: dict[str, str]) -> bool:
    """Whether a file is that of the record; false if the record has no hash.

    ``hashes`` keeps those of the file by their algorithm: computing one of a large file takes
    seconds.
    """
    algorithm, known = ("sha256", record.sha256) if record.sha256 else ("sha1", record.sha1)
    if known is None:
        return False
    if algorithm not in hashes:
        hashes[algorithm] = file_hash(path, algorithm)
    return hashes[algorithm].startswith(known)


# Converted weights.


def read_converted(record: WeightsRecord) -> LocalWeights | None:
    """The converted weights, unless they are missing, damaged, or made from another file."""
    note = _read_note(record)
    if note is None:
        return None
    try:
        _, local = read_file(record, converted_path(record))
    except JaxdreamError:
        return None
    return local if local.sha256 == note.weights_sha256 else None


def write_converted(record: WeightsRecord, local: LocalWeights) -> LocalWeights:
    """Keep weights from the hub in our layout.

    Raises:
        JaxdreamError, OSError: they cannot be written.
    """
    from jaxdream.models.weights.check import write_weights

    path = converted_path(record)
    make_folder(path.parent)
    remove_temporaries([path, _note_path(record)])  # of a run that was killed
    # If two processes do so at once, the last wins, with equal values.
    write_weights(path, local.arrays, model=record.model)
    with replacing(_note_path(record)) as file:
        file.write(msgspec.json.encode(_Note(hub.source_of(record), local.sha256)))
    return LocalWeights(path, local.arrays, local.sha256)


def _read_note(record: WeightsRecord) -> _Note | None:
    """The note beside the converted weights, if they were made from this record's file."""
    try:
        note = decode(read_bytes(_note_path(record), limit=_MAX_NOTE), _Note)
    except JaxdreamError:
        return None
    return note if note.source == hub.source_of(record) else None


def _note_path(record: WeightsRecord) -> Path:
    return converted_path(record).with_suffix(".json")
