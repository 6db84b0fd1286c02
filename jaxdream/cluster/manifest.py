"""The manifest of a run over a cluster: what came of every picture, as Parquet files.

It lies in ``jaxdream-manifest`` in the output folder. A run writes what is new as a part, every
while and when it ends, whole or not at all; of several rows of a picture the latest counts. At the
end of a run parts are merged into few, whose names do not overlap. Rows are in the order of the
pictures' names, so that a part of the list is found without reading all of it. The manifest may be
lost: dreams carry their recipes, by which they are known.
"""

import heapq
import io
import itertools
import json
import secrets
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from jaxdream.cluster.optional import imported
from jaxdream.cluster.storage import (
    is_local,
    joined,
    local_path,
    opened_store,
    patiently,
    read_if_there,
    write_place,
)
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable, reason
from jaxdream.files.schema import decode

FOLDER = "jaxdream-manifest"
_MOST_ROWS = 50_000  # of a part that others are merged into
_GROUP = 1_000  # rows of a row group, which are held at once


class Row(NamedTuple):
    """What came of a picture."""

    input: str  # its name, relative and with slashes
    place: str  # where it was read
    input_sha256: str  # of the file; empty if it could not be read
    output: str  # the dream's name, relative to the output folder
    output_sha256: str  # of the file that was made; empty if there is none
    settings: str  # ``settings_hash``
    seed: int
    status: str  # "dreamed", "skipped" or "failed"; "stopped" where nothing more can be written
    reason: str  # if it failed
    seconds: float  # of the device, its share of its batch
    worker: str  # machine and process that dreamed it
    finished: float  # seconds since 1970


def manifest_place(folder: str) -> str:
    """Where the manifest of an output folder is."""
    return joined(folder, FOLDER)


class Part(NamedTuple):
    """A part of the manifest: from which name to which, and how many rows."""

    place: str
    first: str
    last: str
    length: int  # rows

    @classmethod
    def of(cls, place: str) -> "Part":
        with _opened_part(place) as file:
            meta = file.metadata
            column = meta.schema.names.index("input")
            known = [
                meta.row_group(n).column(column).statistics for n in range(meta.num_row_groups)
            ]
            if not all(known):
                raise JaxdreamError(f"{printable(place)} is no part of a manifest")
            return cls(place, known[0].min, known[-1].max, meta.num_rows)

    def rows(self) -> Iterator[Row]:
        with _opened_part(self.place) as file:
            for group in range(file.num_row_groups):
                for values in file.read_row_group(group).to_pylist():
                    yield Row(**{name: values[name] for name in Row._fields})


def known_parts(folder: str) -> list[Part]:
    """The parts of the manifest, oldest first.

    Raises:
        JaxdreamError: one cannot be read.
    """
    return [Part.of(place) for place in _parts(folder)]


def rows_between(
    folder: str, first: str, last: str, parts: Sequence[Part] | None = None
) -> dict[str, Row]:
    """The latest row of each picture whose name is from ``first`` to ``last``, by that name.

    Args:
        parts: of the manifest, oldest first, as they were when a run began; by default as they are.

    Raises:
        JaxdreamError: the manifest cannot be read.
    """
    parquet = imported("pyarrow.parquet")

    found: dict[str, Row] = {}
    chosen = [("input", ">=", first), ("input", "<=", last)]
    if parts is None:
        parts = [Part(place, first, last, 0) for place in _parts(folder)]
    for place in (part.place for part in parts if part.first <= last and first <= part.last):
        store, path = opened_store(place)
        try:
            table = patiently(
                place,
                lambda store=store, path=path: parquet.read_table(
                    path, filesystem=store, filters=chosen, columns=list(Row._fields)
                ),
            )
        except JaxdreamError as error:
            if "no such file" in str(error):  # a run that has just ended has put it into another
                continue
            raise JaxdreamError(f"{error}: delete this file, dreams are known without it") from None
        _add_latest(found, table.to_pylist())
    return found


def write_part(folder: str, rows: Iterable[Row]) -> str | None:
    """Write rows as one more part; returns its place, or None without rows.

    Raises:
        TargetError: nothing can be written there.
    """
    ordered = sorted(rows, key=lambda row: row.input)
    if not ordered:
        return None
    (place,) = _write_parts(folder, ordered, len(ordered))
    return place


def merge_parts(folder: str) -> None:
    """Merge parts whose names overlap, and small ones; only while no other run is at work.

    No more than some rows of each part that has the same names is held.

    Raises:
        JaxdreamError: they cannot be read, or nothing can be written.
    """
    for parts in _groups(known_parts(folder)):
        _write_parts(folder, _latest(_merged(parts)), _MOST_ROWS)
        for part in parts:
            store, path = opened_store(part.place)
            patiently(part.place, lambda store=store, path=path: store.rm(path))


@contextmanager
def _opened_part(place: str) -> Iterator[Any]:
    parquet = imported("pyarrow.parquet")

    try:
        store, path = opened_store(place)
        with patiently(place, lambda: store.open(path, "rb")) as file:
            yield parquet.ParquetFile(file)
    except JaxdreamError:
        raise
    except Exception as error:  # damage: any type
        raise JaxdreamError(
            f"{printable(place)} is damaged: {reason(error)}: delete this file, dreams are known "
            "without it"
        ) from error


def _groups(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts that are to be merged: whose names overlap, or which are small together."""
    group: list[Part] = []
    last, count = "", 0
    for part in sorted(parts, key=lambda one: one.first):
        if group and (part.first <= last or count + part.length <= _MOST_ROWS):
            group.append(part)
            last, count = max(last, part.last), count + part.length
            continue
        if len(group) > 1:
            yield group
        group, last, count = [part], part.last, part.length
    if len(group) > 1:
        yield group


def _merged(parts: Sequence[Part]) -> Iterator[Row]:
    """The rows of parts in the order of their names; a part is opened when its first one comes."""
    waiting = deque(sorted(parts, key=lambda one: one.first))
    opened: list[tuple[str, int, Row, Iterator[Row]]] = []
    while opened or waiting:
        if waiting and (not opened or waiting[0].first <= opened[0][0]):
            rows = waiting.popleft().rows()
            number = len(waiting)  # so that rows are not compared
        else:
            _, number, row, rows = heapq.heappop(opened)
            yield row
        if (row := next(rows, None)) is not None:
            heapq.heappush(opened, (row.input, number, row, rows))


def _latest(rows: Iterable[Row]) -> Iterator[Row]:
    """Of rows in the order of their names the latest of each name."""
    for _, same in itertools.groupby(rows, key=lambda row: row.input):
        yield max(same, key=lambda row: row.finished)


def _write_parts(folder: str, ordered: Iterable[Row], most: int) -> list[str]:
    """Write rows that are in order as parts with so many rows each; their places."""
    pa = imported("pyarrow")
    parquet = imported("pyarrow.parquet")

    schema, places, rows = _schema(), [], iter(ordered)
    while group := list(itertools.islice(rows, min(most, _GROUP))):
        content, count = io.BytesIO(), 0
        with parquet.ParquetWriter(content, schema) as writer:
            while group:
                # Names of files may be bytes that are not UTF-8; Parquet's texts may not.
                encoded = [_encodable(row) for row in group]
                writer.write_table(pa.Table.from_pylist(encoded, schema=schema))
                count += len(group)
                group = list(itertools.islice(rows, min(most - count, _GROUP)))
        name = f"part-{time.time_ns():020}-{secrets.token_hex(4)}.parquet"
        places.append(joined(manifest_place(folder), name))
        write_place(places[-1], content.getvalue())
    return places


def remembered(folder: str, key: str, chosen: dict[str, Any], *, change: bool) -> dict[str, Any]:
    """What a run before this one chose for the same settings; the first one's choice is kept.

    So a run that goes on puts pictures into the same batches.

    Args:
        key: ``settings_hash``.
        chosen: by this run, as JSON can hold it.
        change: whether that counts, whatever an earlier run chose.
    """
    place = joined(manifest_place(folder), f"run-{key}.json")
    if not change and (content := read_if_there(place)) is not None:
        try:
            before = decode(content, dict[str, Any])
        except JaxdreamError:  # damaged: as if there were none
            before = {}
        if before.keys() == chosen.keys():
            return before
    write_place(place, json.dumps(chosen).encode("ascii"))
    return chosen


def _parts(folder: str) -> list[str]:
    """The places of all parts, oldest first."""
    place = manifest_place(folder)
    store, path = opened_store(place)

    def listed() -> list[str]:
        store.invalidate_cache()
        try:
            return [str(one) for one in store.ls(path, detail=False)]
        except FileNotFoundError:
            return []

    names = sorted(one.rpartition("/")[2] for one in patiently(place, listed))
    base = str(local_path(place)) if is_local(place) else place
    known = (name for name in names if name.startswith("part-") and name.endswith(".parquet"))
    return [joined(base, name) for name in known]


def _add_latest(found: dict[str, Row], rows: list[dict[str, Any]]) -> None:
    for values in rows:
        row = Row(**{name: values[name] for name in Row._fields})
        if row.input not in found or found[row.input].finished <= row.finished:
            found[row.input] = row


def _encodable(row: Row) -> dict[str, Any]:
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in row._asdict().items()
    }


def _schema() -> Any:
    pa = imported("pyarrow")

    kinds = {"seed": pa.int64(), "seconds": pa.float64(), "finished": pa.float64()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in Row._fields])
