"""The C library's heap: what it keeps of freed memory counts as this process's own."""

import ctypes
import sys


def give_back() -> None:
    """Hand freed memory back to the system, where the C library would keep it for later.

    Glibc does: a fifth of a gigabyte after a program was compiled, and as much for each thread that
    computes.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
