"""What must hold after every command, whatever it was given."""

import fnmatch
import hashlib
import json
import os
import re
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from attack.case import Case, Outcome

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_LINE = 2000  # characters
_LARGEST_HASHED = 64 << 20  # bytes
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"}

Snapshot = dict[str, tuple[object, ...]]


def snapshot(root: Path) -> Snapshot:
    """Every file below a folder: its kind, and its content or target."""
    return {str(path.relative_to(root)): _described(path) for path in _walk(root)}


def violations(case: Case, outcome: Outcome, root: Path, before: Snapshot) -> Iterator[str]:
    """What does not hold, in words.

    Args:
        root: the folder of the case, with its ``work`` and ``outside``.
        before: of ``root``.
    """
    yield from _of_the_end(case, outcome)
    yield from _of_the_streams(outcome)
    after = snapshot(root)
    for name, described in before.items():
        inside = name.removeprefix("work/")
        allowed = any(fnmatch.fnmatchcase(inside, pattern) for pattern in case.may_change)
        if name.startswith("work/") and allowed:
            # Whatever was wrong with it is mended; a journal keeps lines that it cannot read.
            if outcome.code == 0 and not name.endswith(".jsonl"):
                yield from _of_a_new_file(root / name, name)
        elif after.get(name) != described:
            yield f"{name!r} was {'changed' if name in after else 'deleted'}"
    for name in after.keys() - before.keys():
        path = root / name
        if not name.startswith("work/"):
            yield f"{name!r} was written outside"
        elif _TEMPORARY.fullmatch(path.name):
            yield f"{name!r} is left behind"
        else:
            yield from _of_a_new_file(path, name)


def _of_the_end(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.code is None:
        yield f"did not end within {case.seconds:.0f} s"
    elif outcome.code not in case.codes:
        yield f"exit code {outcome.code}, not one of {case.codes}"
    if outcome.memory > case.memory:
        yield f"took {outcome.memory / 1e9:.1f} GB, not at most {case.memory / 1e9:.1f}"


def _of_the_streams(outcome: Outcome) -> Iterator[str]:
    for name, content in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        text = content.decode("utf-8", "backslashreplace")
        if found := _CONTROL.search(text):
            yield f"{name} has a control character, {found[0]!r}"
        if any(len(line) > _LONGEST_LINE for line in text.split("\n")):
            yield f"{name} has a line of more than {_LONGEST_LINE} characters"
    errors = outcome.stderr.decode("utf-8", "backslashreplace").splitlines()
    for line in errors:
        if not line.startswith("jaxdream: "):
            yield f"a line that is not jaxdream's: {line[:200]!r}"
            break
        if "an error in jaxdream itself" in line:
            yield line
    if outcome.code == 2 and not errors:
        yield "exit code 2, but standard error has no line that says why"


def _of_a_new_file(path: Path, name: str) -> Iterator[str]:
    if not path.is_file():
        return
    try:
        if path.suffix in _PICTURES:
            with warnings.catch_warnings(), Image.open(path) as image:
                warnings.simplefilter("ignore")
                image.load()
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".jsonl":
            [json.loads(line) for line in path.read_bytes().splitlines()]
    except Exception as error:  # whatever is wrong with it
        yield f"{name!r} is not whole: {error}"


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in (*folders, *files))


def _described(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return kind, os.readlink(path)
    if stat.S_ISREG(status.st_mode):
        if status.st_size > _LARGEST_HASHED:
            return kind, status.st_size
        return kind, hashlib.sha256(path.read_bytes()).hexdigest()
    return (kind,)
