"""Writing the files of a run, and telling an error of one file from one of all of them."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.files.writing import replacing

# Errors of writing that are one name's own; after any other, the next would fail too.
_ERRORS_OF_A_NAME = (
    errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ,
)  # fmt: skip


class TargetError(JaxdreamError):
    """Nothing more can be written: the disk is full, or the folder is gone."""


def write_whole(path: Path, content: bytes, *, note: Callable[[], None] = lambda: None) -> None:
    """Write a file into a folder that is made, whole or not at all.

    Args:
        note: is called when the content is written, and before the file has its name: so no file
            of ours is unknown to a journal.

    Raises:
        TargetError: nothing more can be written there.
        JaxdreamError: it cannot have this name.
    """

    def write(file: BinaryIO) -> None:
        file.write(content)
        file.flush()
        note()

    write_whole_by(path, write)


def write_whole_by(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file by a function that is given it, as ``write_whole``.

    Raises:
        TargetError: nothing more can be written there.
        JaxdreamError: it cannot have this name, or the function's own.
    """
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JaxdreamError(f"cannot make {path.parent}: {reason(error)}") from error
        with replacing(path) as target:
            write(target)
    except JaxdreamError as error:
        raise _writing_error(error) from error


def _writing_error(error: JaxdreamError) -> JaxdreamError:
    """An error of writing a file: a ``TargetError`` unless it is of that file's name alone."""
    cause = error.__cause__
    code = cause.errno if isinstance(cause, OSError) else None
    return error if code is None or code in _ERRORS_OF_A_NAME else TargetError(str(error))
