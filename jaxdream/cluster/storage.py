"""Files in folders and in object stores, by fsspec: read in pieces, written whole or not at all.

A place is a path of this machine, or a URL that fsspec knows. What a store refuses for a moment is
asked again; what it refuses for good is one line.
"""

import errno
import glob
import os
import random
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from jaxdream.cluster.optional import imported
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import MAX_BYTES, printable, read_bytes, reason
from jaxdream.folder.targets import TargetError, write_whole, write_whole_by

Result = TypeVar("Result")

# Stores in which a file is there when it is whole, by themselves.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory", "oci", "oss"})
_TRIES = 5
_FIRST_WAIT = 0.2  # seconds, doubled each time
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class StoreError(JaxdreamError):
    """A store that answered with errors until there was no more patience."""


def is_local(place: str) -> bool:
    """Whether a place is a path of the machine that looks."""
    return "://" not in place or place.startswith(("file://", "local://"))


def local_path(place: str) -> Path:
    """The absolute path of a place of this machine."""
    text = place.partition("://")[2] if "://" in place else place
    return Path(os.path.abspath(text))


def joined(place: str, name: str) -> str:
    """The place of a file by its name, relative and with slashes."""
    return f"{place.rstrip('/')}/{name}"


def opened_store(place: str) -> tuple[Any, str]:
    """The file system of fsspec that a place is in, and the path in it.

    Raises:
        JaxdreamError: no such kind of store is known, or its package is not installed.
    """
    fsspec = imported("fsspec")

    try:
        return fsspec.core.url_to_fs(place)
    except (ImportError, ValueError, OSError) as error:
        raise JaxdreamError(f"cannot open {printable(place)}: {reason(error)}") from None


def patiently(place: str, operation: Callable[[], Result]) -> Result:
    """What an operation on a store gives; asked again, a few times, where the store fails.

    Raises:
        StoreError: it fails still.
        JaxdreamError: there is no such file, or no permission.
    """
    for attempt in range(_TRIES):
        try:
            return operation()
        except FileNotFoundError:
            raise JaxdreamError(f"{printable(place)}: no such file") from None
        except _FINAL as error:
            raise JaxdreamError(f"cannot read {printable(place)}: {reason(error)}") from error
        except JaxdreamError:
            raise
        except Exception as error:  # of the store's own package: any type
            final = isinstance(error, OSError) and error.errno in _FULL
            if final or attempt == _TRIES - 1:
                raise StoreError(f"{printable(place)}: the store fails: {reason(error)}") from error
            # Not all workers at the same moment.
            time.sleep(_FIRST_WAIT * 2**attempt * random.uniform(0.5, 1.5))
    raise AssertionError


def read_place(place: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes of a file, or a part of them.

    Args:
        start, end: of the part; by default all.

    Raises:
        JaxdreamError: as ``patiently``.
    """
    if is_local(place) and start is None:
        return read_bytes(local_path(place))
    store, path = opened_store(place)
    return patiently(place, lambda: store.cat_file(path, start=start, end=end))


def read_if_there(place: str) -> bytes | None:
    """The bytes of a file; None if there is none.

    Raises:
        JaxdreamError: as ``patiently``.
    """
    if is_local(place):
        path = local_path(place)
        return read_bytes(path) if os.path.lexists(path) else None
    store, path = opened_store(place)

    def read() -> bytes | None:
        try:
            return store.cat_file(path)
        except FileNotFoundError:
            return None

    return patiently(place, read)


def write_place(place: str, content: bytes) -> None:
    """Write a file, which is there whole or not at all.

    Raises:
        TargetError: nothing more can be written there.
        JaxdreamError: it cannot have this name.
    """
    if is_local(place):
        write_whole(local_path(place), content)
    else:
        _put(place, lambda store, path: store.pipe_file(path, content))


def write_place_by(place: str, write: Callable[[BinaryIO], None]) -> None:
    """Write a file by a function that is given it; it is there whole or not at all.

    It may be larger than the memory: a store gets it from this machine's folder for temporary
    files, where it is as long as that takes.

    Raises:
        TargetError: nothing more can be written there.
        JaxdreamError: it cannot have this name, or the function's own.
    """
    if is_local(place):
        write_whole_by(local_path(place), write)
        return
    with tempfile.TemporaryDirectory(prefix="jaxdream-shard-") as folder:
        whole = Path(folder) / "whole"
        write_whole_by(whole, write)
        _put(place, lambda store, path: store.put_file(str(whole), path))


def _put(place: str, put: Callable[[Any, str], None]) -> None:
    """Have a function put a file into a store, which has it whole or not at all."""
    store, path = opened_store(place)

    def write() -> None:
        if _protocols(store) & _WHOLE:
            put(store, path)
            return
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/.{name}.{secrets.token_hex(4)}"
        store.makedirs(folder, exist_ok=True)
        put(store, temporary)
        store.mv(temporary, path)

    try:
        patiently(place, write)
    except JaxdreamError as error:
        raise TargetError(f"cannot write: {error}") from error


def _protocols(store: Any) -> set[str]:
    return {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)


def files_below(place: str) -> set[str]:
    """The names of all files in a folder, from there on; none if there is no folder.

    Raises:
        JaxdreamError: as ``patiently``.
    """
    store, path = opened_store(place)

    def found() -> list[str]:
        store.invalidate_cache()
        try:
            return store.find(path)
        except FileNotFoundError:
            return []

    base = path.rstrip("/") + "/"
    return {name.removeprefix(base) for name in patiently(place, found)}


def remove_file(place: str) -> None:
    """Delete a file; nothing if there is none.

    Raises:
        JaxdreamError: it cannot be deleted.
    """
    store, path = opened_store(place)

    def remove() -> None:
        with suppress(FileNotFoundError):
            store.rm_file(path)

    patiently(place, remove)


def remove_folder(place: str) -> None:
    """Delete a folder with everything in it; nothing if there is none.

    Raises:
        JaxdreamError: it cannot be deleted.
    """
    store, path = opened_store(place)
    if not _protocols(store) & _WHOLE:
        if patiently(place, lambda: store.exists(path)):
            patiently(place, lambda: store.rm(path, recursive=True))
        return
    # Here folders are but names of files. Many are deleted by one request, but not patterns.
    files = [joined(place, name) for name in sorted(files_below(place))]
    plain = [opened_store(one)[1] for one in files if not glob.has_magic(one)]
    if plain:
        patiently(place, lambda: store.rm(plain))
    for one in files:
        if glob.has_magic(one):
            remove_file(one)


def check_size(place: str, size: int | None) -> None:
    """Make sure that a file is not too large to be read.

    Raises:
        JaxdreamError: it is.
    """
    if size is not None and size > MAX_BYTES:
        raise JaxdreamError(f"{printable(place)} is too large: {size:,} bytes")
