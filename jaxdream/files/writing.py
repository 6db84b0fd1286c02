"""Writing files that are whole or not there.

Every failure is a ``JaxdreamError`` of one line that names the file.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, kind_of, printable, reason

_FOLDERS = 1000  # whose unfinished files are held at once
_TEMPORARY = re.compile(r"\.(.*)\.[0-9a-f]{8}", re.DOTALL)  # what ``temporary_name`` gives


@contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """A new file, to be written to, that takes the place of ``path`` when the block ends well.

    Until then it has a temporary name in the same folder; if the block fails it is deleted and
    ``path`` is as it was. A symbolic link is replaced, not what it points to.

    Raises:
        JaxdreamError: it cannot be written, or ``path`` is a folder, a pipe or a device. The
            operating system's error, if there was one, is its ``__cause__``.
    """
    path = Path(path)
    _check_kind(path)
    temporary = None
    try:
        try:
            temporary = temporary_name(path)
            file = temporary.open("xb")
        except ValueError as error:  # no name at all, a null character, or no valid Unicode
            raise OSError(str(error)) from error
        with file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError, ValueError):  # a name that was never possible
                temporary.unlink(missing_ok=True)


def temporary_name(path: PathLike) -> Path:
    """A name for what is not finished yet, beside ``path``; ``remove_temporaries`` knows it.

    Raises:
        ValueError: ``path`` has no name.
    """
    path = Path(path)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def remove_temporaries(paths: Iterable[PathLike]) -> None:
    """Delete files and folders that have a ``temporary_name`` of these: their process was killed.

    Only safe while no other process writes them.
    """

    @lru_cache(maxsize=_FOLDERS)
    def left_in(folder: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with suppress(OSError, ValueError):  # no such folder, or no permission
            for name in os.listdir(folder):
                if match := _TEMPORARY.fullmatch(name):
                    found.setdefault(match[1], []).append(name)
        return found

    for path in map(Path, paths):
        for name in left_in(path.parent).pop(path.name, ()):
            with suppress(OSError, ValueError):
                remove_tree(path.parent / name)


def remove_tree(path: Path) -> None:
    """Delete a file, or a folder with everything in it; nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def make_folder(path: PathLike) -> Path:
    """A folder to write into, made if it is not there.

    Raises:
        JaxdreamError: it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise JaxdreamError(f"{printable(folder)}: cannot be a folder: {reason(error)}") from error
    return folder


def check_place(path: PathLike) -> None:
    """Make sure that ``replacing`` can write a file, before hours of computing.

    Raises:
        JaxdreamError: it is a folder, a pipe or a device, there is no folder to write it into, its
            name is impossible, or there is no permission.
    """
    path = Path(path)
    _check_kind(path)
    if not os.path.isdir(path.parent):
        raise JaxdreamError(
            f"cannot write {printable(path)}: there is no folder {printable(path.parent)}"
        )
    try:
        temporary = temporary_name(path)
        temporary.open("xb").close()
        temporary.unlink()
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _check_kind(path: Path) -> None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # nothing there, or nothing that can be there
        return
    if stat.S_ISDIR(status.st_mode):
        raise JaxdreamError(f"{printable(path)} is a folder: name the file to write")
    if not stat.S_ISREG(status.st_mode):
        raise JaxdreamError(f"{printable(path)} is {kind_of(status)}: name a file to write")


def _cannot_write(path: Path, error: Exception) -> JaxdreamError:
    return JaxdreamError(f"cannot write {printable(path)}: {reason(error)}")
