"""``--log``: the steps of a command, added to a file."""

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdream.files.guard import FileGuard
from jaxdream.files.writing import check_place

if TYPE_CHECKING:
    from jaxdream.models.network import Network
    from jaxdream.run_log import RunLog


def check_asked_log(options: argparse.Namespace, guard: FileGuard) -> None:
    """Make sure that the steps can be added to the file of ``--log``, if there is one.

    Raises:
        JaxdreamError: it has something else in it, is a file that the command reads or writes
            otherwise, or cannot be written.
    """
    if options.log is None:
        return
    from jaxdream.run_log import check_log

    check_log(options.log)
    guard.add_read(options.log, what="the log")
    check_place(Path(options.log))


def asked_log(
    options: argparse.Namespace, model: "Network", run: dict[str, Any]
) -> "RunLog | nullcontext[None]":
    """The log that the options ask for, to be used in a ``with`` block; None without one."""
    if options.log is None:
        return nullcontext()
    from jaxdream.run_log import RunLog

    return RunLog(options.log, model=model, run=run)
