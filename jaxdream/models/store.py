"""Where weights come from, and the one function that turns a name or a file into a model.

Weights are looked for in the package, then among those converted before (``cache_dir``), then in
the Hugging Face hub's own cache, and only then on the hub. What comes from the hub is converted
once to our layout; a note beside the converted file holds the hash of its values, and a file that
does not agree with its note is made again.
"""

import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jaxdream.errors import JaxdreamError
from jaxdream.models.registry import (
    BUNDLED_MODEL,
    CLASSIC_MODEL,
    RECORDS,
    WeightsRecord,
    record_of,
)

if TYPE_CHECKING:
    import numpy as np

    from jaxdream.models.network import Network

Notify = Callable[[str], None]
Status = Literal["bundled", "cached", "downloadable", "file only"]

WAYS_OUT = (
    f"use the bundled model (--model {BUNDLED_MODEL}), a file of your own (--weights PATH) "
    "or a mirror (HF_ENDPOINT)"
)
HUB_TIMEOUT = 4.0  # seconds; leaves one for the rest, so that "no hub" is known within five


class Unavailable(JaxdreamError):
    """Weights that cannot be had now; ``problem`` is the message without the ways out."""

    def __init__(self, record: WeightsRecord, problem: str) -> None:
        super().__init__(f"no weights for {record.model}: {problem}; {WAYS_OUT}")
        self.problem = problem


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
    notify: Notify | None = None,
) -> "Network":
    """A pretrained network, by name or from a weight file.

    Args:
        name: a model of the registry (``jaxdream models`` lists them). "auto" is the model that
            ``weights`` holds; without ``weights`` the GoogLeNet of 2015 if it is here or can be
            downloaded, else the small network that comes with the package.
        weights: a ``.safetensors``, ``.caffemodel``, ``.onnx``, ``.pth`` or ``.bin`` file.
        notify: called with each line the user should see: a download (before it begins), which
            network "auto" chose, a file that is not what its name says. By default the lines go
            to the logger "jaxdream", as warnings.

    Returns:
        The network; its pictures are float32, RGB, (h, w, 3), 0..255 (``model.preprocess``).

    Raises:
        JaxdreamError: an unknown name; weights that cannot be had, read, or do not fit the model.
    """
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
    )


def read_model(path: Path, name: str = "auto") -> tuple[str, "Mapping[str, np.ndarray]"]:
    """The model that a weight file holds, and its weights in our layout, checked.

    Args:
        path: a weight file of any kind that ``load_model`` takes.
        name: the model it must be; "auto" finds out.

    Raises:
        JaxdreamError: the file cannot be read or is not of this model, or of any.
    """
    record, local = _read(None if name == "auto" else record_of(name), path)
    return record.model, local.arrays


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
    return _downloaded(record)


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
    package = Path(__file__).resolve().parents[1]
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
        problem = error.problem if isinstance(error, Unavailable) else error
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
    from jaxdream.models.loader import check_weights, weights_sha256
    from jaxdream.models.porting import read_weights

    arrays = read_weights(path)
    record = record or record_of(_model_in(path, arrays))
    check_weights(arrays, record.build(), source=path)
    return record, LocalWeights(path, arrays, weights_sha256(arrays))


def _model_in(path: Path, arrays: "Mapping[str, np.ndarray]") -> str:
    """The model a file holds: as it says itself, by its hash, or by its layers."""
    from jaxdream.models.loader import identify, read_model_name

    if name := read_model_name(path):
        return name
    for record in RECORDS:
        if Path(record.file).suffix == path.suffix and _has_hash_of(path, record):
            return record.model
    return identify(arrays, source=path)


def _has_hash_of(path: Path, record: WeightsRecord) -> bool:
    """Whether a file is the one on record; a record without a hash is no file's."""
    algorithm, known = ("sha256", record.sha256) if record.sha256 else ("sha1", record.sha1)
    return known is not None and _file_hash(path, algorithm).startswith(known)


def _file_hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


# Fetching and converting.


def _fetch(record: WeightsRecord, notify: Notify) -> LocalWeights:
    if record.bundled:
        return _read(record, bundled_path(record.file))[1]
    if record.repo is None:
        raise JaxdreamError(f"{record.file} cannot be downloaded: pass it with --weights PATH")
    if converted := _read_converted(record):
        return converted
    if source := _downloaded(record):
        try:
            return _convert(record, source, notify)
        except JaxdreamError as error:
            if source.exists():  # undamaged, so another copy would be no better
                raise
            notify(f"{error}; downloading it again")
    return _convert(record, _download(record, notify), notify)


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
    proved = _check_download(record, source)
    try:
        _, local = _read(record, source)
    except JaxdreamError:
        if not proved:
            _discard(source)
        raise
    try:
        return _write_converted(record, local)
    except (JaxdreamError, OSError) as error:
        notify(f"cannot keep converted weights ({_one_line(error)}); dreaming without keeping them")
        return local


def _write_converted(record: WeightsRecord, local: LocalWeights) -> LocalWeights:
    from jaxdream.models.loader import write_weights

    path = converted_path(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {"source": _source(record), "weights_sha256": local.sha256}
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
        return note if note["source"] == _source(record) and note["weights_sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _source(record: WeightsRecord) -> str:
    return f"{record.repo}/{record.file}"


# The hub.


def hub_file(record: WeightsRecord, *, timeout: float = HUB_TIMEOUT) -> int:
    """Ask the hub for a file's size in bytes, and so whether there is a hub that has it.

    Takes at most ``timeout`` seconds, also where a name lookup or a connection hangs, and none
    when ``HF_HUB_OFFLINE`` is set.

    Raises:
        JaxdreamError: no hub, or it does not have the file or does not give it.
    """
    if _offline():
        raise Unavailable(record, "HF_HUB_OFFLINE is set")
    deadline = time.monotonic() + timeout
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    answer: list[int | Exception] = []

    def ask() -> None:
        try:
            url = hf_hub_url(record.repo or "", record.file)
            found = get_hf_file_metadata(url, timeout=timeout)
            if found.commit_hash is None:  # a portal's login page, say
                raise OSError("answers, but is not a hub")
            answer.append(found.size or 0)
        except Exception as error:
            answer.append(error)

    # A thread, since no timeout of the library covers name lookups; left behind if it hangs.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not answer:
        raise Unavailable(record, f"no answer from {_endpoint()} in {timeout:g} s")
    if isinstance(answer[0], Exception):
        raise Unavailable(record, _hub_problem(record, answer[0])) from answer[0]
    return answer[0]


def _download(record: WeightsRecord, notify: Notify) -> Path:
    size = hub_file(record)
    megabytes = round(size / 1e6) if size >= 1e6 else size / 1e6
    notify(
        f"downloading {record.file} ({megabytes:.2g} MB) for {record.model} from {_endpoint()}"
        f"/{record.repo}; licence: {record.licence}"
    )
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(record.repo or "", record.file, library_name="jaxdream"))
    except Exception as error:
        raise Unavailable(record, _hub_problem(record, error)) from error


def _downloaded(record: WeightsRecord) -> Path | None:
    """The file in the hub's own cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(record.repo or "", record.file)
    return Path(found) if isinstance(found, str) else None


def _check_download(record: WeightsRecord, path: Path) -> bool:
    """Whether a downloaded file is proved whole by a hash; a damaged one is removed.

    The hub names a large file in its cache by the file's own sha256.

    Raises:
        JaxdreamError: the hash differs.
    """
    blob = path.resolve().name
    expected = [("sha256", record.sha256), ("sha1", record.sha1)]
    if re.fullmatch("[0-9a-f]{64}", blob):
        expected.append(("sha256", blob))
    known = [(algorithm, value) for algorithm, value in expected if value]
    for algorithm, value in known:
        if not _file_hash(path, algorithm).startswith(value):
            _discard(path)
            raise Unavailable(record, f"the downloaded {record.file} is damaged ({algorithm})")
    return bool(known)


def _discard(path: Path) -> None:
    """Remove a file from the hub's cache, so that it is downloaded afresh."""
    for name in (path.resolve(), path):
        name.unlink(missing_ok=True)


def _offline() -> bool:
    """As the hub's library reads it, but without importing the library."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _hub_problem(record: WeightsRecord, error: Exception) -> str:
    """What went wrong, in a few words."""
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    if code == 404:
        return f"{_endpoint()} has no {_source(record)}"
    if code in (401, 403):
        return f"{_endpoint()} does not give {_source(record)} without a token that may read it"
    if code is not None:
        return f"{_endpoint()} answers with error {code}"
    return f"{_endpoint()}: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = re.sub(r"\[Errno -?\d+\] ", "", str(error)).strip() or type(error).__name__
    return message.splitlines()[0]
