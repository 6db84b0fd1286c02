"""``jaxdream completion``: what a shell needs to complete commands, options and files."""

import argparse
from collections.abc import Iterator

from jaxdream.cli.exit_codes import DONE

# What an option or an argument takes, by the word in its place in the help.
_FILES = {"IN", "FILE", "OUT", "DREAMED"}
_FOLDERS = {"DIR", "FOLDER"}


def print_completion(options: argparse.Namespace) -> int:
    import shtab

    from jaxdream.cli.commands import build_parser

    parser = build_parser()
    for action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # pyright: ignore[reportAttributeAccessIssue]
    print(shtab.complete(parser, shell=options.shell))
    return DONE


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and arguments of all commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
