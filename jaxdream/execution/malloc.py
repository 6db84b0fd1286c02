"""The C library's allocator: freed memory that it keeps counts as this process's own.

Glibc keeps a fifth of a gigabyte after a program was compiled, and, for each thread that computes,
blocks of up to 32 MB. These calls change the whole process, so that only the command line makes
them.
"""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20  # bytes


def trim() -> None:
    """Return freed memory to the system."""
    _call("malloc_trim", 0)


def return_large_blocks() -> None:
    """From now on return large blocks to the system as soon as they are freed.

    For a process whose memory is limited; others are faster if blocks are used again.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def _call(function: str, *arguments: int) -> None:
    """A function of the C library, where that has it."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), function):
        getattr(libc, function)(*arguments)
