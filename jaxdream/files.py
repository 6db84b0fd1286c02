"""Files that are whole or not there, and their hashes."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jaxdream.errors import JaxdreamError


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
        with temporary.open("xb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise JaxdreamError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # a name too long was never made
            temporary.unlink(missing_ok=True)


def file_hash(path: Path, algorithm: str) -> str:
    """Hexadecimal hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
