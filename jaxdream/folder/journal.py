"""The journal of a folder of dreams: what was made of what, so that a stopped run can go on.

``jaxdream.jsonl`` in the output folder holds an object of JSON a line: for every run its settings,
for every picture what came of it. It is only ever appended to. A picture's line is on the disk
before the picture takes its name: a file that the journal does not know is never one of ours, and
what a killed run announced but did not finish is seen by the file's hash. So lines are facts,
whose order means nothing, and the journals of several processes (``jaxdream.3.jsonl``) are read
together as one; the last process to end puts them into one.
"""

import hashlib
import json
import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from jaxdream.errors import JaxdreamError
from jaxdream.files.locking import Busy, folder_lock
from jaxdream.files.reading import reason
from jaxdream.files.schema import convert, decode
from jaxdream.files.writing import remove_temporaries, replacing

SCHEMA = 1
_HASH = 16  # characters of a hash of settings
_APPENDING = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_JOURNAL = re.compile(r"jaxdream(?:\.([1-9]\d*))?\.jsonl")
_LOCK = re.compile(r"\.jaxdream(?:\.([1-9]\d*))?\.lock")


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
    """The journals of a folder as read when it was opened, and one of them to append to.

    It may be used from several threads.
    """

    def __init__(self, folder: Path, number: int, notify: Callable[[str], None]) -> None:
        """Read the journals of a folder, whose lock is held, and repair the one to append to."""
        self.runs: dict[str, dict] = {}  # the latest by ``settings_hash``
        self._path = folder / _name(number)
        self._made: defaultdict[str, set[JournalEntry]] = defaultdict(set)  # by the output's name
        self._failed: set[tuple[object, ...]] = set()
        self._lock = threading.Lock()
        for path, lines in _read_all(folder).items():
            damaged = [at for at, line in enumerate(lines, 1) if not self._take(line, path)]
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

    def _take(self, line: bytes, path: Path) -> bool:
        """Remember what a line says; False if it is damaged."""
        try:
            values = decode(line, dict[str, Any])
            if "journal" in values:
                run = convert(values, _Run)
                if run.journal != SCHEMA:
                    raise _OtherVersion(
                        f"{path} was written by another version of jaxdream, which this one does "
                        "not read: choose another output folder"
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
    folder: Path,
    *,
    process: int = 0,
    processes: int = 1,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[Journal]:
    """The journal of an output folder, which belongs to this process until the block ends.

    Args:
        process: number of this process, of ``processes`` that write into the folder together.
        notify: is told of damaged lines.

    Raises:
        JaxdreamError: another run is writing into the folder, nothing can be written there, or its
            journal is of another version.
    """
    with ExitStack() as held:
        held.enter_context(folder_lock(folder / _lock_name(process)))
        if process == 0:
            remove_temporaries([folder / _name(0)])
            for number in _numbers(folder):
                if number >= processes:
                    with folder_lock(folder / _lock_name(number)):
                        pass
        journal = Journal(folder, process, notify)
        held.callback(journal.close)
        yield journal
    _merge(folder)


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


def _merge(folder: Path) -> None:
    """Put the journals of several processes into one, if none of them is at work any more."""
    numbers = _numbers(folder)
    if not any(numbers):
        return
    try:
        with ExitStack() as locks:
            for number in numbers:
                locks.enter_context(folder_lock(folder / _lock_name(number)))
            lines = dict.fromkeys(line for each in _read_all(folder).values() for line in each)
            with replacing(folder / _name(0)) as file:
                file.writelines(line + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            for number in filter(None, numbers):
                (folder / _name(number)).unlink(missing_ok=True)
                (folder / _lock_name(number)).unlink(missing_ok=True)
    except Busy:
        return  # the process that is at work will do it
    except OSError as error:
        raise JaxdreamError(f"cannot write into {folder}: {reason(error)}") from error


def _numbers(folder: Path) -> list[int]:
    """Numbers of the processes that have left something in a folder, and 0."""
    matches = (_JOURNAL.fullmatch(name) or _LOCK.fullmatch(name) for name in os.listdir(folder))
    return sorted({0, *(int(match[1] or 0) for match in matches if match)})


def _name(number: int) -> str:
    return f"jaxdream.{number}.jsonl" if number else "jaxdream.jsonl"


def _lock_name(number: int) -> str:
    return f".jaxdream.{number}.lock" if number else ".jaxdream.lock"


def _read_all(folder: Path) -> dict[Path, list[bytes]]:
    """The whole lines of every journal in a folder."""
    while True:
        try:
            paths = [folder / _name(number) for number in _numbers(folder)]
            paths = [path for path in paths if os.path.lexists(path)]
            for path in paths:
                if path.is_symlink() or (path.exists() and not path.is_file()):  # such as a pipe
                    raise _not_a_journal(path)
            return {path: path.read_bytes().split(b"\n")[:-1] for path in paths}
        except FileNotFoundError:  # it has just been put into another one
            continue
        except OSError as error:
            raise JaxdreamError(f"cannot read the journal of {folder}: {reason(error)}") from error
