"""The C library's heap: what it keeps of freed memory counts as this process's own.

Glibc keeps a fifth of a gigabyte after a program was compiled, and, for each thread that computes,
blocks of up to 32 MB, more and more of them.
"""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20  # bytes


def give_back() -> None:
    """Hand freed memory back to the system."""
    _call("malloc_trim", 0)


def give_back_large_blocks() -> None:
    """From now on hand large blocks back as soon as they are freed.

    For a process that computes large pictures: small ones are faster if blocks are used again.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def _call(function: str, *arguments: int) -> None:
    """A function of the C library, where that has it."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), function):
        getattr(libc, function)(*arguments)
