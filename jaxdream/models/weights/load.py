"""Where weights come from, and the one function that turns a name or a file into a model.

Weights are looked for in the package, then among those converted before (``cache_dir``), then in
the Hugging Face hub's own cache, and only then on the hub. What comes from the hub is converted
once to our layout; a note beside the converted file holds the hash of its values, and a file that
does not agree with its note is made again.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash
from jaxdream.models.weights import hub
from jaxdream.models.weights.registry import (
    BUNDLED_MODEL,
    CLASSIC_MODEL,
    RECORDS,
    Precision,
    WeightsRecord,
    record_of,
)

if TYPE_CHECKING:
    import numpy as np

    from jaxdream.models.network import Network

Notify = Callable[[str], None]
Status = Literal["bundled", "cached", "downloadable", "file only"]


@dataclass(frozen=True)
class LocalWeights:
    """Checked weights, and the file that holds them."""

    path: Path
    arrays: "Mapping[str, np.ndarray]"
    sha256: str  # of the values


def load_model(
    name: str = "auto",
    *,
    weights: str | os.PathLike | None = None,
    precision: Precision = "float32",
    notify: Notify | None = None,
) -> "Network":
    """A pretrained network, by name or from a weight file.

    Args:
        name: a model of the registry (``jaxdream models`` lists them). "auto" is the model that
            ``weights`` holds; without ``weights`` the GoogLeNet of 2015 if it is here or can be
            downloaded, else the small network that comes with the package.
        weights: a ``.safetensors``, ``.caffemodel``, ``.onnx``, ``.pth`` or ``.bin`` file.
        precision: "float32", which is exact, or "bfloat16": faster on accelerators made for it, in
            half the memory, and not quite the same dream.
        notify: called with each line the user should see: a download (before it begins), which
            network "auto" chose, a file that is not what its name says. By default the lines go
            to the logger "jaxdream", as warnings.

    Returns:
        The network; its pictures are float32, RGB, (h, w, 3), 0..255 (``model.preprocess``).

    Raises:
        JaxdreamError: an unknown name or precision; weights that cannot be had, read, or do not
            fit the model.
    """
    if precision not in get_args(Precision):
        raise JaxdreamError(f"precision is float32 or bfloat16, not {precision}")
    notify = notify or logging.getLogger("jaxdream").warning
    if weights is not None:
        record, local = load_file(name, Path(weights), notify)
    elif name == "auto":
        record, local = _load_auto(notify)
    else:
        record = record_of(name)
        local = _fetch(record, notify)
    from jaxdream.models.network import Network

    return Network(
        record.model,
        record.build(),
        record.pixels,
        record.default_layer,
        local.arrays,
        local.sha256,
        precision=precision,
    )


def local_model() -> str:
    """The model that "auto" means on this machine as it is. Asks no network."""
    return CLASSIC_MODEL if find(record_of(CLASSIC_MODEL)) else BUNDLED_MODEL


def status(record: WeightsRecord) -> Status:
    """Whether a weight file is here, or how to get it. Asks no network."""
    if record.bundled:
        return "bundled"
    if find(record) is not None:
        return "cached"
    return "downloadable" if record.repo else "file only"


def find(record: WeightsRecord) -> Path | None:
    """The local file that holds these weights, if there is one. Asks no network."""
    if record.bundled:
        return bundled_path(record.file)
    if record.repo is None:
        return None
    converted = converted_path(record)
    if _read_note(record) is not None and converted.is_file():
        return converted
    return hub.downloaded(record)


def obtain(record: WeightsRecord, *, notify: Notify) -> Path:
    """The local file that holds these weights, checked; downloaded and converted if need be.

    Args:
        record: which weights.
        notify: called with one line before a download begins.

    Raises:
        JaxdreamError: they are not here and cannot be downloaded; names the ways out.
    """
    return _fetch(record, notify).path


def bundled_path(file: str) -> Path:
    """A weight file that comes with the package: in a wheel inside it, in a checkout beside it.

    Raises:
        JaxdreamError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / file).is_file():
            return folder / file
    raise JaxdreamError(f"{file} is missing from {package / 'weights'}: reinstall jaxdream")


def cache_dir() -> Path:
    """Where jaxdream keeps what it can make again: ``JAXDREAM_CACHE`` or the user's cache."""
    if chosen := os.environ.get("JAXDREAM_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("jaxdream", appauthor=False))


def converted_path(record: WeightsRecord) -> Path:
    """Where the converted weights of a model are kept."""
    return cache_dir() / "weights" / f"{record.model}.safetensors"


# Choosing.


def _load_auto(notify: Notify) -> tuple[WeightsRecord, LocalWeights]:
    classic = record_of(CLASSIC_MODEL)
    try:
        local = _fetch(classic, notify)
    except JaxdreamError as error:
        bundled = record_of(BUNDLED_MODEL)
        problem = error.problem if isinstance(error, hub.Unavailable) else error
        local = _fetch(bundled, notify)
        notify(
            f"dreaming with {bundled.model}, the small network that comes with jaxdream "
            f"({problem}); for the classic {classic.model}: connect to a hub (HF_ENDPOINT "
            "names a mirror) or pass its file with --weights PATH"
        )
        return bundled, local
    notify(f"dreaming with {classic.model}: {classic.summary}")
    return classic, local


def load_file(name: str, path: Path, notify: Notify) -> tuple[WeightsRecord, LocalWeights]:
    """Checked weights from any known file; "auto" finds out which model they are of.

    Raises:
        JaxdreamError: it cannot be read, or does not fit the model.
    """
    record, local = _read(None if name == "auto" else record_of(name), path)
    published = next((r for r in RECORDS if r.file == path.name and (r.sha1 or r.sha256)), None)
    if published and not _has_hash_of(path, published):
        notify(
            f"{path} is not the published {published.file} (its hash differs, as that of a copy "
            f"saved without auxiliary heads does); its weights fit {record.model} and are used"
        )
    return record, local


def _read(record: WeightsRecord | None, path: Path) -> tuple[WeightsRecord, LocalWeights]:
    """Read and check a file; without a record, of the model it holds."""
    from jaxdream.models.weights.check import check_weights, weights_sha256
    from jaxdream.models.weights.porting import read_weights

    arrays = read_weights(path)
    record = record or record_of(_model_in(path, arrays))
    check_weights(arrays, record.build(), source=path)
    return record, LocalWeights(path, arrays, weights_sha256(arrays))


def _model_in(path: Path, arrays: "Mapping[str, np.ndarray]") -> str:
    """The model a file holds: as it says itself, by its hash, or by its layers."""
    from jaxdream.models.weights.check import identify, read_model_name

    if name := read_model_name(path):
        return name
    for record in RECORDS:
        if Path(record.file).suffix == path.suffix and _has_hash_of(path, record):
            return record.model
    return identify(arrays, source=path)


def _has_hash_of(path: Path, record: WeightsRecord) -> bool:
    """Whether a file is the one on record; a record without a hash is no file's."""
    algorithm, known = ("sha256", record.sha256) if record.sha256 else ("sha1", record.sha1)
    return known is not None and file_hash(path, algorithm).startswith(known)


# Fetching and converting.


def _fetch(record: WeightsRecord, notify: Notify) -> LocalWeights:
    if record.bundled:
        return _read(record, bundled_path(record.file))[1]
    if record.repo is None:
        raise JaxdreamError(f"{record.file} cannot be downloaded: pass it with --weights PATH")
    if converted := _read_converted(record):
        return converted
    if source := hub.downloaded(record):
        try:
            return _convert(record, source, notify)
        except JaxdreamError as error:
            if source.exists():  # undamaged, so another copy would be no better
                raise
            notify(f"{error}; downloading it again")
    return _convert(record, hub.download(record, notify), notify)


def _read_converted(record: WeightsRecord) -> LocalWeights | None:
    """The converted weights, unless they are missing, damaged, or made from another file."""
    note = _read_note(record)
    if note is None:
        return None
    try:
        _, local = _read(record, converted_path(record))
    except (JaxdreamError, OSError):
        return None
    return local if local.sha256 == note["weights_sha256"] else None


def _convert(record: WeightsRecord, source: Path, notify: Notify) -> LocalWeights:
    """Check a downloaded file and keep it in our layout; a damaged one is removed."""
    proved = hub.check_download(record, source)
    try:
        _, local = _read(record, source)
    except JaxdreamError:
        if not proved:
            hub.discard(source)
        raise
    try:
        return _write_converted(record, local)
    except (JaxdreamError, OSError) as error:
        notify(
            f"cannot keep converted weights ({hub.one_line(error)}); dreaming without keeping them"
        )
        return local


def _write_converted(record: WeightsRecord, local: LocalWeights) -> LocalWeights:
    from jaxdream.models.weights.check import write_weights

    path = converted_path(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {"source": hub.source_of(record), "weights_sha256": local.sha256}
    # Each process writes names of its own, then renames: of two the last wins, with equal values.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        made, noted = Path(folder, path.name), Path(folder, "note.json")
        write_weights(made, local.arrays, model=record.model)
        noted.write_text(json.dumps(note))
        os.replace(made, path)
        os.replace(noted, path.with_suffix(".json"))
    return LocalWeights(path, local.arrays, local.sha256)


def _read_note(record: WeightsRecord) -> dict[str, str] | None:
    """What was recorded of the converted weights, if they were made from this record's file."""
    try:
        note = json.loads(converted_path(record).with_suffix(".json").read_text())
        return note if note["source"] == hub.source_of(record) and note["weights_sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
