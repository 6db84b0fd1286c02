"""The process of the command line: how signals end it, and who may write to the terminal.

Only the standard library's smallest modules are imported here, so that Ctrl-C is one line from the
first moment on.
"""

import atexit
import faulthandler
import os
import signal
import sys
import threading
import warnings
from _thread import interrupt_main
from contextlib import suppress
from types import FrameType

from jaxdream.cli.exit_codes import INTERRUPTED

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MESSAGE = b"jaxdream: interrupted\n"
_AGAIN_AFTER = 0.02  # seconds


def main() -> None:
    """Run the command line in this process, and exit."""
    exit_on_signals()
    ending = _Ending()
    atexit.register(ending)  # the first of all, and so the last to run
    _open_standard_streams()
    _silence_libraries()
    _show_own_warnings()
    from jaxdream.cli.main import run

    code = run(sys.argv[1:])
    exit_on_signals()  # while the interpreter ends
    # Python remembers that an interruption came out of source it executed, as a dataclass's is, and
    # under ``python -m`` ends itself by the signal, also if it was caught; this makes it forget.
    exec("")
    ending.code = code
    sys.exit(code)


def exit_on_signals() -> None:
    """Until ``raise_on_signals``, Ctrl-C and SIGTERM end the process at once, with one line.

    An exception would come out of whatever is being imported, as any kind of error or as none.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _exit)


def raise_on_signals() -> None:
    """From now on Ctrl-C and SIGTERM raise ``KeyboardInterrupt``, so that work can be kept.

    Nothing is changed where ``exit_on_signals`` was not called: in a notebook, in a test.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is _exit:
            signal.signal(number, _raise)
            sys.unraisablehook = _raise_again


class _Ending:
    """What runs last, when all threads have ended and what libraries have registered has run."""

    code: int | None = None  # of the process; None where it ends in another way

    def __call__(self) -> None:
        # Python would give signals back their defaults, which kill without a line.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # Python reports it as it ends
            return
        # Taking apart the modules of JAX would take Python 0.4 s.
        os._exit(self.code)


def _exit(number: int, frame: FrameType | None) -> None:
    del number, frame
    with suppress(OSError):  # the terminal is gone
        os.write(sys.stderr.fileno(), _MESSAGE)
    os._exit(INTERRUPTED)


def _raise(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _raise_again(ignored) -> None:
    """What Python ignores: an exception in a callback, of garbage collection for example.

    An interruption must not be lost there, and other libraries' mistakes are not for the user.
    """
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        # Not at once: it would come out of this function, and be ignored again.
        timer = threading.Timer(_AGAIN_AFTER, interrupt_main)
        timer.daemon = True
        timer.start()


def _open_standard_streams() -> None:
    """Where a standard stream is closed, no other file may take its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    null = open(os.devnull, "w")  # noqa: SIM115 (open until the end)
    sys.stdout = sys.stdout or null
    sys.stderr = sys.stderr or null


def _show_own_warnings() -> None:
    """Warnings of other libraries are about code, which the user did not write."""
    from jaxdream.errors import JaxdreamWarning

    def show(message: Warning | str, *_: object, **__: object) -> None:
        from jaxdream.files.reading import as_line

        print(f"jaxdream: {as_line(str(message))}", file=sys.stderr)

    warnings.simplefilter("ignore")
    warnings.simplefilter("default", JaxdreamWarning)
    warnings.showwarning = show


def _silence_libraries() -> None:
    """C libraries write about odd files to standard error; only Python's own lines are shown."""
    terminal = os.dup(2)
    sys.stderr = open(terminal, "w", encoding=sys.stderr.encoding, buffering=1)  # noqa: SIM115
    faulthandler.enable(terminal)  # a crash in a library is not silent
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
