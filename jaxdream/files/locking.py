"""One run at a time writes into a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason

_PATIENCE = 1.0  # seconds to wait for a lock, which another run holds for a moment as it ends


class Busy(JaxdreamError):
    """Another process holds the lock."""


@contextmanager
def folder_lock(path: Path, *, alternative: str = "another output folder") -> Iterator[None]:
    """Hold a lock file in a folder; where a process is killed, the system releases it.

    Args:
        alternative: what the message tells the user to choose instead.

    Raises:
        Busy: another run holds it.
        JaxdreamError: nothing can be written into the folder.
    """
    lock = FileLock(path, timeout=_PATIENCE, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(
            f"another run of jaxdream is writing into {path.parent}: wait for it to end, or choose "
            f"{alternative}"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise JaxdreamError(f"cannot write into {path.parent}: {reason(error)}") from error
    try:
        yield
    finally:
        lock.release()
