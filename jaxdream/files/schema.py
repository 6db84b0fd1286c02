"""What files hold as JSON, decoded and checked against a type by msgspec."""

import json
import re
from typing import Any, NoReturn

import msgspec

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason


def decode(content: bytes | str, schema: Any) -> Any:
    """JSON as a value of a type: a ``msgspec.Struct``, or any other that msgspec knows.

    Raises:
        JaxdreamError: it is not JSON, or the values in it are not of the type; the message says
            which one and where.
    """
    try:
        # Not by msgspec's own decoder: names of files may hold bytes that are not UTF-8.
        values = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise JaxdreamError(f"it is not JSON: {reason(error)}") from None
    return convert(values, schema)


def convert(values: Any, schema: Any) -> Any:
    """``decode`` for JSON that has been decoded already.

    Raises:
        JaxdreamError: as ``decode``.
    """
    try:
        return msgspec.convert(values, schema)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise JaxdreamError(_explanation(error)) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _explanation(error: Exception) -> str:
    """ "steps: expected int <= 10", of "Expected `int` <= 10 - at `$.steps`"."""
    text = reason(error).replace("`", "")
    what, found, where = text.rpartition(" - at ")
    place = re.sub(r"^\$\.?", "", where)
    text = what if found else text
    text = text[:1].lower() + text[1:]
    return f"{place}: {text}" if found and place else text
