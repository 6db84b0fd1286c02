"""Functions that take settings by name, and their documentation, made from the classes."""

import dataclasses
import difflib
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from jaxdream.errors import JaxdreamError
from jaxdream.settings.base import Settings, default_text, describe, option_name

Result = TypeVar("Result")


def takes_settings(
    **parameters: type[Settings],
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Lets a function that takes objects of settings take each setting by its name as well.

    ``takes_settings(settings=DreamSettings, compute=Compute)`` is for a function with the
    keyword-only parameters ``settings`` and ``compute``. Callers may leave these out, give them,
    and override single settings: ``dream(..., settings=mine, steps=20, memory=10**9)``. Signature
    and docstring (at ``{settings}``) show every setting.
    """
    owner = {name: which for which, cls in parameters.items() for name in describe(cls)}

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        names = [name for name in inspect.signature(function).parameters if name not in parameters]

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Result:
            given = {which: named.pop(which, None) for which in parameters}
            changes: dict[str, dict[str, Any]] = {which: {} for which in parameters}
            for name in [name for name in named if name in owner]:
                changes[owner[name]][name] = named.pop(name)
            for name in named:
                if name not in names:
                    raise _unknown(function.__name__, name, [*names, *parameters, *owner])
            for which, cls in parameters.items():
                base = cls() if given[which] is None else given[which]
                if not isinstance(base, cls):
                    raise JaxdreamError(f"{which} is a {cls.__name__}, not {base!r}")
                named[which] = base.replace(**changes[which])
            return function(*arguments, **named)

        call.__signature__ = _signature(function, parameters)  # pyright: ignore[reportAttributeAccessIssue]
        call.__doc__ = _with_settings(function.__doc__ or "", parameters)
        return call

    return decorate


def _unknown(function: str, name: str, known: Sequence[str]) -> TypeError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def _signature(function: Callable, parameters: Mapping[str, type[Settings]]) -> inspect.Signature:
    signature = inspect.signature(function)
    own = [
        p.replace(default=None, annotation=f"{parameters[p.name].__name__} | None")
        if p.name in parameters
        else p
        for p in signature.parameters.values()
    ]
    each = [
        inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=_type_text(f.type)
        )
        for cls in parameters.values()
        for f in dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    ]
    return signature.replace(parameters=[*own, *each])


def _type_text(annotation: object) -> Any:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _with_settings(docstring: str, parameters: Mapping[str, type[Settings]]) -> str:
    """A docstring with a line for every setting at ``{settings}``."""
    lines = []
    for which, cls in parameters.items():
        names = ", ".join(describe(cls))
        lines.append(f"{which}: a {cls.__name__}; each of its settings can be given by name too:")
        lines.append(f"    {names}.")
        for name, known in describe(cls).items():
            text = f"{name}: {known.help} (default: {default_text(cls, name)})."
            lines += textwrap.wrap(text, 88, subsequent_indent="    ")
    # Since Python 3.13 docstrings are without the indentation of the code around them.
    return re.sub(
        r"^( *)\{settings\}",
        lambda place: textwrap.indent("\n".join(lines), place[1]),
        docstring,
        flags=re.MULTILINE,
    )


def settings_table(*classes: type[Settings]) -> str:
    """The settings as a table in Markdown, as the documentation has it."""
    lines = ["| option | Python | default | |", "|---|---|---|---|"]
    for cls in classes:
        for name, known in describe(cls).items():
            named = (option_name(cls, name), *known.flags, *dict(known.shortcuts))
            flags = named if known.option else ()
            shown = ", ".join(f"`{flag}`" for flag in flags)
            lines.append(f"| {shown} | `{name}` | {default_text(cls, name)} | {known.help} |")
    return "\n".join(lines)
