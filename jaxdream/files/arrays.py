"""Arrays with a description in one .npz file, whole or not there; equal ones are equal files."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, open_regular, printable, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import replacing

_ABOUT = "about"  # the description, as JSON


def write_arrays(
    path: PathLike, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write arrays by their names, and a description that JSON can hold.

    Raises:
        JaxdreamError: the file cannot be written.
    """
    content = io.BytesIO()
    # As ASCII: a name may hold bytes that are not UTF-8.
    text = np.array(json.dumps(about, sort_keys=True))
    np.savez_compressed(content, allow_pickle=False, **{_ABOUT: text, **arrays})
    with replacing(path) as file:
        file.write(content.getbuffer())


def read_arrays(path: PathLike, schema: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """What ``write_arrays`` wrote.

    Args:
        schema: the type of the description.

    Raises:
        JaxdreamError: there is no such file, or it is another or damaged.
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
            about = decode(str(arrays.pop(_ABOUT)), schema)
    except (
        JaxdreamError, KeyError, ValueError, OSError, EOFError, MemoryError, NotImplementedError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        name = printable(path)
        if isinstance(error, JaxdreamError) and name in str(error):
            raise
        raise JaxdreamError(f"{name} is damaged, or not jaxdream's: {reason(error)}") from error
    return about, arrays
