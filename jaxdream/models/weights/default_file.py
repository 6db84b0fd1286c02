"""The weight file to use if none is named: ``JAXDREAM_WEIGHTS``, or the remembered one.

``jaxdream weights use FILE`` remembers a file, in a small JSON file in the user's configuration
folder. The environment variable wins over it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import read_bytes, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import make_folder, replacing

VARIABLE = "JAXDREAM_WEIGHTS"
COMMAND = "jaxdream weights use"
_MAX_BYTES = 1 << 20


class _Remembered(msgspec.Struct):
    """What ``weights use`` remembers, as JSON."""

    file: str
    model: str


@dataclass(frozen=True)
class DefaultFile:
    """A weight file to use if none is named."""

    path: Path
    model: str | None  # the model it holds, if that is known without reading it
    source: str  # what names it: the environment variable or the command


def default_file() -> DefaultFile | None:
    """The weight file to use if none is named. It is not opened, and may be missing.

    Raises:
        JaxdreamError: the file that remembers it is damaged.
    """
    if named := os.environ.get(VARIABLE):
        return DefaultFile(Path(named).expanduser(), None, VARIABLE)
    if not os.path.lexists(_memory()):
        return None
    try:
        remembered = decode(read_bytes(_memory(), limit=_MAX_BYTES), _Remembered)
    except JaxdreamError as error:
        raise JaxdreamError(
            f"{_memory()} is damaged: run `{COMMAND} FILE` or `{COMMAND} --forget`"
        ) from error
    return DefaultFile(Path(remembered.file), remembered.model, COMMAND)


def remember(path: Path, model: str) -> None:
    """Use a weight file, which holds this model, from now on if none is named.

    Raises:
        JaxdreamError: the configuration folder cannot be written.
    """
    make_folder(config_dir())
    text = json.dumps({"file": str(path.absolute()), "model": model}, indent=2)
    with replacing(_memory()) as file:
        file.write(text.encode())


def forget() -> bool:
    """Forget the remembered file; gives whether there was one.

    Raises:
        JaxdreamError: the configuration folder cannot be written.
    """
    try:
        _memory().unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JaxdreamError(f"cannot remove {_memory()}: {reason(error)}") from error
    return True


def config_dir() -> Path:
    """The folder for the user's choices: ``JAXDREAM_CONFIG``, or the platform's own."""
    if chosen := os.environ.get("JAXDREAM_CONFIG"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("jaxdream", appauthor=False))


def _memory() -> Path:
    return config_dir() / "weights.json"
