"""Reading files that others made: only regular files, never one that is too large, no surprises.

Every failure is a ``JaxdreamError`` of one line that names the file.
"""

import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from jaxdream.errors import JaxdreamError

PathLike = str | os.PathLike[str]

# Enough for every picture that is decoded at all: 178 million pixels of 4 x 16 bits are 1.4 GB.
MAX_BYTES = 2 << 30
_LONGEST_LINE = 1000  # characters
_BLOCK = 1 << 20
# Of these, POSIX systems have the first and Windows the others.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_BINARY", "O_NOINHERIT"))
# Control characters of ASCII and Latin-1, line and paragraph separators, the characters that turn
# the direction of writing, and lone surrogates, which stand for bytes that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bytes(path: PathLike, *, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        limit: the largest size that is read, in bytes.

    Raises:
        JaxdreamError: as ``open_regular``, or the content does not fit into memory.
    """
    with open_regular(path, limit=limit) as file, _explained(path):
        return file.read(os.fstat(file.fileno()).st_size)


@contextmanager
def open_regular(path: PathLike, *, limit: int = MAX_BYTES) -> Iterator[io.BufferedReader]:
    """A regular file, opened for reading bytes. Symbolic links are followed.

    Pipes, sockets and devices are refused before they are opened, because opening one can wait
    for ever or change it.

    Args:
        limit: the largest size that is opened, in bytes.

    Raises:
        JaxdreamError: there is no such file, it is not a regular file, it is larger than
            ``limit``, its name is impossible, or there is no permission to read it.
    """
    with _explained(path):
        _check_kind(path, os.stat(path))
        # The file may have been replaced since: so that also a pipe is opened without waiting.
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        file = os.fdopen(descriptor, "rb")
    with file:
        status = os.fstat(file.fileno())
        _check_kind(path, status)
        if status.st_size > limit:
            raise JaxdreamError(
                f"{printable(path)} is too large: {_size(status.st_size)}, at most {_size(limit)}"
            )
        yield file


def file_hash(path: PathLike, algorithm: str, *, limit: int = MAX_BYTES) -> str:
    """Hexadecimal hash of a regular file's bytes.

    Args:
        algorithm: as ``hashlib.new`` knows it: ``"sha256"``, ``"sha1"``.
        limit: the largest size that is read, in bytes.

    Raises:
        JaxdreamError: as ``open_regular``.
    """
    digest = hashlib.new(algorithm)
    with open_regular(path, limit=limit) as file, _explained(path):
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def reason(error: BaseException) -> str:
    """Why an operation failed: one line, without the number of an operating system's error."""
    text = getattr(error, "strerror", None) or str(error)
    text = re.sub(r"\[(Errno|WinError) -?\d+\] ", "", str(text)).strip()
    return printable(text.splitlines()[0]) if text else type(error).__name__


def as_line(text: str) -> str:
    """A text as one line of a message: printable, and not longer than a terminal's screen."""
    line = printable(text)
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def printable(text: PathLike) -> str:
    """Text or a path as it can be shown on one line of any terminal.

    Control characters (line breaks, escape codes), characters that change the direction of
    writing and bytes that are not UTF-8 become ``?``.
    """
    return _UNPRINTABLE.sub("?", os.fspath(text))


@contextmanager
def _explained(path: PathLike) -> Iterator[None]:
    """Failures of the operating system as one line that names the file."""
    name = printable(path) or "''"
    try:
        yield
    except JaxdreamError:
        raise
    except FileNotFoundError:
        raise JaxdreamError(f"{name}: no such file") from None
    except MemoryError as error:
        raise JaxdreamError(f"{name} does not fit into memory") from error
    except (OSError, ValueError) as error:  # ValueError: a null character, or no valid Unicode
        raise JaxdreamError(f"cannot read {name}: {reason(error)}") from error


def _check_kind(path: PathLike, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise JaxdreamError(f"{printable(path)} is a folder: name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise JaxdreamError(f"{printable(path)} is {kind_of(status)}, not a regular file")


def kind_of(status: os.stat_result) -> str:
    """What a path that is neither a regular file nor a folder is: ``"a pipe"``, ``"a device"``."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "something else")


def _size(count: int) -> str:
    """A number of bytes in the largest decimal unit that leaves 1 or more of it."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
