"""Mistakes in Python that can be found without running it: names, attributes, arguments."""

import ast
import builtins
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any

# Packages of others that examples show and tests need not have.
OTHERS = ("google", "optimistix", "ray", "tensorboardX", "wandb")
UNKNOWN = object()


def mistakes(tree: ast.Module, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a program that may use the ``given`` values, which may be ``UNKNOWN``.

    Names must be bound somewhere, imports be there, attributes of modules and of what jaxdream's
    functions return exist, and calls fit the signatures of what they call.
    """
    values = dict(given)
    found = list(_imports(tree, values))
    bound = {*dir(builtins), *values, *bound_names(tree)}
    _infer(tree, values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in bound:
            found.append(f"{node.id} is not defined")
        elif isinstance(node, ast.Attribute):
            owner = _value(node.value, values)
            if owner is not UNKNOWN and not _has(owner, node.attr):
                found.append(f"{ast.unparse(node)} does not exist")
        elif isinstance(node, ast.Call):
            found.extend(_call(node, values))
    return found


def _imports(tree: ast.AST, values: dict[str, Any]) -> Iterator[str]:
    """Put what is imported into ``values``; what cannot be is a mistake."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            whole = node.module if isinstance(node, ast.ImportFrom) else alias.name
            name = alias.asname or alias.name.split(".")[0]
            values[name] = UNKNOWN
            if whole.split(".")[0] in OTHERS:
                continue
            try:
                module = importlib.import_module(whole)
                if not isinstance(node, ast.ImportFrom):
                    values[name] = module if alias.asname else importlib.import_module(name)
                elif hasattr(module, alias.name):
                    values[name] = getattr(module, alias.name)
                else:
                    values[name] = importlib.import_module(f"{whole}.{alias.name}")
            except ImportError as error:
                yield f"{ast.unparse(node)}: {error}"


def bound_names(tree: ast.AST) -> Iterator[str]:
    """The names that a program gives something to, in any scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]


def _infer(tree: ast.AST, values: dict[str, Any]) -> None:
    """Put the types of what jaxdream's functions return into ``values``, by the names they get.

    A type stands for its objects: their attributes are looked up on it.
    """
    for node in ast.walk(tree):
        source, target, inside = None, None, False
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            source, target = node.value, node.targets[0]
        elif isinstance(node, ast.For | ast.comprehension):
            source, target, inside = node.iter, node.target, True
        elif isinstance(node, ast.withitem):
            source, target, inside = node.context_expr, node.optional_vars, True
        if isinstance(target, ast.Name):
            values[target.id] = _returned(source, values, inside=inside)


def _returned(node: ast.AST | None, values: Mapping[str, Any], *, inside: bool) -> Any:
    """The type of a call's result, or of what comes out of it: of jaxdream's own types only."""
    function = _value(node.func, values) if isinstance(node, ast.Call) else UNKNOWN
    if not callable(function) or not _ours(function):
        return UNKNOWN
    kind = function if inspect.isclass(function) else inspect.signature(function).return_annotation
    if inside and not inspect.isclass(kind):
        kind = (typing.get_args(kind) or (UNKNOWN,))[0]
    kind = _class_named(getattr(kind, "__forward_arg__", kind))
    return _Object(kind) if inspect.isclass(kind) and _ours(kind) else UNKNOWN


def _class_named(kind: Any) -> Any:
    """The class that an annotation in quotes means; any other annotation as it is."""
    if not isinstance(kind, str):
        return kind
    modules = [module for name, module in sys.modules.items() if name.startswith("jaxdream")]
    return next((vars(module)[kind] for module in modules if kind in vars(module)), UNKNOWN)


class _Object:
    """Some object of a type."""

    def __init__(self, kind: type) -> None:
        self.kind = kind


def _ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("jaxdream")


def _has(owner: Any, name: str) -> bool:
    if not isinstance(owner, _Object):
        return hasattr(owner, name)
    of_classes = (getattr(base, "__annotations__", {}) for base in owner.kind.__mro__)
    in_a_method = re.search(rf"self\.{name}\b", inspect.getsource(owner.kind))
    return hasattr(owner.kind, name) or any(name in a for a in of_classes) or bool(in_a_method)


def _value(node: ast.AST, values: Mapping[str, Any]) -> Any:
    """What an expression of names and dots is, as far as that is known."""
    if isinstance(node, ast.Name):
        return values.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, values)
        if inspect.ismodule(owner) or inspect.isclass(owner):
            return getattr(owner, node.attr, UNKNOWN)
    return UNKNOWN


def _call(node: ast.Call, values: Mapping[str, Any]) -> Iterator[str]:
    """Whether a call of a function of jaxdream fits its signature."""
    function = _value(node.func, values)
    # Of `f(*some)` and `f(...)` it is not known what is given.
    starred = any(isinstance(a, ast.Starred) or ast.unparse(a) == "..." for a in node.args)
    if not callable(function) or not _ours(function) or starred:
        return
    named = {keyword.arg: None for keyword in node.keywords}
    if None in named:
        return
    try:
        signature = inspect.signature(function)
    except ValueError:  # an exception has none
        return
    try:
        signature.bind(*node.args, **named)
    except TypeError as error:
        yield f"{ast.unparse(node)}: {error}"
