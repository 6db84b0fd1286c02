"""The exception that means "the input was wrong", and the warning that means "look at this"."""

from collections.abc import Sequence


class JaxdreamError(ValueError):
    """Bad input: the message is one line that says what is wrong and what to do.

    The command line prints it and exits with 2; from Python it is an ordinary ``ValueError``.
    """


class JaxdreamWarning(UserWarning):
    """Something unusual that stops nothing: the message is one line."""


def nearest_names(names: Sequence[str]) -> str:
    """A part of a message: the names that are like one that is unknown."""
    return f"the nearest {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
