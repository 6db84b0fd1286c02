"""The exception that means "the input was wrong", and the warning that means "look at this"."""


class JaxdreamError(ValueError):
    """Bad input: the message is one line that says what is wrong and what to do.

    The command line prints it and exits with 2; from Python it is an ordinary ``ValueError``.
    """


class JaxdreamWarning(UserWarning):
    """Something unusual that stops nothing: the message is one line."""
