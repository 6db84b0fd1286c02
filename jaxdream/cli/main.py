"""The command line: its commands, and how they end.

Each command is a module of this folder, imported only when it runs, so that ``--help`` is
immediate.
"""

import importlib
import io
import os
import re
import sys

from jaxdream.cli.commands import build_parser
from jaxdream.cli.exit_codes import BAD_INPUT, DONE, FAILED, INTERRUPTED
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import as_line, reason


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    _print_anything()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except SystemExit as stopped:  # argparse: --help, or a wrong option
        return _exit_code(stopped)
    except KeyboardInterrupt:
        print("jaxdream: interrupted", file=sys.stderr)
        return INTERRUPTED
    except JaxdreamError as error:
        print(f"jaxdream: {as_line(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # its reader has gone: `jaxdream layers | head`
        _give_up_output()
        return FAILED
    except OSError as error:
        if error.filename is not None:
            return _unforeseen(error)
        print(f"jaxdream: cannot write to standard output: {reason(error)}", file=sys.stderr)
        _give_up_output()
        return FAILED
    except Exception as error:
        return _unforeseen(error)
    return code


def _unforeseen(error: Exception) -> int:
    """The last resort: one line, and everything else in a file."""
    from jaxdream.cli.info import write_report

    if isinstance(error, MemoryError):
        print("jaxdream: not enough memory: a smaller --size takes less", file=sys.stderr)
        return BAD_INPUT
    print(f"jaxdream: an error in jaxdream itself: {write_report(error)}", file=sys.stderr)
    return FAILED


def _exit_code(stopped: SystemExit) -> int:
    return stopped.code if isinstance(stopped.code, int) else DONE


def _give_up_output() -> None:
    """Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    for argument in arguments:
        if re.fullmatch(r"--[\w-]+=--", argument):
            command = parser.command(arguments[0])
            command.error(f"argument {argument.removesuffix('=--')}: expected a value, not '--'")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.parser.unknown(unknown)
    module, function = options.run.split(".")
    command = getattr(importlib.import_module(f"jaxdream.cli.{module}"), function)
    return command(options)


def _print_anything() -> None:
    """Let any name be printed, also one that the terminal's encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
