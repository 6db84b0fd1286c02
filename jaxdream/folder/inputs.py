"""The pictures that a command is given: files, folders, patterns and lists of files."""

import glob
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import check_inside
from jaxdream.files.reading import read_bytes, reason
from jaxdream.images.formats import PICTURE_SUFFIXES

# JPEG files and PNG files by their rarer names.
_AS_WRITTEN = {".jpe": ".jpg", ".jfif": ".jpg", ".apng": ".png", ".gif": ".png", ".bmp": ".png"}
_MAX_LIST = 64 << 20  # bytes of a list of files
_KNOWN = {*PICTURE_SUFFIXES, *_AS_WRITTEN}


class Input(NamedTuple):
    """A picture file, and its path relative to the folder or pattern that was given."""

    path: Path
    relative_path: str  # with slashes: its seed and the place of its dream depend on it


def find_inputs(
    inputs: Sequence[str | os.PathLike[str]],
    *,
    lists: Sequence[str | os.PathLike[str]] = (),
    leave_out: str | os.PathLike[str] | None = None,
) -> list[Input]:
    """The pictures that are meant, in the order of their names.

    Args:
        inputs: picture files, each named by its last part; folders, whose pictures at any depth
            (by their endings; nothing hidden) are named from the folder on; patterns with ``*``,
            ``?``, ``[...]`` and ``**``, likewise from the last folder before the first of these;
            ``@FILE``, a list.
        lists: text files that name a file on each line; "-" is standard input. These are named as
            they are written, or by their last part where that leads out of the current folder.
        leave_out: a folder that is not looked into.

    Raises:
        JaxdreamError: there is no such file or list, no picture at all, or two have one name.
    """
    found = set(iterate_inputs(inputs, lists=lists, leave_out=leave_out))
    if not found:
        given = ", ".join(map(str, [*inputs, *lists]))
        raise JaxdreamError(f"no pictures in {given or 'nothing'}" + f" (of {_endings()})")
    result = sorted(found, key=lambda one: (one.relative_path, one.path))
    for one, other in itertools.pairwise(result):
        if one.relative_path == other.relative_path:
            raise named_alike(str(one.path), str(other.path), one.relative_path)
    return result


def iterate_inputs(
    inputs: Sequence[str | os.PathLike[str]],
    *,
    lists: Sequence[str | os.PathLike[str]] = (),
    leave_out: str | os.PathLike[str] | None = None,
) -> Iterator[Input]:
    """The pictures that are meant, as they are found: in any order, and some perhaps twice.

    Args:
        inputs, lists, leave_out: as of ``find_inputs``.

    Raises:
        JaxdreamError: there is no such file or list.
    """
    out = None if leave_out is None else os.path.realpath(leave_out)
    for given in map(str, inputs):
        if given.startswith("@") and not os.path.lexists(given):
            yield from _in_list(given[1:])
        elif os.path.isdir(given):
            yield from _in_folder(given, given, out)
        elif glob.has_magic(given) and not os.path.lexists(given):
            yield from _matching(given, out)
        elif os.path.lexists(given):
            yield Input(Path(given), Path(given).name)
        else:
            raise JaxdreamError(f"{given}: no such file or folder")
    for path in lists:
        yield from _in_list(str(path))


def output_names(
    inputs: Sequence[Input], folder: str | os.PathLike[str], suffix: str | None = None
) -> list[str]:
    """What the dreams of pictures are named, relative to the folder they are written to.

    Args:
        suffix: of all of them, such as ".png"; by default each has its picture's own name, but
            for GIF, whose 256 colours are too few, BMP, which keeps no recipe, and what cannot be
            written.

    Raises:
        JaxdreamError: no format of that name, two dreams would have one name, or one its picture's.
    """
    check_suffix(suffix)
    names: dict[str, str] = {}
    for one in inputs:
        name = output_name(one.relative_path, suffix)
        if name in names:
            raise written_twice(names[name], one.relative_path, name)
        names[name] = one.relative_path
    sources = {real_path(one.path) for one in inputs} - {None}
    for name in names:
        path = os.path.join(folder, name)
        if real_path(path) is None:  # no file has such a name: the picture's own error
            continue
        check_inside(folder, path)
        if real_path(path) in sources:
            raise is_a_picture_to_dream(path)
    return list(names)


def check_suffix(suffix: str | None) -> None:
    """Make sure that pictures can be written with a suffix, if there is one.

    Raises:
        JaxdreamError: no format of that name.
    """
    if suffix is not None and suffix not in PICTURE_SUFFIXES:
        raise JaxdreamError(
            f"pictures are written as {', '.join(PICTURE_SUFFIXES)}, not {suffix!r}"
        )


def output_name(relative_path: str, suffix: str | None = None) -> str:
    """What the dream of one picture is named; as of ``output_names``."""
    path = PurePosixPath(relative_path)
    own = path.suffix.lower()
    if suffix is not None and own in (".jpg", ".jpeg") and suffix in (".jpg", ".jpeg"):
        return str(path)
    other = suffix or _AS_WRITTEN.get(own) or (None if own in PICTURE_SUFFIXES else ".png")
    return str(path) if other is None else str(path.with_suffix(other))


def named_alike(one: str, other: str, name: str) -> JaxdreamError:
    """The error of two pictures that have one name."""
    return JaxdreamError(
        f"{one} and {other} are both named {name}: dream them into folders of their own, or give "
        "the folder that holds both"
    )


def written_twice(one: str, other: str, name: str) -> JaxdreamError:
    """The error of two pictures whose dreams would have one name."""
    return JaxdreamError(f"{one} and {other} would both be written to {name}: rename one of them")


def is_a_picture_to_dream(path: str) -> JaxdreamError:
    """The error of a dream that would take the place of a picture."""
    return JaxdreamError(f"{path} is one of the pictures to dream: choose another output folder")


def real_path(path: str | os.PathLike[str]) -> str | None:
    """A path without symbolic links; None for a name that no file can have."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # ValueError: a null character
        return None


def _in_folder(folder: str, base: str, out: str | None) -> Iterator[Input]:
    """The pictures in a folder, named from ``base`` on."""

    def stop(error: OSError) -> None:
        raise JaxdreamError(f"cannot read {error.filename}: {reason(error)}") from error

    for at, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(at, name)) != out
        ]
        for name in files:
            if is_picture(name):
                path = os.path.join(at, name)
                yield Input(Path(path), Path(os.path.relpath(path, base)).as_posix())


def _matching(pattern: str, out: str | None) -> Iterator[Input]:
    plain = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    base = os.path.join(*plain) if plain else "."
    matches = glob.glob(pattern, recursive=True)
    if not matches:
        raise JaxdreamError(f"{pattern}: no file matches")
    for path in matches:
        if os.path.isdir(path):
            # What lies deeper is found by ** and, as far as it is a folder, by *.
            if "**" not in pattern:
                yield from _in_folder(path, base, out)
        elif is_picture(os.path.basename(path)) and not _within(path, out):
            yield Input(Path(path), Path(os.path.relpath(path, base)).as_posix())


def _within(path: str, folder: str | None) -> bool:
    return folder is not None and os.path.realpath(path).startswith(os.path.join(folder, ""))


def is_picture(name: str) -> bool:
    """Whether a file of this name is a picture, by its ending, and not hidden."""
    return os.path.splitext(name)[1].lower() in _KNOWN and not name.startswith(".")


def _in_list(path: str) -> Iterator[Input]:
    if path == "-":
        content = sys.stdin.buffer.read(_MAX_LIST + 1)
        if len(content) > _MAX_LIST:
            raise JaxdreamError(f"the list on standard input has more than {_MAX_LIST:,} bytes")
    else:
        content = read_bytes(path, limit=_MAX_LIST)
    for line in content.splitlines():
        if line.strip():
            name = os.path.normpath(os.fsdecode(line.strip(b"\r")))
            outside = os.path.isabs(name) or name.startswith("..")
            yield Input(Path(name), Path(name).name if outside else Path(name).as_posix())


def _endings() -> str:
    return ", ".join(sorted(_KNOWN))
