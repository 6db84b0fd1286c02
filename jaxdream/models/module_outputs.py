"""What every part of a Flax NNX module gives when the whole is called."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flax import nnx

# The classes of a network's modules are changed for as long as it is called, and programs are
# traced in several threads.
_CHANGING = threading.RLock()


def module_outputs(
    module: nnx.Module, *arguments: Any, **options: Any
) -> list[tuple[tuple[Any, ...], Any]]:
    """Call a module; what its parts gave, and what they gave to ``sow``.

    Returns:
        The outputs of ``__call__`` and the public methods of each part, by the path of the part and
        the method's name: tuples with one entry for each call.
    """
    # ``method_outputs`` of ``nnx.capture`` does nearly this. But it leaves out methods that a class
    # inherits, and it fails where a class has a static method or another callable attribute.
    with _CHANGING, _telling({type(part) for _, part in nnx.iter_modules(module)}):
        _, found = nnx.capture(module, nnx.Intermediate)(*arguments, **options)
    return [(path, value.get_value()) for path, value in nnx.to_flat_state(found)]


@contextmanager
def _telling(kinds: set[type]) -> Iterator[None]:
    """The methods of these classes give their outputs to ``sow``."""
    found = [(kind, name, method) for kind in kinds for name, method in _methods(kind)]
    running: set[tuple[int, str]] = set()
    with ExitStack() as undo:
        for kind, name, method in found:
            if name in vars(kind):
                undo.callback(setattr, kind, name, method)
            else:
                undo.callback(delattr, kind, name)
            setattr(kind, name, _told(method, name, running))
        yield


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    """The methods of a kind of modules, with those that it inherits from other kinds."""
    for name in dir(kind):
        if name != "__call__" and (name.startswith("_") or hasattr(nnx.Module, name)):
            continue
        method = inspect.getattr_static(kind, name)
        # A compiled method is no function, but is bound as one.
        binds = callable(method) and hasattr(type(method), "__get__")
        if binds and not isinstance(method, staticmethod | classmethod):
            yield name, method


def _told(
    method: Callable[..., Any], name: str, running: set[tuple[int, str]]
) -> Callable[..., Any]:
    @functools.wraps(method)
    def telling(self, *arguments: Any, **options: Any) -> Any:
        this = (id(self), name)
        # The same method of the class that it inherits from; or a module of the same class that is
        # no part of this network, or is called by another thread.
        if this in running or not hasattr(self, "__captures__"):
            return method(self, *arguments, **options)
        running.add(this)
        try:
            output = method(self, *arguments, **options)
        finally:
            running.discard(this)
        self.sow(nnx.Intermediate, name, output)
        return output

    return telling
