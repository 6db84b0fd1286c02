"""The folder that results go into: whose it is, and how far a run in it has come."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.arrays import read_arrays, write_arrays
from jaxdream.files.locking import folder_lock
from jaxdream.files.reading import printable
from jaxdream.files.writing import make_folder, remove_temporaries
from jaxdream.folder.inputs import Input, find_inputs
from jaxdream.images import picture_files
from jaxdream.models.network import Network
from jaxdream.types import Size
from jaxdream.units.pictures import Unreadable, folder_hash

_CHECKPOINT = "unfinished.npz"
_LOCK = ".jaxdream.lock"
_MOST_FAILURES = 1000  # that are remembered by name
_KEEP_EVERY = 60.0  # seconds between checkpoints

State = TypeVar("State")
News = TypeVar("News")


class StepDone(NamedTuple):
    """How far a run is: in words and as a share, and pictures that have just failed."""

    text: str
    done: float  # 0..1, of what it is at
    failed: Sequence[Unreadable] = ()


class About(msgspec.Struct):
    """What results were made of."""

    key: str  # a hash of all that they depend on
    layers: list[str]
    network: str
    weights_sha256: str
    size: tuple[int, int]  # height and width that pictures were shown at
    pictures: int  # of the folder
    read: int  # how many of these have been read
    failed: int = 0
    failures: list[tuple[str, str]] = msgspec.field(default_factory=list)  # name and reason

    @classmethod
    def of(
        cls,
        model: Network,
        inputs: Sequence[Input],
        layers: Sequence[str],
        size: Size,
        settings: Mapping[str, Any],
    ) -> "About":
        """Before the first picture.

        Args:
            size: height and width that pictures are shown at.
            settings: that the results depend on, as JSON can hold them.
        """
        facts = {
            **settings,
            "layers": list(layers),
            "size": list(size),
            "network": model.name,
            "weights": model.weights_sha256,
            "precision": model.precision,
            "pictures": folder_hash(inputs),
        }
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii")).hexdigest()
        layers = list(layers)
        return cls(key, layers, model.name, model.weights_sha256, size, len(inputs), read=0)

    def after(self, read: int, failed: Sequence[Unreadable]) -> "About":
        """After further pictures were read, some of which could not be used."""
        failures = [*self.failures, *((name, reason) for name, reason in failed)]
        return msgspec.structs.replace(
            self,
            read=self.read + read,
            failed=self.failed + len(failed),
            failures=failures[:_MOST_FAILURES],
        )

    def step_done(self, failed: Sequence[Unreadable]) -> StepDone:
        """How far the pass over the pictures is."""
        return StepDone(
            f"{self.read}/{self.pictures} pictures", self.read / max(self.pictures, 1), failed
        )


class ResultFolder:
    """A folder of results of one kind, from one set of pictures with one set of settings."""

    def __init__(self, path: Path, result: str, parts: Sequence[str]) -> None:
        """
        Args:
            result: name of the file that is written when all pictures have been read.
            parts: names of the other files and folders in it.
        """
        self.path = path
        self.result = path / result
        self.checkpoint = path / _CHECKPOINT
        self._parts = [path / name for name in parts]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes into the folder, which is made.

        Raises:
            JaxdreamError: another run does, or it cannot be made.
        """
        make_folder(self.path)
        with folder_lock(self.path / _LOCK):
            remove_temporaries([self.result, self.checkpoint, *self._parts])
            yield

    def open(self, about: About, *, overwrite: bool) -> tuple[About, dict[str, np.ndarray] | None]:
        """What an earlier run came to: its description and arrays; none for a new folder.

        Raises:
            JaxdreamError: the folder holds something else.
        """
        if overwrite:
            for part in (self.result, self.checkpoint, *self._parts):
                _clear(part)
            return about, None
        for path in (self.result, self.checkpoint):
            if not os.path.lexists(path):
                continue
            before, arrays = read_arrays(path, About)
            if before.key != about.key:
                raise JaxdreamError(
                    f"{printable(self.path)} was made from other pictures, with another network or "
                    "other settings: choose another folder, or begin anew with --overwrite"
                )
            return before, arrays
        for part in self._parts:
            if os.path.lexists(part):
                raise JaxdreamError(
                    f"{printable(part)} is there already, and not known to be made by jaxdream: "
                    "choose another folder, or give --overwrite"
                )
        return about, None

    def is_finished(self) -> bool:
        """Whether all pictures have been read."""
        return self.result.exists()

    def go_through(
        self,
        about: About,
        state: State,
        news: Generator[News, None, None],
        *,
        add: Callable[[About, State, News], tuple[About, State, Sequence[Unreadable]]],
        arrays: Callable[[State], Mapping[str, np.ndarray]],
    ) -> Generator[StepDone, None, tuple[About, State]]:
        """Go through the pictures that are left; closed or interrupted, it keeps how far it is.

        Args:
            about: how far an earlier run came.
            state: what that found out.
            news: of the pictures that are left, in their order.
            add: how far it is and what is known with one more of these, and which of its pictures
                could not be used.
            arrays: what is known, as a file holds it.

        Returns:
            The description and what is known after the last picture.
        """
        # In one variable: an interruption finds both before a batch, or both after it.
        current = (about, state)
        kept_at = time.monotonic()
        try:
            with closing(news):
                for one in news:
                    about, state, failed = add(*current, one)
                    current = (about, state)
                    if time.monotonic() > kept_at + _KEEP_EVERY:
                        self.keep(current[0], arrays(current[1]))
                        kept_at = time.monotonic()
                    yield current[0].step_done(failed)
        except BaseException:
            self.keep(current[0], arrays(current[1]))
            raise
        return current

    def keep(self, about: About, arrays: Mapping[str, np.ndarray]) -> None:
        """Write how far the pass has come."""
        write_arrays(self.checkpoint, msgspec.structs.asdict(about), arrays)

    def finish(self, about: About, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the result of the pass."""
        write_arrays(self.result, msgspec.structs.asdict(about), arrays)
        self.checkpoint.unlink(missing_ok=True)


def read_about(path: Path) -> About:
    """What a file of results says that it was made of.

    Raises:
        JaxdreamError: there is no such file, or it is damaged.
    """
    return read_arrays(path, About)[0]


def found_inputs(inputs: Sequence[str | os.PathLike[str] | Input], folder: Path) -> list[Input]:
    """The pictures that are meant, without those in the folder for the results.

    Raises:
        JaxdreamError: as ``find_inputs``, or the results would go among the pictures.
    """
    for given in inputs:
        if not isinstance(given, Input) and os.path.realpath(given) == os.path.realpath(folder):
            raise JaxdreamError(
                f"{printable(folder)} has the pictures: choose another folder for the results"
            )
    found = [one for one in inputs if isinstance(one, Input)]
    if found and len(found) == len(inputs):
        return found
    return find_inputs([str(one) for one in inputs], leave_out=folder)


def _clear(part: Path) -> None:
    """Delete a file; of a folder the pictures that jaxdream wrote, and the pages beside them."""
    if not part.is_dir():
        part.unlink(missing_ok=True)
        return
    for path in part.glob("*.png"):
        if picture_files.is_own(path):
            path.unlink()
            path.with_suffix(".html").unlink(missing_ok=True)
    with suppress(OSError):  # the user has something in it
        part.rmdir()


def may_write(path: Path) -> None:
    """Make sure that a picture takes no other one's place.

    Raises:
        JaxdreamError: there is one that jaxdream did not write.
    """
    if os.path.lexists(path) and not picture_files.is_own(path):
        raise JaxdreamError(
            f"{printable(path)} is there already, and not known to be made by jaxdream: move it "
            "away"
        )
