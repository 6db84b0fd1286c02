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
import zlib
from contextlib import suppress
from pathlib import Path

import jax

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import read_bytes, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import check_place, make_folder, remove_temporaries, replacing

LEAST_SECONDS = 0.1  # of compiling, for a program to be kept
_LIST = "programs.json"
_ENTRY = "*-cache"  # how JAX names an entry
_ZSTD = b"\x28\xb5\x2f\xfd"  # how its frames begin
_MAX_LIST = 64 << 20  # bytes

# By the entry's name: its size, when it was written (which saves hashing it), and its sha256.
_Entries = dict[str, tuple[int, int, str]]


def use(folder: Path) -> str | None:
    """Have JAX keep compiled programs in a folder; a line for the user, if there is one.

    The folder is made if it is not there. Where it cannot be used nothing is kept.
    """
    try:
        make_folder(folder)
        check_place(folder / _LIST)
        remove_temporaries([folder / _LIST])
        removed = _remove_damaged(folder)
    except (JaxdreamError, OSError) as error:
        jax.config.update("jax_enable_compilation_cache", False)
        return f"compiled programs are not kept: {reason(error)}"
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    if removed:
        programs = "1 damaged program" if removed == 1 else f"{removed} damaged programs"
        return f"removed {programs} from {folder}: what is needed is compiled again"
    return None


def record() -> None:
    """Add the entries that are new to the list, if it can be written."""
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not folder or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return
    path = Path(folder)
    known = _read_list(path)
    found = {}
    for entry in sorted(path.glob(_ENTRY)):
        with suppress(JaxdreamError, OSError):  # another run has removed it
            if entry.name in known or _is_whole(read_bytes(entry)):
                found[entry.name] = _described(entry, known)
    if found != known:
        with suppress(JaxdreamError), replacing(path / _LIST) as file:
            file.write(json.dumps(found, indent=0).encode("ascii"))


def _remove_damaged(folder: Path) -> int:
    """Remove what is not whole, and what differs from the list; how many there were."""
    known, damaged = _read_list(folder), 0
    for entry in folder.glob(_ENTRY):
        if entry.name in known:
            is_sound = _described(entry, known) == known[entry.name]
        else:
            is_sound = _is_whole(read_bytes(entry))
        if not is_sound:
            entry.unlink(missing_ok=True)
            damaged += 1
    return damaged


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


def _described(entry: Path, known: _Entries) -> tuple[int, int, str]:
    status = entry.stat()
    before = known.get(entry.name)
    if before is not None and before[:2] == (status.st_size, status.st_mtime_ns):
        return before
    sha256 = hashlib.sha256(read_bytes(entry)).hexdigest()
    if before is not None and before[2] == sha256:  # copied, or only touched
        return before
    return status.st_size, status.st_mtime_ns, sha256


def _read_list(folder: Path) -> _Entries:
    """The list; empty if there is none, or a damaged one."""
    try:
        return decode(read_bytes(folder / _LIST, limit=_MAX_LIST), _Entries)
    except JaxdreamError:
        return {}
