"""The version of jaxdream, also where it runs from its source without being installed."""

import tomllib
from pathlib import Path

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import read_bytes

_LARGEST = 1 << 20  # bytes of a pyproject.toml


def jaxdream_version() -> str:
    """The version of what is installed, else of the source that is used, else "unknown"."""
    from importlib.metadata import PackageNotFoundError, version  # slower than all the rest

    try:
        return version("jaxdream")
    except PackageNotFoundError:
        return version_of_source(Path(__file__).resolve().parents[2]) or "unknown"


def version_of_source(folder: Path) -> str | None:
    """The version in the ``pyproject.toml`` of a folder; None if it has none for jaxdream."""
    try:
        text = read_bytes(folder / "pyproject.toml", limit=_LARGEST).decode()
        project = tomllib.loads(text)["project"]
        return project["version"] if project["name"] == "jaxdream" else None
    except (JaxdreamError, ValueError, KeyError):
        return None
