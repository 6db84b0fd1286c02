"""Which files a command reads and which it writes, so that none is lost or written twice."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable, reason

# Whether a file that is already there may be replaced, or a function that decides it for a path.
Replace = bool | Callable[[Path], bool]
# The inode of a file that is there, and its path without links: either can identify it.
_Identity = tuple[str, int | str, int | str]


class FileGuard:
    """Knows every file that a command will read and every file that it will write.

    Tell it all of them, in any order, before anything is computed:

        guard = FileGuard(reads=[photo])
        guard.add_read(guide, what="the guide")
        guard.add_write(output)
        guard.add_write_pattern(folder, r"photo_[0-9]{5}\\.png", replace=False)

    Two names mean the same file if they lead to the same place, through symbolic links, or if they
    are hard links of one file. Nothing is opened, made or changed.
    """

    def __init__(self, reads: Iterable[PathLike] = (), *, replace: Replace = False) -> None:
        """A guard that knows the files of ``reads``.

        Args:
            replace: whether a file that is there already may be replaced; or a function of its path
                that says whether it may, such as one that recognises what an earlier run wrote.
        """
        self._replace = replace
        self._reads: dict[_Identity, tuple[str, Path]] = {}  # with what the file is
        self._writes: dict[_Identity, Path] = {}
        self._patterns: list[tuple[Path, re.Pattern[str]]] = []  # of resolved folders
        for path in reads:
            self.add_read(path)

    def add_read(self, path: PathLike, *, what: str = "the input") -> None:
        """Note a file that will be read. The same one may be noted several times.

        Args:
            what: what the file is, for the message: ``"the input"``, ``"the guide"``.

        Raises:
            JaxdreamError: the file will also be written.
        """
        path = Path(path)
        for identity in _identities(path):
            if identity in self._writes:
                raise _overwrites(self._writes[identity], what, path)
            self._reads.setdefault(identity, (what, path))
        if self._matches_pattern(path):
            raise _overwrites(path, what, path)

    def add_write(self, path: PathLike) -> None:
        """Note a file that will be written.

        Raises:
            JaxdreamError: the file is one of those read, or another target, or it is there and may
                not be replaced.
        """
        path = Path(path)
        identities = _identities(path)
        for identity in identities:
            if identity in self._reads:
                raise _overwrites(path, *self._reads[identity])
            if identity in self._writes:
                raise _written_twice(self._writes[identity], path)
        if self._matches_pattern(path):
            raise _written_twice(path, path)
        _check_replaceable(path, self._replace)
        self._writes.update(dict.fromkeys(identities, path))

    def add_write_pattern(
        self, folder: PathLike, pattern: str, *, replace: Replace | None = None
    ) -> None:
        """Note files that will be written but cannot be counted yet, such as numbered frames.

        Args:
            folder: where they will be; it need not be there yet.
            pattern: regular expression that matches the whole of each name.
            replace: as of the guard, if it differs; asked of every file there whose name matches.

        Raises:
            JaxdreamError: a file that is read, or another target, has such a name; a file of such
                a name is there and may not be replaced; or the same pattern was added before.
        """
        replace = self._replace if replace is None else replace
        added = (_resolved(Path(folder)), re.compile(pattern))
        if added in self._patterns:
            raise JaxdreamError(
                f"two results would be written to the same files in {printable(folder)}: rename "
                "one of them"
            )
        self._patterns.append(added)
        for what, path in self._reads.values():
            if self._matches_pattern(path):
                raise _overwrites(path, what, path)
        for path in self._writes.values():
            if self._matches_pattern(path):
                raise _written_twice(path, path)
        try:
            names = sorted(os.listdir(added[0]))
        except OSError:  # no such folder yet, or one that cannot be listed
            return
        for name in filter(added[1].fullmatch, names):
            path = Path(folder) / name
            # Under another name: a hard link.
            for identity in _identities(path):
                if identity in self._reads:
                    raise _overwrites(path, *self._reads[identity])
            _check_replaceable(path, replace)

    def _matches_pattern(self, path: Path) -> bool:
        """Whether a file has one of the names that will be written without being counted."""
        places = {_resolved(path), _resolved(path.parent) / path.name}
        return any(
            place.parent == folder and pattern.fullmatch(place.name)
            for folder, pattern in self._patterns
            for place in places
        )


def check_inside(folder: PathLike, path: PathLike) -> None:
    """Make sure that a path stays in a folder, after ``..`` and symbolic links are followed.

    The folder itself may be a link; neither need be there yet.

    Args:
        path: a path of its own, not one relative to ``folder``.

    Raises:
        JaxdreamError: it leads out of the folder, or it is the folder itself.
    """
    if _resolved(Path(folder)) not in _resolved(Path(path)).parents:
        raise JaxdreamError(f"{printable(path)} leads out of the folder {printable(folder)}")


def _identities(path: Path) -> list[_Identity]:
    identities: list[_Identity] = [("path", os.path.normcase(_resolved(path)), "")]
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return identities
    return [*identities, ("inode", status.st_dev, status.st_ino)]


def _resolved(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:  # a null character, or no valid Unicode
        raise JaxdreamError(f"{printable(path)} is not a possible name: {reason(error)}") from error


def _check_replaceable(path: Path, replace: Replace) -> None:
    if os.path.lexists(path) and not (replace(path) if callable(replace) else replace):
        raise JaxdreamError(
            f"{printable(path)} is there already, and not known to be made by jaxdream: choose "
            "another name, or give --overwrite"
        )


def _overwrites(target: Path, what: str, read: Path) -> JaxdreamError:
    return JaxdreamError(
        f"{printable(target)} is the same file as {what} {printable(read)}: write to another file"
    )


def _written_twice(first: Path, second: Path) -> JaxdreamError:
    names = " and ".join(dict.fromkeys(map(printable, (first, second))))
    return JaxdreamError(f"two results would be written to one file, {names}: rename one of them")
