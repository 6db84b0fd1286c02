"""The manifest of a run over a cluster: what came of every picture, as Parquet files.

It lies in ``jaxdream-manifest`` in the output folder. A run writes what is new as a part, every
while and when it ends, whole or not at all; of several rows of a picture the latest counts. At the
end of a run the parts become one. Rows are in the order of the pictures' names, so that a part of
the list is found without reading all of it. The manifest may be lost: dreams carry their recipes,
by which they are known.
"""

import io
import json
import secrets
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from jaxdream.cluster.optional import imported
from jaxdream.cluster.storage import (
    is_local,
    joined,
    local_path,
    opened_store,
    patiently,
    read_if_there,
    read_place,
    write_place,
)
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable, reason
from jaxdream.files.schema import decode

FOLDER = "jaxdream-manifest"
_MOST_ROWS = 2_000_000  # that are put into one part at the end of a run
_GROUP = 10_000  # rows of a row group


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


def rows_between(folder: str, first: str, last: str) -> dict[str, Row]:
    """The latest row of each picture whose name is from ``first`` to ``last``, by that name.

    Raises:
        JaxdreamError: the manifest cannot be read.
    """
    parquet = imported("pyarrow.parquet")

    found: dict[str, Row] = {}
    chosen = [("input", ">=", first), ("input", "<=", last)]
    for place in _parts(folder):
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
    pa = imported("pyarrow")
    parquet = imported("pyarrow.parquet")

    ordered = sorted(rows, key=lambda row: row.input)
    if not ordered:
        return None
    # Names of files may be bytes that are not UTF-8; Parquet's texts may not.
    table = pa.Table.from_pylist([_encodable(row) for row in ordered], schema=_schema())
    file = io.BytesIO()
    parquet.write_table(table, file, row_group_size=_GROUP)
    name = f"part-{time.time_ns():020}-{secrets.token_hex(4)}.parquet"
    place = joined(manifest_place(folder), name)
    write_place(place, file.getvalue())
    return place


def merge_parts(folder: str) -> None:
    """Put all parts into one, unless they are too many rows; only while no other run is at work.

    Raises:
        JaxdreamError: they cannot be read, or nothing can be written.
    """
    parquet = imported("pyarrow.parquet")

    parts = _parts(folder)
    if len(parts) < 2:
        return
    found: dict[str, Row] = {}
    for place in parts:
        content = read_place(place)
        try:
            table = parquet.read_table(io.BytesIO(content))
        except Exception as error:  # damage: any type
            raise JaxdreamError(f"{printable(place)} is damaged: {reason(error)}") from error
        if len(found) + table.num_rows > _MOST_ROWS:
            return
        _add_latest(found, table.to_pylist())
    write_part(folder, found.values())
    for place in parts:
        store, path = opened_store(place)
        patiently(place, lambda store=store, path=path: store.rm(path))


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
