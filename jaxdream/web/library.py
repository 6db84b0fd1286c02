"""Gradio, which the page is made with; it is not installed with jaxdream itself."""

import gc
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from jaxdream.errors import JaxdreamError


def require_gradio() -> None:
    """Make sure that Gradio is there.

    Raises:
        JaxdreamError: it is not.
    """
    try:
        # For each of its components, Gradio reads and parses the source to write a file of types
        # beside it: a third of the time that it takes to import.
        with patch.object(inspect, "getfile", _file_but_of_gradio), without_collection():
            import gradio  # noqa: F401
    except ImportError as error:
        raise JaxdreamError(
            f"the page needs Gradio ({error}): pip install 'jaxdream[web]'"
        ) from None


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection, which finds nothing while modules are imported and takes long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_getfile = inspect.getfile


def _file_but_of_gradio(object: Any) -> str:
    """``inspect.getfile``, which knows no file of Gradio's own components."""
    if isinstance(object, type) and object.__module__.startswith("gradio."):
        raise OSError("not looked for")
    return _getfile(object)
