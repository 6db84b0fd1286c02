"""The journal of a folder of dreams: what was made of what, so that a stopped run can go on.

``jaxdream.jsonl`` in the output folder holds an object of JSON a line: for every run its settings,
for every picture what came of it. It is only ever appended to. A picture's line is on the disk
before the picture takes its name: a file that the journal does not know is never one of ours, and
what a killed run announced but did not finish is seen by the file's hash. So lines are facts,
whose order means nothing.
"""

import hashlib
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import reason
from jaxdream.files.schema import convert, decode

SCHEMA = 1
_HASH = 16  # characters of a hash of settings
_APPENDING = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_NAME = "jaxdream.jsonl"


class JournalEntry(NamedTuple):
    """A picture that was dreamed, or was about to be written."""

    input: str  # its name, relative and with slashes
    input_sha256: str  # of the file
    settings: str  # ``settings_hash``
    sha256: str  # of the file that was made


_Count = Annotated[int, Meta(ge=0, lt=1 << 62)]


class _Run(msgspec.Struct):
    """The line of a run."""

    journal: int  # ``SCHEMA``
    settings: str  # ``settings_hash`` of the next
    of: dict[str, Any]
    most: _Count | None = None  # pictures in a batch
    room: _Count | None = None  # bytes


class _Made(msgspec.Struct):
    """The line of a picture."""

    output: str
    input: str
    input_sha256: str
    settings: str
    sha256: str


class _Failed(msgspec.Struct):
    """The line of a picture that could not be dreamed."""

    input: str
    input_sha256: str
    settings: str
    error: str


def settings_hash(settings: Mapping[str, object]) -> str:
    """A short hash of settings that JSON can hold."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_HASH]


class Journal:
    """The journal of a folder as read when it was opened, to append to.

    It may be used from several threads.
    """

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        """Read and repair the journal of a folder, whose lock is held."""
        self.runs: dict[str, dict] = {}  # the latest by ``settings_hash``
        self._path = path = folder / _NAME
        self._made: defaultdict[str, set[JournalEntry]] = defaultdict(set)  # by the output's name
        self._failed: set[tuple[object, ...]] = set()
        self._lock = threading.Lock()
        lines = _read(path)
        damaged = [at for at, line in enumerate(lines, 1) if not self._take(line)]
        if lines and not any(map(_looks_like_a_line, lines)):
            raise _not_a_journal(path)
        if damaged:
            shown = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
            notify(f"{path}: damaged and left out: line {shown}")
        try:
            self._file = os.open(self._path, _APPENDING, 0o666)
            self._cut_torn_line()
        except OSError as error:
            raise JaxdreamError(f"cannot write {self._path}: {reason(error)}") from error

    def close(self) -> None:
        with self._lock:
            os.close(self._file)
            self._file = -1  # a thread that comes late has an error, not another one's file

    def knows(self, output: str) -> bool:
        """Whether a file of this name, relative to the folder, was made by a run, or begun."""
        return output in self._made

    def has(self, output: str, made: JournalEntry) -> bool:
        """Whether this file was made, from this input with these settings."""
        return made in self._made.get(output, ())

    def begin(self, settings: Mapping[str, object], **chosen: object) -> None:
        """Note a run with its settings, and what it chose itself, unless the last was the same."""
        key = settings_hash(settings)
        run = {"journal": SCHEMA, "settings": key, "of": dict(settings), **chosen}
        if self.runs.get(key) != run:
            self._append(run)
            self.runs[key] = run

    def made(self, output: str, made: JournalEntry) -> None:
        """Note a picture, just before its file takes its name."""
        if not self.has(output, made):
            self._append({"output": output, **made._asdict()})
            self._made[output].add(made)

    def failed(self, input: str, input_sha256: str, settings: str, error: str) -> None:
        """Note why there is no dream of a picture."""
        values = (input, input_sha256, settings, error)
        if values not in self._failed:
            names = ("input", "input_sha256", "settings", "error")
            self._append(dict(zip(names, values, strict=True)))
            self._failed.add(values)

    def _append(self, values: dict) -> None:
        line = json.dumps(values).encode("ascii") + b"\n"
        with self._lock:
            try:
                end = os.fstat(self._file).st_size
                try:
                    written = 0
                    while written < len(line):
                        written += os.write(self._file, line[written:])
                    os.fsync(self._file)
                except OSError:
                    os.ftruncate(self._file, end)  # no half of a line stays in the middle
                    raise
            except OSError as error:
                raise JaxdreamError(f"cannot write {self._path}: {reason(error)}") from error

    def _cut_torn_line(self) -> None:
        """Cut off the end of a line that a killed run did not finish."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            if not _looks_like_a_line(content[whole:]):
                raise _not_a_journal(self._path)
            os.ftruncate(self._file, whole)

    def _take(self, line: bytes) -> bool:
        """Remember what a line says; False if it is damaged."""
        try:
            values = decode(line, dict[str, Any])
            if "journal" in values:
                run = convert(values, _Run)
                if run.journal != SCHEMA:
                    raise _OtherVersion(
                        f"{self._path} was written by another version of jaxdream, which this one "
                        "does not read: choose another output folder"
                    )
                if settings_hash(run.of) != run.settings:
                    return False
                self.runs[run.settings] = values
            elif "error" in values:
                self._failed.add(msgspec.structs.astuple(convert(values, _Failed)))
            else:
                made = convert(values, _Made)
                entry = (getattr(made, name) for name in JournalEntry._fields)
                self._made[made.output].add(JournalEntry(*entry))
        except _OtherVersion:
            raise
        except (JaxdreamError, ValueError):  # ValueError: a number that is no JSON, when hashed
            return False
        return True


@contextmanager
def open_journal(
    folder: Path, *, notify: Callable[[str], None] = lambda _: None
) -> Iterator[Journal]:
    """The journal of an output folder, which belongs to this process until the block ends.

    Args:
        notify: is told of damaged lines.

    Raises:
        JaxdreamError: another run is writing into the folder, nothing can be written there, or its
            journal is of another version.
    """
    with folder_lock(folder / ".jaxdream.lock"):
        journal = Journal(folder, notify)
        try:
            yield journal
        finally:
            journal.close()


def _looks_like_a_line(line: bytes) -> bool:
    """Whether a line may once have been one of a journal's; a journal of strangers has none."""
    return b'{"'.startswith(line.strip(b"\0")[:2])


def _not_a_journal(path: Path) -> JaxdreamError:
    return JaxdreamError(
        f"{path} is not a journal of jaxdream, or wholly damaged: choose another output folder, or "
        "move it away"
    )


class _OtherVersion(JaxdreamError):
    """A journal that we cannot read."""


def _read(path: Path) -> list[bytes]:
    """The whole lines of a journal; none if there is none."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # such as a pipe
            raise _not_a_journal(path)
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JaxdreamError(f"cannot read the journal of {path.parent}: {reason(error)}") from error
