"""The list of a run's pictures, in a file of this machine: in memory it would grow with the run.

The file is a database of SQLite, which sorts and compares names of any number in a memory that
does not grow. It goes when the run ends.
"""

import itertools
import os
import pickle
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxdream.cluster.entries import Entry, shard_entries
from jaxdream.cluster.optional import imported
from jaxdream.cluster.storage import is_local
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import check_inside
from jaxdream.files.reading import reason
from jaxdream.folder.inputs import (
    check_suffix,
    is_a_picture_to_dream,
    named_alike,
    output_name,
    real_path,
    written_twice,
)

PART = 4096  # pictures that are planned together
_ROWS = 1000  # that are held at once
_PIECE = 2000  # pictures of a shard that are told at once
_CACHE = 8 << 10  # KiB of memory of SQLite's
_ENTRY = "name, place, begin, size, row, grp"
_ALL = f"{_ENTRY}, output, source"  # of a picture: its place without links


class Listed(NamedTuple):
    """A picture of the list."""

    entry: Entry
    output: str  # name of its dream


@runtime_checkable
class Parts(Protocol):
    """What workers see of the list of a run."""

    def part(self, number: int) -> list[Listed]:
        """The pictures of a part of the list, in their order."""
        ...


class Listing:
    """The pictures of a run: first found, then checked and in the order of their names."""

    def __init__(self, suffix: str | None = None) -> None:
        """
        Args:
            suffix: of all dreams, as of ``output_names``.

        Raises:
            JaxdreamError: no format has it.
        """
        check_suffix(suffix)
        self._suffix = suffix
        folder = tempfile.mkdtemp(prefix="jaxdream-list-")
        # Also where a run is never begun.
        self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = Path(folder) / "pictures.sqlite"
        self.count, self.size = 0, PART
        with self._opened() as database:
            database.execute(f"CREATE TABLE found ({_ALL})")

    def close(self) -> None:
        """Delete the file."""
        self._delete()

    def add(self, entries: Iterable[Entry]) -> None:
        """More pictures, in any order, some perhaps twice."""
        values = (
            (
                _raw(entry.name), _raw(entry.place), *entry[2:],
                _raw(output_name(entry.name, self._suffix)), _source(entry.place),
            )
            for entry in entries
        )  # fmt: skip
        with self._opened() as database:
            database.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def check(self, asked: str, folder: str) -> None:
        """Put the list in order, once it is whole.

        Args:
            asked: what was looked into, for messages.
            folder: the place that the dreams go to.

        Raises:
            JaxdreamError: there are none, two have one name, two dreams would have one, or a dream
                would take the place of a picture.
        """
        with self._opened() as database:
            database.execute(f"CREATE TABLE entries (number INTEGER PRIMARY KEY, {_ALL})")
            database.execute(
                f"INSERT INTO entries ({_ALL}) SELECT DISTINCT {_ALL} FROM found"
                " ORDER BY name, place"
            )
            database.execute("DROP TABLE found")
            self.count = database.execute("SELECT count(*) FROM entries").fetchone()[0]
            if not self.count:
                raise JaxdreamError(f"no pictures in {asked or 'nothing'}")
            _check_names(database)
            _check_outputs(database)
            if is_local(folder):
                _check_places(database, folder)

    def parts(self) -> int:
        """How many parts the list has."""
        return -(-self.count // self.size)

    def length(self, part: int) -> int:
        """How many pictures a part has."""
        return min(self.size, self.count - part * self.size)

    def outputs(self) -> Iterator[str]:
        """The names of all dreams, in the order of the list."""
        with self._opened() as database:
            for rows in _in_pieces(database, "number, output"):
                yield from (_text(name) for _, name in rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # An error deletes it, so that it need not be safe from one.
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"PRAGMA cache_size = -{_CACHE}")
            database.execute("BEGIN")
            yield database
            if database.in_transaction:
                database.execute("COMMIT")


class PartsOf:
    """Reads the parts of a list from its file, which is not changed any more."""

    def __init__(self, path: str, size: int) -> None:
        """
        Args:
            path: of the file.
            size: pictures of a part, as the list has it.
        """
        self._path, self._size = path, size

    def part(self, number: int) -> list[Listed]:
        address = f"{Path(self._path).as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            rows = database.execute(
                f"SELECT output, {_ENTRY} FROM entries WHERE number > ? AND number <= ?"
                " ORDER BY number",
                (number * self._size, (number + 1) * self._size),
            ).fetchall()
        return [
            Listed(Entry(_text(place), _text(name), *inside), _text(output))
            for output, name, place, *inside in rows
        ]


class RemoteParts:
    """The ``PartsOf`` a list, an actor of Ray where the list is, from any worker."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def part(self, number: int) -> list[Listed]:
        ray = imported("ray")

        return ray.get(self._actor.part.remote(number))


class Seen:
    """Which pictures of a list came out: their names as long as their part is not whole."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._open: dict[int, set[str]] = {}
        self._whole = bytearray(listing.parts())

    def add(self, part: int, name: str) -> bool:
        """Note a picture; whether it is new."""
        if self._whole[part]:
            return False
        names = self._open.setdefault(part, set())
        if name in names:
            return False
        names.add(name)
        if len(names) == self._listing.length(part):
            self._whole[part] = 1
            del self._open[part]
        return True

    def is_whole(self, part: int) -> bool:
        """Whether all pictures of a part came out."""
        return bool(self._whole[part])

    def missing(self) -> list[int]:
        """The parts that are not whole."""
        return [number for number, whole in enumerate(self._whole) if not whole]


def add_apart(listing: Listing, found: Iterable[Entry | str]) -> list[str]:
    """Put pictures into a list; gives the shards among them, which the cluster looks into."""
    shards: list[str] = []

    def pictures() -> Iterator[Entry]:
        for one in found:
            if isinstance(one, str):
                shards.append(one)
            else:
                yield one

    listing.add(pictures())
    return shards


def add_shards(listing: Listing, shards: Sequence[str], reading_cpus: float) -> None:
    """Put the pictures in shards into a list; the cluster looks into many shards at once.

    Args:
        reading_cpus: processors of a task that looks.

    Raises:
        JaxdreamError: one cannot be read.
    """
    if not shards:
        return
    ray = imported("ray")

    places = [{"place": place} for place in shards]
    looked = imported("ray.data").from_items(places, override_num_blocks=len(places))
    looked.context.target_max_block_size = 1  # of what a task has found, no more than a piece
    found = looked.flat_map(_in_pieces_of_shard, num_cpus=reading_cpus)
    try:
        for row in found.iter_rows():
            listing.add(pickle.loads(row["entries"]))
    except ray.exceptions.RayTaskError as error:
        raise JaxdreamError(reason(error.cause)) from None


def _in_pieces_of_shard(row: Mapping[str, str]) -> Iterator[dict[str, bytes]]:
    """In a worker: the pictures of a shard."""
    entries = shard_entries(row["place"])
    while piece := list(itertools.islice(entries, _PIECE)):
        yield {"entries": pickle.dumps(piece)}


def _check_names(database: sqlite3.Connection) -> None:
    two = database.execute(
        "SELECT a.number FROM entries a JOIN entries b"
        " ON b.number = a.number + 1 AND b.name = a.name LIMIT 1"
    ).fetchone()
    if two:
        one, other = _entries(database, "number IN (?, ?)", two[0], two[0] + 1)
        raise named_alike(one.label, other.label, one.name)


def _check_outputs(database: sqlite3.Connection) -> None:
    database.execute("CREATE INDEX by_output ON entries (output)")
    twice = database.execute(
        "SELECT output FROM entries GROUP BY output HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice:
        one, other, *_ = _entries(database, "output = ?", twice[0])
        raise written_twice(one.name, other.name, _text(twice[0]))


def _check_places(database: sqlite3.Connection, folder: str) -> None:
    """Make sure that all dreams stay in the folder, and none takes the place of a picture."""
    database.execute("CREATE INDEX by_source ON entries (source)")
    for rows in _in_pieces(database, "number, output"):
        for _, output in rows:
            path = os.path.join(folder, _text(output))
            real = real_path(path)
            if real is None:  # no file has such a name: the picture's own error
                continue
            check_inside(folder, path)
            find = "SELECT 1 FROM entries WHERE source = ? LIMIT 1"
            if database.execute(find, (_raw(real),)).fetchone():
                raise is_a_picture_to_dream(path)


def _in_pieces(database: sqlite3.Connection, columns: str) -> Iterator[list[Any]]:
    """Some columns of all rows, the number first, a few rows at a time."""
    last = 0
    while rows := database.execute(
        f"SELECT {columns} FROM entries WHERE number > ? ORDER BY number LIMIT {_ROWS}", (last,)
    ).fetchall():
        last = rows[-1][0]
        yield rows


def _entries(database: sqlite3.Connection, where: str, *values: Any) -> list[Entry]:
    found = database.execute(
        f"SELECT {_ENTRY} FROM entries WHERE {where} ORDER BY number LIMIT 2", values
    ).fetchall()
    return [Entry(_text(place), _text(name), *inside) for name, place, *inside in found]


def _source(place: str) -> bytes | None:
    real = real_path(place) if is_local(place) else None
    return None if real is None else _raw(real)


# Names of files may be bytes that are not UTF-8. As bytes, they are in the order of Python's texts.
def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
