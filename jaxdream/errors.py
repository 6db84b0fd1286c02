"""The one exception that means "the input was wrong", with one line for the person who gave it."""


class JaxdreamError(ValueError):
    """Bad input: the message is one line that says what is wrong and what to do.

    The command line prints it and exits with 2; from Python it is an ordinary ``ValueError``.
    """
