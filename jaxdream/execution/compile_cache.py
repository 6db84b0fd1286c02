"""Compiled programs, kept by JAX from one run to the next; damaged ones are found and removed.

JAX checks an entry of its cache only by trying to load it, and never replaces one: what a killed
run cut short would be compiled again by every later run, and an entry in another's place would be
an error in each. So a list beside them holds the hash of every entry, and what does not agree with
it is removed before JAX looks. What is not in the list yet, because its run was killed or is at
work, must be whole by the checksum of its compression.
"""

import hashlib
import importlib
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxdream.errors import JaxdreamError
from jaxdream.execution import executables
from jaxdream.files.reading import printable, read_bytes, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import check_place, make_folder, remove_temporaries, replacing
from jaxdream.models.weights.local import cache_dir

LEAST_SECONDS = 0.1  # of compiling, for a program to be kept
_LIST = "programs.json"
_ENTRY = "*-cache"  # how JAX names an entry
_ZSTD = b"\x28\xb5\x2f\xfd"  # how its frames begin
_MAX_LIST = 64 << 20  # bytes

_Entry = tuple[int, int, str]  # its size, when it was written (which saves hashing it), its sha256
_Entries = dict[str, _Entry]  # by name


def programs_folder() -> Path:
    """The folder in which the command line keeps compiled programs."""
    return cache_dir() / "compiled"


def keep_programs(folder: str | os.PathLike | None = None) -> Path:
    """From now on keep compiled programs, so that no later process compiles them again.

    The command line does so always; in Python nothing is kept before this is called. It sets JAX's
    own cache, for everything that is compiled in this process.

    Args:
        folder: of this user's own, made if it is not there; by default that of the command line. On
            Colab, one on Drive outlives the machine.

    Returns:
        The folder.

    Raises:
        JaxdreamError: it cannot be used.
    """
    folder = programs_folder() if folder is None else Path(folder)
    _use(folder)
    return folder


def use(folder: Path) -> str | None:
    """Have JAX keep compiled programs in a folder; a line for the user, if there is one.

    The folder is made if it is not there. Where it cannot be used nothing is kept.
    """
    try:
        removed = _use(folder)
    except JaxdreamError as error:
        jax.config.update("jax_enable_compilation_cache", False)
        return f"compiled programs are not kept: {error}"
    if removed:
        programs = "1 damaged program" if removed == 1 else f"{removed} damaged programs"
        return f"removed {programs} from {folder}: what is needed is compiled again"
    return None


def _use(folder: Path) -> int:
    """Have JAX keep compiled programs in a folder; how many damaged ones were removed from it."""
    try:
        make_folder(folder)
        private = make_folder(folder / executables.FOLDER)
        with suppress(OSError):  # somebody else's: no executables are kept in it
            private.chmod(0o700)
        check_place(folder / _LIST)
        remove_temporaries([folder / _LIST])
        removed = _remove_damaged(folder)
    except JaxdreamError:
        raise
    except (OSError, ValueError) as error:
        raise JaxdreamError(f"{printable(folder)}: {reason(error)}") from error
    if jax.config.jax_compilation_cache_dir != str(folder):  # pyright: ignore[reportAttributeAccessIssue]
        compilation_cache.reset_cache()  # JAX opens its cache once
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    return removed


def record() -> None:
    """Add the entries that are new to the list, if it can be written."""
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not folder or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return
    path = Path(folder)
    known = _read_list(path)
    found = {}
    for entry in sorted(path.glob(_ENTRY)):
        if entry.name in known:  # as it was written: what has changed since is damage
            found[entry.name] = known[entry.name]
            continue
        with suppress(JaxdreamError, OSError):  # another run has removed it
            content = read_bytes(entry)
            if _is_whole(content):
                found[entry.name] = _described(entry, content)
    if found != known:
        with suppress(JaxdreamError), replacing(path / _LIST) as file:
            file.write(json.dumps(found, indent=0).encode("ascii"))


def _remove_damaged(folder: Path) -> int:
    """Remove what is not whole, and what differs from the list; how many there were."""
    known, damaged = _read_list(folder), 0
    for entry in folder.glob(_ENTRY):
        if not _is_sound(entry, known.get(entry.name)):
            entry.unlink(missing_ok=True)
            damaged += 1
    return damaged


def _is_sound(entry: Path, known: _Entry | None) -> bool:
    """Whether an entry is as the list has it; without a place in the list, whether it is whole."""
    status = entry.stat()
    if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
        return True
    content = read_bytes(entry)
    return _is_whole(content) if known is None else known[2] == _sha256(content)


def _is_whole(entry: bytes) -> bool:
    """Whether an entry can be decompressed: JAX uses zstd where that is installed, else zlib."""
    if not entry.startswith(_ZSTD):
        try:
            zlib.decompress(entry)
        except zlib.error:
            return False
        return True
    try:
        importlib.import_module("zstandard").decompress(entry)
    except Exception:  # not installed, or damaged
        return False
    return True


def _described(entry: Path, content: bytes) -> _Entry:
    status = entry.stat()
    return status.st_size, status.st_mtime_ns, _sha256(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_list(folder: Path) -> _Entries:
    """The list; empty if there is none, or a damaged one."""
    try:
        return decode(read_bytes(folder / _LIST, limit=_MAX_LIST), _Entries)
    except JaxdreamError:
        return {}
