"""The Hugging Face Hub: its downloads, and one line about the reason if there is none.

All through ``huggingface_hub``, so that the user's own cache, token, mirror and offline switch
apply.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, reason
from jaxdream.models.weights.registry import BUNDLED_MODEL, WeightsRecord

WAYS_OUT = (
    f"use the bundled model (--model {BUNDLED_MODEL}), a file of your own (--weights PATH) "
    "or a mirror (HF_ENDPOINT)"
)
HUB_TIMEOUT = 4.0  # seconds; a program that finds no hub has lost no more than five in all
NO_CONNECTION = "no connection to a hub"


class Unavailable(JaxdreamError):
    """Weights that cannot be downloaded now.

    ``short`` is the reason in a few words, without the ways out.
    """

    def __init__(self, record: WeightsRecord, problem: str, *, short: str | None = None) -> None:
        super().__init__(f"no weights for {record.model}: {problem}; {WAYS_OUT}")
        self.short = short or problem


def source_of(record: WeightsRecord) -> str:
    return f"{record.repo}/{record.file}"


def file_size(record: WeightsRecord, *, timeout: float = HUB_TIMEOUT) -> int:
    """Ask the hub for a file's size in bytes, and so whether a hub has it.

    Takes at most ``timeout`` seconds, also if a name lookup or a connection hangs, and no time if
    ``HF_HUB_OFFLINE`` is set.

    Raises:
        JaxdreamError: there is no hub, or it does not have the file or refuses it.
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
            if found.commit_hash is None:  # such as the login page of a hotel's network
                raise OSError("answers, but is not a hub")
            if not re.fullmatch(r"\w[\w.-]*", found.etag or ""):  # the library makes a path of it
                raise OSError("answers with an invalid ETag")
            answer.append(found.size or 0)
        except Exception as error:
            answer.append(error)

    # In a thread, since no timeout of the library covers name lookups. If it hangs, it is left.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not answer:
        raise Unavailable(
            record, f"no answer from {_endpoint()} in {timeout:g} s", short=NO_CONNECTION
        )
    (size,) = answer
    if isinstance(size, Exception):
        short = NO_CONNECTION if _status_code(size) is None else None
        raise Unavailable(record, _hub_problem(record, size), short=short) from size
    return size


def download(record: WeightsRecord, notify: Callable[[str], None]) -> Path:
    """Download a file into the hub's own cache; ``notify`` gets one line before it begins.

    Raises:
        JaxdreamError: it cannot be downloaded.
    """
    size = file_size(record)
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


def downloaded(record: WeightsRecord) -> Path | None:
    """The file in the hub's own cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(record.repo or "", record.file)
    return Path(found) if isinstance(found, str) else None


def check_download(record: WeightsRecord, path: Path) -> bool:
    """Whether a hash proves that a downloaded file is whole; a damaged one is removed.

    The hub's cache names a large file by its sha256.

    Raises:
        JaxdreamError: the hash differs.
    """
    blob = path.resolve().name
    expected = [("sha256", record.sha256), ("sha1", record.sha1)]
    if re.fullmatch("[0-9a-f]{64}", blob):
        expected.append(("sha256", blob))
    known = [(algorithm, value) for algorithm, value in expected if value]
    for algorithm, value in known:
        if not file_hash(path, algorithm).startswith(value):
            discard(path)
            raise Unavailable(record, f"the downloaded {record.file} is damaged ({algorithm})")
    return bool(known)


def discard(path: Path) -> None:
    """Remove a file from the hub's cache, so that it is downloaded again.

    The entry is a link; a file that it links to outside the cache is not removed.
    """
    from huggingface_hub import constants

    content = path.resolve()
    if content.is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):
        content.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _offline() -> bool:
    """The offline switch as the hub's library reads it, without importing the library."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _hub_problem(record: WeightsRecord, error: Exception) -> str:
    """What went wrong, in a few words."""
    code = _status_code(error)
    if code == 404:
        return f"{_endpoint()} has no {source_of(record)}"
    if code in (401, 403):
        return f"{_endpoint()} refuses {source_of(record)} without a token that may read it"
    if code is not None:
        return f"{_endpoint()} answers with error {code}"
    message = re.sub(r"\[Errno -?\d+\] ", "", reason(error))
    return f"{_endpoint()}: {message}"


def _status_code(error: Exception) -> int | None:
    """The status code of the hub's answer; None if there was no answer."""
    return getattr(getattr(error, "response", None), "status_code", None)
