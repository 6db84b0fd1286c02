"""Compiled executables, kept from one run to the next, so that they need no tracing either.

JAX's own cache spares the compiler, but is asked only with a program that has been traced and
lowered, which takes as long as a small dream. So executables are kept beside it. The file of one is
named by a hash of its program, the versions, the kind of device, every setting of JAX, and the
structure and shapes of the arguments. A second file says which program a call has, by the code that
makes it, so that the call need not be traced: after an update it is traced once more, and where
that gives the same program, its executable is still good.
Loading one runs code from the file, so that only files are read which this user wrote and nobody
else can write.
"""

import hashlib
import os
import platform
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

import jaxdream
from jaxdream.errors import JaxdreamError
from jaxdream.execution.compiling import asked_of_cache
from jaxdream.execution.jit import compiler_options, lower
from jaxdream.files.reading import read_bytes
from jaxdream.files.writing import replacing
from jaxdream.models.weights.local import cache_dir
from jaxdream.types import default_device

TreeDef: TypeAlias = jax.tree_util.PyTreeDef  # pyright: ignore[reportInvalidTypeForm]

FOLDER = "executables"  # in the folder of JAX's cache; executables are kept where there is one
_EXECUTABLE, _CALL = ".executable", ".call"  # how files end
_MOST_BYTES = 1 << 30  # of all executables; those that were not used for longest make room
_HASH = 32  # bytes of a sha256
# Of these packages an argument's classes are known by the versions; others could change unseen.
_KNOWN = ("jaxdream", "jax", "jaxlib", "flax", "optax", "numpy", "builtins")
_VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")


def compile_or_load(call: partial, results: TreeDef) -> jax.stages.Compiled:
    """The compiled program of a call of a ``Program``: one kept by an earlier run, or a new one.

    Args:
        call: with its arguments, or their shapes; static ones by keyword.
        results: the structure of what the program gives.
    """
    folder = key = None
    # Keeping saves time and nothing else: a JAX that lacks what it takes is no error.
    with suppress(AttributeError, ImportError, OSError):
        if (folder := _folder()) is not None:
            key = _key(call)
    if folder is None or key is None:
        return lower(call).compile()
    trees = jax.tree.structure((call.args, {})), results
    known = folder / (key.hex() + _CALL)
    program = _read(known, key)
    if program is not None and (found := _load(folder, program, *trees)) is not None:
        with suppress(OSError):
            os.utime(known)
        return found
    lowered = lower(call)
    if (program := _program_key(lowered, call)) is None:
        return lowered.compile()
    if (found := _load(folder, program, *trees)) is not None:
        with suppress(OSError):
            _write(known, key, program)
        return found
    with asked_of_cache() as found:
        compiled = lowered.compile()
    # What was read from JAX's cache, now or before, lacks functions when it is written once more.
    is_new = found == [False]
    if is_new and (compiled.in_tree, compiled.out_tree) == trees:
        with suppress(Exception):  # a platform that cannot, a full disk
            _write(folder / (program.hex() + _EXECUTABLE), program, _serialized(compiled))
            _write(known, key, program)
            _make_room(folder, keep=program.hex())
    return compiled


def _folder() -> Path | None:
    """Where executables are kept, if they are."""
    cache_dir = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not cache_dir or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return None
    folder = Path(cache_dir) / FOLDER
    return folder if folder.is_dir() and _is_private(folder) else None


def _is_private(path: Path) -> bool:
    """Whether a file or folder is this user's, and nobody else can write it."""
    status = path.stat()
    if not hasattr(os, "getuid"):  # Windows: only the folder in the user's own
        return cache_dir() in path.parents
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.getuid() and not writable


def _read(path: Path, key: bytes) -> bytes | None:
    """What was kept by a key; None if there is nothing, or it is damaged or somebody else's."""
    try:
        if not _is_private(path):
            return None
        content = read_bytes(path)
    except (JaxdreamError, OSError):
        return None
    digest, payload = content[:_HASH], content[_HASH:]
    return payload if digest == _digest(key, payload) else None


def _load(
    folder: Path, program: bytes, arguments: TreeDef, results: TreeDef
) -> jax.stages.Compiled | None:
    """The kept executable of a program, if there is one."""
    path = folder / (program.hex() + _EXECUTABLE)
    if (payload := _read(path, program)) is None:
        return None
    try:
        from jax.experimental import serialize_executable

        loaded = serialize_executable.deserialize_and_load(
            payload, arguments, results, execution_devices=[default_device()]
        )
        os.utime(path)  # those that are not used any more are the oldest
        return loaded
    except Exception:  # of another machine's kind, in a way that the key does not tell
        return None


def _serialized(compiled: jax.stages.Compiled) -> bytes:
    from jax.experimental import serialize_executable

    return serialize_executable.serialize(compiled)[0]


def _write(path: Path, key: bytes, payload: bytes) -> None:
    with replacing(path) as file:
        with suppress(OSError):  # a file system without them; ``_is_private`` decides
            os.chmod(file.name, 0o600)
        file.write(_digest(key, payload) + payload)


def _make_room(folder: Path, *, keep: str) -> None:
    """Delete the oldest files where there are too many: what killed runs left among them."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):  # another run has removed it
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= _MOST_BYTES or path.stem == keep:
            return
        path.unlink(missing_ok=True)
        total -= size


def _digest(key: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(key + payload).digest()


def _key(call: partial) -> bytes | None:
    """What a call is known by; None if something of it may differ unseen."""
    leaves, structure = jax.tree.flatten(call.args)
    described = [_described(leaf) for leaf in leaves]
    function: Any = call.func
    parts = [function.settings, structure, described, call.keywords]
    if None in described or not all(map(_is_stable, parts)):
        return None
    return _hashed(_sources(), function.__name__, *map(repr, parts))


def _program_key(lowered: jax.stages.Lowered, call: partial) -> bytes | None:
    """What an executable is known by: the program, and the arguments that it is called with.

    None where this JAX does not tell which of them.
    """
    leaves, structure = jax.tree.flatten(call.args)
    try:
        # The program has only the leaves that it needs, and its text does not say which.
        needed = sorted(lowered._lowering.compile_args["kept_var_idx"])  # pyright: ignore
    except (AttributeError, KeyError, TypeError):
        return None
    parts = structure, list(map(_described, leaves)), needed
    return _hashed(lowered.as_text(), *map(repr, parts))


def _hashed(*parts: str) -> bytes:
    return hashlib.sha256("\n".join([_surroundings(), *parts]).encode()).digest()


def _described(leaf: Any) -> tuple | None:
    """Shape and type of an argument; None if it is not on the device that JAX computes on."""
    sharding = getattr(leaf, "sharding", None)
    if sharding is not None and sharding.device_set != {default_device()}:
        return None
    aval: Any = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    return aval.shape, str(aval.dtype), bool(aval.weak_type)


def _is_stable(value: Any) -> bool:
    """Whether what is the same as text is the same: a function may be another one tomorrow."""
    if value is None or isinstance(value, bool | int | float | str | np.dtype):
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_stable, value))
    if isinstance(value, Mapping):
        return all(map(_is_stable, value.items()))
    if isinstance(value, TreeDef):
        return _is_stable(value.node_data()) and all(map(_is_stable, value.children()))
    if isinstance(value, type):
        return value.__module__.split(".")[0] in _KNOWN
    return is_dataclass(value) and all(
        map(_is_stable, (type(value), *(getattr(value, each.name) for each in fields(value))))
    )


def _surroundings() -> str:
    """What a program depends on beside its arguments: it differs between machines and versions."""
    device = default_device()
    values = {
        name: value
        for name, value in jax.config.values.items()  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(value, str | int | float | None) and "cache" not in name
    }
    parts = [
        device.id,
        jax.__version__,
        version("jaxlib"),
        device.platform,
        device.device_kind,
        device.client.platform_version,
        _processor(),
        compiler_options(),
        sorted(values.items()),
        [os.environ.get(name) for name in _VARIABLES],
    ]
    return repr(parts)


@cache
def _sources() -> str:
    """A hash of this package's code, and of the libraries' versions that a step is made with."""
    import flax
    import optax

    digest = hashlib.sha256(f"{flax.__version__} {optax.__version__} {np.__version__}".encode())
    root = Path(jaxdream.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _processor() -> str:
    """What this machine's processor can do, as far as the system says."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
        return "\n".join(sorted(set(named)))
    return f"{platform.machine()} {platform.processor()}"
