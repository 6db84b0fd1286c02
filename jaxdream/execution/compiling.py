"""Hearing of every program that JAX compiles, in any thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

# JAX's name for the seconds of compiling a program, or of reading it from the cache.
_COMPILED = "/jax/core/compile/backend_compile_duration"


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
