"""How much memory the threads that decode pictures may take together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jaxdream.errors import JaxdreamError
from jaxdream.execution.memory import format_bytes
from jaxdream.files.reading import PathLike, printable
from jaxdream.images.decoding import decoding_bytes


class DecodingMemory:
    """Memory that is shared by threads: a large picture is decoded when the others are done."""

    def __init__(self, limit: int) -> None:
        """
        Args:
            limit: bytes.
        """
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, path: PathLike) -> Iterator[None]:
        """Wait until a picture file can be decoded beside the others; it is, in the block.

        Raises:
            JaxdreamError: it takes more than the limit alone, or is no picture.
        """
        needed = decoding_bytes(path)
        check_decoding(path, needed, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + needed <= self._limit)
            self._taken += needed
        try:
            yield
        finally:
            with self._changed:
                self._taken -= needed
                self._changed.notify_all()


def check_decoding(path: PathLike, needed: int, limit: int) -> None:
    """Make sure that a picture can be decoded.

    Args:
        needed: bytes, from ``decoding_bytes``.
        limit: bytes that are left.

    Raises:
        JaxdreamError: it takes more.
    """
    if needed > limit:
        raise JaxdreamError(
            f"{printable(path)} takes about {format_bytes(needed)} of memory to decode, and "
            f"{format_bytes(limit)} are left: give more --memory, or a smaller picture"
        )
