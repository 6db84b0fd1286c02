"""The pictures that a run over a cluster is given: files, objects, and those inside of shards.

Every picture becomes an entry: the place that holds it, and which part of that it is. So a picture
in a tar file is read by its range of bytes, and one in a Parquet file by its row.
"""

import glob
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jaxdream.cluster.optional import imported
from jaxdream.cluster.storage import (
    check_size,
    is_local,
    local_path,
    opened_store,
    patiently,
    read_place,
)
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import open_regular, printable, reason
from jaxdream.folder.inputs import is_picture, iterate_inputs
from jaxdream.images.decoding import header_size_in

SHARDS = (".tar", ".parquet")
_MAX_LINE = 1 << 16  # bytes of a place in a list
_HEADER = 1 << 16  # bytes of a file in which the size of its picture mostly is
# How columns of Parquet files are called that name a picture.
_NAMES = ("path", "name", "key", "file_name", "filename", "__key__", "url")


class Entry(NamedTuple):
    """A picture, and where it is."""

    place: str  # an absolute path or a URL
    name: str  # relative, with slashes: its seed and the place of its dream depend on it
    offset: int | None = None  # where it begins in a tar file
    size: int | None = None  # bytes, where that is known
    row: int | None = None  # in a Parquet file
    group: int = 0  # its row group, which has the row

    @property
    def label(self) -> str:
        """What messages call it."""
        inside = self.offset is not None or self.row is not None
        return printable(f"{self.place}: {PurePosixPath(self.name).name}" if inside else self.place)


def iterate_places(
    inputs: Sequence[str], *, lists: Sequence[str] = (), leave_out: str | None = None
) -> Iterator[Entry | str]:
    """Pictures by themselves, and the places of shards that hold more, as they are found.

    No more is held than one folder of a store, what matches one pattern, or a row of a list.

    Args:
        inputs: as of ``find_inputs``; and URLs of fsspec: of a picture, a folder, a pattern, or a
            shard (.tar, .parquet), which may be local too.
        lists: text files that name one of these on each line.
        leave_out: a place that is not looked into.

    Raises:
        JaxdreamError: there is no such thing.
    """
    out = str(local_path(leave_out)) if leave_out and is_local(leave_out) else None
    for path in [*lists, *(text[1:] for text in inputs if text.startswith("@"))]:
        yield from _in_list(path)
    for text in inputs:
        if text.startswith("@"):
            continue
        if _is_shard(text):
            yield from _matching_shards(text)
        elif is_local(text):
            empty = True
            for one in iterate_inputs([_plain(text)], leave_out=out):
                empty = False
                yield Entry(os.path.abspath(one.path), one.relative_path)
            if empty:
                raise JaxdreamError(f"no pictures in {printable(text)}")
        else:
            yield from _remote(text, leave_out)


def shard_entries(place: str) -> Iterator[Entry]:
    """The pictures in a shard, named from the shard's own name on.

    Raises:
        JaxdreamError: it cannot be read.
    """
    stem = PurePosixPath(urlsplit(place).path).stem
    find = _in_tar if place.lower().endswith(".tar") else _in_parquet
    try:
        for entry in find(place):
            yield entry._replace(name=f"{stem}/{entry.name}")
    except JaxdreamError:
        raise
    except Exception as error:  # of a damaged file: any type
        raise JaxdreamError(f"cannot read {printable(place)}: {reason(error)}") from error


def entry_bytes(entry: Entry) -> bytes:
    """The bytes of a picture's file.

    Raises:
        JaxdreamError: they cannot be read, or there are none.
    """
    check_size(entry.place, entry.size)
    if entry.row is not None:
        content = _parquet_group(entry.place, entry.group)[entry.row] or b""
    elif entry.offset is not None:
        content = read_place(entry.place, entry.offset, entry.offset + (entry.size or 0))
    else:
        content = read_place(entry.place)
    if not content:
        raise JaxdreamError(f"{entry.label} is empty")
    return content


def entry_size(entry: Entry) -> tuple[int, int]:
    """Height and width of a picture, upright, from the beginning of its file.

    Raises:
        JaxdreamError: it cannot be read, or is no picture.
    """
    check_size(entry.place, entry.size)
    begin = entry.offset or 0
    known = entry.size is not None and entry.size > _HEADER
    if entry.row is None and known:
        content = read_place(entry.place, begin, begin + _HEADER)
        try:
            return header_size_in(io.BytesIO(content), entry.label)
        except JaxdreamError:  # what tells the size comes later in the file
            pass
    return header_size_in(io.BytesIO(entry_bytes(entry)), entry.label)


def _plain(text: str) -> str:
    return str(local_path(text)) if "://" in text else text


def _is_shard(text: str) -> bool:
    return PurePosixPath(urlsplit(text).path).suffix.lower() in SHARDS


def _in_list(path: str) -> Iterator[Entry | str]:
    """The pictures and shards of a list of places."""
    for line in _lines(path):
        text = os.fsdecode(line.strip())
        if not text:
            continue
        parts = urlsplit(text)
        if _is_shard(text):
            yield text
        elif is_local(text):
            name = os.path.normpath(_plain(text))
            outside = os.path.isabs(name) or name.startswith("..")
            shown = Path(name).name if outside else Path(name).as_posix()
            yield Entry(os.path.abspath(name), shown)
        else:
            yield Entry(text, _inside(f"{parts.netloc}/{parts.path.lstrip('/')}"))


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a list, which may be longer than the memory."""
    if path == "-":
        import sys

        yield from _short_lines(sys.stdin.buffer)
    elif is_local(path):
        with open_regular(local_path(path)) as file:
            yield from _short_lines(file)
    else:
        store, inside = opened_store(path)
        with patiently(path, lambda: store.open(inside, "rb")) as file:
            yield from _short_lines(file)


def _short_lines(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.readline(_MAX_LINE), b"")


def _matching_shards(text: str) -> list[str]:
    if not glob.has_magic(text):
        return [os.path.abspath(_plain(text)) if is_local(text) else text]
    store, path = opened_store(text)
    found = patiently(text, lambda: store.glob(path))
    if not found:
        raise JaxdreamError(f"{printable(text)}: no file matches")
    return [store.unstrip_protocol(one) if not is_local(text) else one for one in sorted(found)]


def _remote(text: str, leave_out: str | None) -> Iterator[Entry]:
    """The pictures of a URL: of a file, a folder or a pattern."""
    store, path = opened_store(text)
    if glob.has_magic(path):
        parts = path.split("/")
        first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        base = "/".join(parts[:first])
        found = patiently(text, lambda: store.glob(path, detail=True)).items()
    elif patiently(text, lambda: store.isdir(path)):
        base, found = path, _walked(store, path, text)
    else:
        info = patiently(text, lambda: store.info(path))
        yield Entry(text, PurePosixPath(urlsplit(text).path).name, size=info.get("size"))
        return
    base = base.rstrip("/") + "/"
    out = None if leave_out is None or is_local(leave_out) else opened_store(leave_out)[1] + "/"
    empty = True
    for each, info in found:
        name = each.removeprefix(base)
        hidden = any(part.startswith(".") for part in name.split("/"))
        if info.get("type") == "directory" or hidden or not is_picture(name):
            continue
        if out is None or not each.startswith(out):
            empty = False
            yield Entry(store.unstrip_protocol(each), name, size=info.get("size"))
    if empty:
        raise JaxdreamError(f"no pictures in {printable(text)}")


def _walked(store: Any, path: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All files below a folder of a store, of which one folder is held at a time."""
    remaining = [path]
    while remaining:
        folder = remaining.pop()
        for info in patiently(text, lambda folder=folder: store.ls(folder, detail=True)):
            name = info["name"].rstrip("/")
            if name == folder.rstrip("/"):  # stores have empty objects for folders
                continue
            if info["type"] == "directory":
                remaining.append(name)
            else:
                yield name, info
        store.invalidate_cache(folder)


def _in_tar(place: str) -> Iterator[Entry]:
    """The pictures of a tar file; only the headers are read, where the store can read parts."""
    store, path = opened_store(place)
    with (
        patiently(place, lambda: store.open(path, "rb", block_size=_HEADER)) as file,
        tarfile.open(fileobj=file, mode="r:") as archive,
    ):
        while (member := archive.next()) is not None:
            archive.members = []  # pyright: ignore[reportAttributeAccessIssue] (it holds all)
            if member.isreg() and is_picture(PurePosixPath(member.name).name):
                yield Entry(place, _inside(member.name), member.offset_data, member.size)


def _in_parquet(place: str) -> Iterator[Entry]:
    file = _parquet_file(place)
    known = [name for name in file.schema_arrow.names if name in _NAMES]
    number = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        names: list[Any] = [None] * count
        if known:
            names = file.read_row_group(group, columns=known[:1]).column(0).to_pylist()
        for row, name in enumerate(names):
            shown = _inside(str(name)) if name else f"{number:08}"
            yield Entry(place, shown, row=row, group=group)
            number += 1


def forget_tables() -> None:
    """Read row groups again that were read before: their file may be another one by now."""
    _parquet_group.cache_clear()


@lru_cache(maxsize=2)
def _parquet_group(place: str, group: int) -> list[bytes | None]:
    """The pictures of a row group: those of a batch are mostly in one."""
    file = _parquet_file(place)
    name = _picture_column(file.schema_arrow, place)
    column = patiently(place, lambda: file.read_row_group(group, columns=[name]).column(0))
    values = column.to_pylist()
    return [value.get("bytes") if isinstance(value, dict) else value for value in values]


def _parquet_file(place: str) -> Any:
    parquet = imported("pyarrow.parquet")

    store, path = opened_store(place)
    return patiently(place, lambda: parquet.ParquetFile(store.open(path, "rb")))


def _picture_column(schema: Any, place: str) -> str:
    """The column of bytes, or of Hugging Face's records with bytes.

    Raises:
        JaxdreamError: there is none.
    """
    pa = imported("pyarrow")

    for field in schema:
        kind = field.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return field.name
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return field.name
    raise JaxdreamError(f"{printable(place)} has no column of bytes that could be pictures")


def _inside(name: str) -> str:
    """A name that stays inside of the folder that it is put into."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        path = PurePosixPath(path.name)
    return str(path)
