"""The visitors of the page: each has a folder for what was made, which ends with the visit."""

import hashlib
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jaxdream.errors import JaxdreamError

PAGES = "page_"  # how the names of the pages' own folders begin
_MOST_KEPT = 60  # results of a visitor; then the oldest is deleted


@dataclass(frozen=True)
class Result:
    """A picture or a film that was made."""

    path: Path
    caption: str
    command: str  # that makes it again
    python: str  # likewise
    mask: Path | None = None  # that was painted for it

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, and not a film."""
        return self.path.suffix == ".png"


@dataclass
class Visitor:
    """Whoever has the page open: one load of it."""

    name: str
    folder: Path
    results: list[Result] = field(default_factory=list)
    originals: dict[str, Path] = field(default_factory=dict)  # uploaded pictures, by sha256
    original: Path | None = None  # what the picture that is given now was dreamed from
    chosen: Result | None = None  # of the results
    _made: int = 0

    def new_path(self, name: str) -> Path:
        """A path in the visitor's folder that no other result has, with this file's name."""
        self._made += 1
        folder = self.folder / f"{self._made:03}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / (re.sub(r"[^0-9A-Za-z._ -]+", "_", name).strip() or "dream.png")

    def keep(self, result: Result) -> None:
        """Add a result, the newest first."""
        self.results.insert(0, result)
        for old in self.results[_MOST_KEPT:]:
            shutil.rmtree(old.path.parent, ignore_errors=True)
        del self.results[_MOST_KEPT:]


class Visitors:
    """All who have the page open, by what the browser calls its session."""

    def __init__(self, folder: Path, *, leave: Callable[[str], object]) -> None:
        """Results lie in ``folder``; ``leave`` is called with the name of who has left."""
        self._folder = folder
        self._leave = leave
        self._visitors: dict[str, Visitor] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visitors)

    def of(self, session: str | None) -> Visitor:
        """The visitor of a session, who is new with the first request.

        Raises:
            JaxdreamError: the request has no session.
        """
        if not session:
            raise JaxdreamError("load the page again: this request belongs to no visit")
        with self._lock:
            if session not in self._visitors:
                # What the browser sends is no name for a folder.
                name = hashlib.sha256(session.encode()).hexdigest()[:24]
                self._visitors[session] = Visitor(name, self._folder / name)
            return self._visitors[session]

    def remove(self, session: str | None) -> None:
        """Forget a visitor, and delete everything that was made."""
        with self._lock:
            visitor = self._visitors.pop(session or "", None)
        if visitor is not None:
            self._leave(visitor.name)
            shutil.rmtree(visitor.folder, ignore_errors=True)


def delete_old(folder: Path, seconds: float | int) -> None:
    """Delete what was put into the folder of uploads longer ago than so many seconds.

    Each file lies in a folder of its own there; the folders of pages are left alone.
    """
    now = time.time()
    for place in folder.iterdir():
        with suppress(OSError):  # somebody else has deleted it
            if not place.name.startswith(PAGES) and now - place.stat().st_mtime > seconds:
                shutil.rmtree(place, ignore_errors=True)
