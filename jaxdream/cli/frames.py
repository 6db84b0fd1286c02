"""A folder of the frames of a zoom, from which a run that was stopped goes on.

It holds ``0001.png`` and so on; ``zoom.json``, the settings they were made with; and ``zoom.npz``,
the last frame as it was computed, not rounded. That file is replaced when its picture is written,
so it says how far the run has got.
"""

import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import check_place, make_folder, replacing
from jaxdream.images.picture_files import write_image

SCHEMA = 1
_LONGEST = 60  # characters of a setting in a message
_HASH = 12


class FrameFolder:
    """The frames made so far, ``done`` of them, and the last one as it was computed."""

    def __init__(self, path: Path, settings: dict, made_with: dict) -> None:
        """Open the folder of a zoom, or prepare to make it; nothing is written yet.

        Args:
            settings: what the frames depend on, as JSON can hold it.
            made_with: the versions and names that make no difference but for rounding.

        Raises:
            JaxdreamError: frames of other settings are there, or some that are damaged.
        """
        self.path, self.settings, self.made_with = path, settings, made_with
        self.done = 0
        self.last: np.ndarray | None = None  # (h, w, 3), RGB, 0..255
        self.begun_with: dict = made_with
        numbered = path.is_dir() and any(re.fullmatch(r"\d+\.png", p.name) for p in path.iterdir())
        if numbered or self._state.exists():
            self._check_settings()
        if self._state.exists():
            self._read_state()
        self._remove_temporaries()

    @property
    def _recipe(self) -> Path:
        return self.path / "zoom.json"

    @property
    def _state(self) -> Path:
        return self.path / "zoom.npz"

    def paths(self, count: int) -> list[Path]:
        """The first ``count`` pictures."""
        return [self.path / f"{number:04d}.png" for number in range(1, count + 1)]

    def add(self, frame) -> None:
        """Write the next frame: RGB, 0..255, (h, w, 3), NumPy or JAX."""
        if self.done == 0:
            make_folder(self.path)
            with replacing(self._recipe) as file:
                file.write(self.to_json(indent=1).encode("ascii") + b"\n")
        values = np.asarray(frame)
        write_image(self.paths(self.done + 1)[-1], values)
        # Last, and at once: a run that ends before this line makes this frame again.
        with replacing(self._state) as file:
            np.savez(file, frame=values, done=np.int64(self.done + 1))
        self.done, self.last = self.done + 1, values

    def to_json(self, indent: int | None = None) -> str:
        """The settings as ASCII."""
        values = {"zoom": SCHEMA, "settings": self.settings, "made_with": self.made_with}
        return json.dumps(values, indent=indent)

    def remove(self) -> None:
        """Delete what this wrote, and the folder if nothing else is in it."""
        for path in (*self.paths(self.done), self._state, self._recipe):
            path.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _check_settings(self) -> None:
        try:
            there = json.loads(self._recipe.read_text("ascii"))
            settings, self.begun_with = dict(there["settings"]), dict(there["made_with"])
            known = there["zoom"] == SCHEMA
        except FileNotFoundError:
            raise JaxdreamError(
                f"{self.path} holds frames, but not the zoom.json of a zoom: choose another folder"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise self._damaged("zoom.json") from None
        wanted = json.loads(json.dumps(self.settings))
        if not known or settings != wanted:
            names = [name for name in {**wanted, **settings} if _differ(name, settings, wanted)]
            which = ", ".join(
                f"{name} {_shown(settings.get(name))} there and {_shown(wanted.get(name))} now"
                for name in names
            )
            raise JaxdreamError(
                f"{self.path} holds frames of another zoom ({which or 'of another jaxdream'}): "
                "give the same settings, or another output, or delete it to begin again"
            )

    def _read_state(self) -> None:
        try:
            with self._state.open("rb") as file, np.load(file, allow_pickle=False) as state:
                frame, done = state["frame"], int(state["done"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise self._damaged("zoom.npz") from None
        shape = (*self.settings["size"], 3)
        if frame.shape != shape or frame.dtype != np.float32 or done < 1:
            raise self._damaged("zoom.npz")
        for path in self.paths(done):
            if not path.exists():
                raise JaxdreamError(
                    f"{path} is missing, one of the {done} frames made so far: put it back, or "
                    f"delete {self.path} to begin again"
                )
        self.done, self.last = done, frame

    def _damaged(self, name: str) -> JaxdreamError:
        return JaxdreamError(
            f"{self.path / name} is damaged: delete {self.path} to begin the zoom again"
        )

    def _remove_temporaries(self) -> None:
        """Delete what a run that was killed was just writing."""
        if self.path.is_dir():
            for path in self.path.iterdir():
                if re.fullmatch(r"\.(\d+\.png|zoom\.json|zoom\.npz)\.[0-9a-f]{8}", path.name):
                    path.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Make sure that a folder of frames can be made here, or is one.

    Raises:
        JaxdreamError: it cannot.
    """
    if os.path.exists(path) and not os.path.isdir(path):  # which a name too long does not upset
        raise JaxdreamError(f"{path} is a file: name a folder, or a .gif, .webp or .mp4")
    place = path
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    check_place(place / "0001.png" if place == path else place / path.name)


def _differ(name: str, there: dict, now: dict) -> bool:
    return (name in there, there.get(name)) != (name in now, now.get(name))


def _shown(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        value = value[:_HASH]
    return json.dumps(value)[:_LONGEST]
