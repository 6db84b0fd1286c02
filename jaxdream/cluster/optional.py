"""The packages of the extra ``cluster``, which may not be installed."""

import importlib
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason


def imported(name: str) -> Any:
    """A module of the extra.

    Raises:
        JaxdreamError: it is not installed; says what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise JaxdreamError(
            f"a cluster needs Ray and what it reads with ({reason(error)}): "
            "pip install 'jaxdream[cluster]'"
        ) from None
