"""Hearing of every program that JAX compiles, in any thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

# JAX's name for the seconds of compiling a program, or of reading it from the cache.
_COMPILED = "/jax/core/compile/backend_compile_duration"
_ASKED = "/jax/compilation_cache/compile_requests_use_cache"
_FOUND = "/jax/compilation_cache/cache_hits"


@contextmanager
def compiled_programs(notify: Callable[[float], None]) -> Iterator[None]:
    """In the block, ``notify`` is called after a program is compiled, with the seconds it took.

    It is called in the thread that compiles.
    """

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            notify(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@contextmanager
def asked_of_cache() -> Iterator[list[bool]]:
    """Of each program that this thread asks of JAX's cache in the block, whether that had it.

    A program that this process has already is not asked for.
    """
    thread = threading.get_ident()
    found: list[bool] = []

    def listen(event: str, **_: str | int) -> None:
        if threading.get_ident() != thread:
            return
        if event == _ASKED:
            found.append(False)
        elif event == _FOUND:
            found[-1] = True

    jax.monitoring.register_event_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_listener(listen)
