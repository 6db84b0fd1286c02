"""The files that options name for a command to read: checked before a network is read.

That takes a while, after which nobody wants to be told of a wrong name.
"""

import argparse
import sys
from collections.abc import Sequence

from jaxdream.files.guard import FileGuard
from jaxdream.files.reading import open_regular

_VECTOR = b"\x93NUMPY"  # how a .npy file begins
_WHAT = {
    "guide": "the guide",
    "mask": "the mask",
    "objective": "a file of the objective",
    "weights": "the weights",
}


def check_input_files(
    options: argparse.Namespace,
    *,
    guard: FileGuard | None = None,
    memory: int | None = None,
    without: Sequence[str] = (),
) -> None:
    """Make sure that what ``--guide``, ``--mask``, ``--objective`` and ``--weights`` name is there.

    Args:
        guard: is told of them.
        memory: bytes that this process may have, if there is a limit: pictures must fit into it as
            they are decoded.
        without: names of options that are left out.

    Raises:
        JaxdreamError: a file cannot be opened, a picture does not fit into the memory, a file will
            be written as well, or the text of an objective cannot be read.
    """
    for name in (name for name in _WHAT if name not in without):
        for path in _paths(name, getattr(options, name, None)):
            check_file(path, None if name == "weights" else memory)
            if guard is not None:
                guard.add_read(path, what=_WHAT[name])


def check_file(path: str, memory: int | None = None) -> None:
    """Make sure that a file can be opened, and a picture decoded within the limit, if there is one.

    Args:
        memory: as of ``check_input_files``.

    Raises:
        JaxdreamError: it cannot.
    """
    with open_regular(path, limit=sys.maxsize) as file:
        is_vector = file.read(len(_VECTOR)) == _VECTOR
    if not is_vector:  # of which little is read, however large the file is
        check_decoding(path, memory)


def check_decoding(path: str, memory: int | None) -> None:
    """Make sure that a picture can be decoded within a limit, if there is one.

    Raises:
        JaxdreamError: it cannot.
    """
    if memory is not None:
        import psutil

        from jaxdream.folder.decoding_memory import check_decoding as check
        from jaxdream.images.decoding import decoding_bytes

        left = memory - psutil.Process().memory_info().rss
        check(path, decoding_bytes(path), left)


def _paths(name: str, value: str | list[str] | None) -> tuple[str, ...]:
    """The files that the value of an option names."""
    from jaxdream.images.masks import ALPHA
    from jaxdream.objectives.text import named_files

    if not value or (name == "mask" and value == ALPHA):
        return ()
    if isinstance(value, list):
        return tuple(value)
    return named_files(value) if name == "objective" else (value,)
