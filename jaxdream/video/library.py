"""PyAV, which reads and writes videos: imported when it is needed, since it is optional."""

from fractions import Fraction
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, printable


def video_library(path: PathLike) -> Any:
    """PyAV's module ``av``.

    Args:
        path: the video that it is needed for, as the error names it.

    Raises:
        JaxdreamError: PyAV is not installed.
    """
    try:
        import av
        import av.video.reformatter
    except ImportError:
        raise JaxdreamError(
            f"{printable(path)}: video needs PyAV: pip install 'jaxdream[video]'"
        ) from None
    return av


def exact(rate: Any) -> Fraction | None:
    """A rate, a ratio or a time base of PyAV as Python's fraction; None if it is unknown.

    From version 19 on, PyAV has a type of its own for them, and writes an unknown one as 0/0 or
    0/1.
    """
    if rate is None or not rate.denominator or not rate.numerator:
        return None
    return Fraction(int(rate.numerator), int(rate.denominator))
