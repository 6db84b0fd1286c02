"""Items of an iterator, made in a thread while those before are used."""

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterator[Item], *, count: int = 1) -> Iterator[Item]:
    """The items, of which so many are made before they are asked for.

    An error of the iterator is raised where its item would have been given. When the result is
    closed, so is the iterator, if it can be.
    """
    worker = ThreadPoolExecutor(1, thread_name_prefix="jaxdream-ahead")
    made: deque[Future] = deque()
    is_finalizing = sys.is_finalizing  # while the interpreter ends, modules are empty
    try:
        made.extend(worker.submit(next, items, _END) for _ in range(count))
        while (item := made.popleft().result()) is not _END:
            made.append(worker.submit(next, items, _END))
            yield item
    finally:
        if not is_finalizing():
            try:
                worker.shutdown(wait=True, cancel_futures=True)
            finally:  # also where that is interrupted
                close = getattr(items, "close", None)
                if close is not None:
                    close()
