"""The Hugging Face Hub: its downloads, and one line about the reason if there is none.

All through ``huggingface_hub``, so that the user's own cache, token, mirror and offline switch
apply.
"""

import io
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import file_hash, reason
from jaxdream.models.weights.registry import BUNDLED_MODEL, WeightsRecord

WAYS_OUT = (
    f"use the bundled model (--model {BUNDLED_MODEL}), a file of your own (--weights PATH) "
    "or a mirror (HF_ENDPOINT)"
)
HUB_TIMEOUT = 4.0  # seconds; a program that finds no hub has lost no more than five in all
NO_CONNECTION = "no connection to a hub"
# A download that brings less than this in so many seconds is given up.
SLOWEST = 20_000  # bytes a second
PATIENCE = 15.0  # seconds
_MAX_BYTES = 2 << 30


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

    def ask() -> int:
        get_hf_file_metadata, hf_hub_url = _library("get_hf_file_metadata", "hf_hub_url")
        url = hf_hub_url(record.repo or "", record.file)
        found = get_hf_file_metadata(url, timeout=timeout)
        if found.commit_hash is None:  # such as the login page of a hotel's network
            raise OSError("answers, but is not a hub")
        if not re.fullmatch(r"\w[\w.-]*", found.etag or ""):  # the library makes a path of it
            raise OSError("answers with an invalid ETag")
        if not 0 <= (found.size or 0) <= _MAX_BYTES:
            raise OSError(f"answers with a file of {found.size} bytes")
        return found.size or 0

    # No timeout of the library covers name lookups.
    call = _Call(ask)
    call.join(deadline - time.monotonic())
    if call.hangs:
        raise Unavailable(
            record, f"no answer from {_endpoint()} in {timeout:g} s", short=NO_CONNECTION
        )
    if call.error is not None:
        short = NO_CONNECTION if _status_code(call.error) is None else None
        raise Unavailable(record, _hub_problem(record, call.error), short=short) from call.error
    return call.result


def download(record: WeightsRecord, notify: Callable[[str], None]) -> Path:
    """Download a file into the hub's own cache; ``notify`` gets one line before it begins.

    Raises:
        JaxdreamError: it cannot be downloaded, or comes slower than ``SLOWEST``.
    """
    size = file_size(record)
    megabytes = round(size / 1e6) if size >= 1e6 else size / 1e6
    notify(
        f"downloading {record.file} ({megabytes:.2g} MB) for {record.model} from {_endpoint()}"
        f"/{record.repo}; licence: {record.licence}"
    )
    counter = _Counter(size)
    call = _Call(lambda: _download(record, counter))
    received, begun = 0, time.monotonic()
    while call.hangs:
        call.join(0.2)
        if time.monotonic() - begun > PATIENCE:
            if counter.bytes - received < SLOWEST * PATIENCE and call.hangs:
                counter.stopped = True  # the thread ends with the next bytes, or with the process
                problem = f"{_endpoint()} sent {counter.bytes - received} bytes in {PATIENCE:g} s"
                raise Unavailable(record, problem, short="the download hangs")
            received, begun = counter.bytes, time.monotonic()
    if call.error is not None:
        raise Unavailable(record, _hub_problem(record, call.error)) from call.error
    return call.result


class _Call:
    """A call in a thread of its own, which is left where it hangs."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._function()
        except Exception as error:
            self.error = error

    def join(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    @property
    def hangs(self) -> bool:
        return self._thread.is_alive()


@dataclass
class _Counter:
    """Of the bytes of a download."""

    expected: int
    bytes: int = 0
    stopped: bool = False

    def add(self, count: int | float | None) -> None:
        self.bytes += int(count or 0)
        if self.stopped or self.bytes > max(self.expected, 1) + SLOWEST:
            raise OSError("sends more than the file")


def _download(record: WeightsRecord, counter: _Counter) -> Path:
    from huggingface_hub.utils import tqdm

    (hf_hub_download,) = _library("hf_hub_download")

    class Counted(tqdm):  # how the library tells what it has received
        def update(self, n: int | float | None = 1) -> bool | None:
            counter.add(n)
            return super().update(n)

    # Its own lines, about every attempt, say less than ours.
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return Path(
            hf_hub_download(
                record.repo or "", record.file, library_name="jaxdream", tqdm_class=Counted
            )
        )
    finally:
        logger.setLevel(level)


def downloaded(record: WeightsRecord) -> Path | None:
    """The file in the hub's own cache, if it is there."""
    try:
        (try_to_load_from_cache,) = _library("try_to_load_from_cache")
    except ValueError:  # HF_ENDPOINT is not a valid address, which ``download`` reports
        return None
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
    content = path.resolve()
    if content.is_relative_to(cache_folder().resolve()):
        content.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _offline() -> bool:
    """The offline switch as the hub's library reads it, without importing the library."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def _library(*names: str) -> list[Any]:
    """Functions of huggingface_hub, which prints what is wrong when it is imported.

    Raises:
        ValueError: ``HF_ENDPOINT`` is no address.
    """
    import huggingface_hub

    with redirect_stdout(io.StringIO()):
        return [getattr(huggingface_hub, name) for name in names]


def _endpoint() -> str:
    try:
        from huggingface_hub import constants
    except ValueError:
        return os.environ["HF_ENDPOINT"]
    return constants.ENDPOINT


def cache_folder() -> Path:
    """The hub's own cache.

    Raises:
        JaxdreamError: ``HF_ENDPOINT`` is no address.
    """
    try:
        from huggingface_hub import constants
    except ValueError as error:
        endpoint = os.environ["HF_ENDPOINT"]
        raise JaxdreamError(f"HF_ENDPOINT={endpoint} is no address: {reason(error)}") from error
    return Path(constants.HF_HUB_CACHE)


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
