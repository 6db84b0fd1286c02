"""Files that are whole or not there, and their hashes."""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jaxdream.errors import JaxdreamError

_TEMPORARY = re.compile(r"\.(.*)\.[0-9a-f]{8}", re.DOTALL)  # the names that ``replacing`` gives


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file, to be written to, that takes the place of ``path`` when the block ends well.

    Until then it has a temporary name in the same folder; if the block fails it vanishes and
    ``path`` is as it was.

    Raises:
        JaxdreamError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            file = temporary.open("xb")
        except ValueError as error:  # a null character
            raise OSError(str(error)) from error
        with file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise JaxdreamError(f"cannot write {path}: {reason(error)}") from error
    finally:
        with suppress(OSError, ValueError):  # a name that was never possible
            temporary.unlink(missing_ok=True)


def remove_temporaries(paths: Iterable[Path]) -> None:
    """Delete what ``replacing`` left of these files when its process was killed."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name)
    for folder, known in names.items():
        with suppress(OSError):  # no such folder, or not ours to tidy
            for name in os.listdir(folder):
                match = _TEMPORARY.fullmatch(name)
                if match and match[1] in known:
                    (folder / name).unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """A folder to write into, made if it is not there.

    Raises:
        JaxdreamError: it cannot be one.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JaxdreamError(f"{folder}: cannot be a folder: {reason(error)}") from error
    return folder


def check_place(path: Path) -> None:
    """Make sure that a file can be written here, before hours of computing.

    Raises:
        JaxdreamError: it is a folder, there is no such folder, or no permission to write there.
    """
    if os.path.isdir(path):
        raise JaxdreamError(f"{path} is a folder: name the file to write")
    if not os.path.isdir(path.parent):
        raise JaxdreamError(f"cannot write {path}: there is no folder {path.parent}")
    try:
        # As long a name as the file will have on the way.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except (OSError, ValueError) as error:
        raise JaxdreamError(f"cannot write {path}: {reason(error)}") from error


def file_hash(path: Path, algorithm: str) -> str:
    """Hexadecimal hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def reason(error: Exception) -> str:
    """Why an operation failed, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return text.partition("\n")[0] or type(error).__name__
