"""Signatures and docstrings of functions that take settings, as they are when they run.

The site's reference is made by griffe, which sees ``{settings}`` and not what stands there.
"""

import importlib
import inspect
from typing import Any

import griffe

_PLACE = "{settings}"


class WithSettings(griffe.Extension):
    """Fills in every setting, in the docstring and in the signature."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        if func.docstring is None or _PLACE not in func.docstring.value:
            return
        value = getattr(importlib.import_module(func.module.path), func.name)
        func.docstring.value = inspect.getdoc(value) or ""
        func.parameters = griffe.Parameters(*map(_parameter, _parameters(value)))


def _parameters(value: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(value).parameters.values())


def _parameter(given: inspect.Parameter) -> griffe.Parameter:
    empty = inspect.Parameter.empty
    kind = griffe.ParameterKind(given.kind.description)
    annotation = None if given.annotation is empty else inspect.formatannotation(given.annotation)
    default = None if given.default is empty else repr(given.default)
    return griffe.Parameter(given.name, annotation=annotation, kind=kind, default=default)
